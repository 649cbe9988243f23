"""A gateway served as in production: gunicorn with the gateway's own workers, in processes of their own."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from embedded.process import Process
from tests.gateway.harness import SECOND_FACTOR_KEY, SECRET_KEY, ApiHarness, ApiUser
from tests.support import Database, eventually

ROOT = Path(__file__).parents[3]
LIMITS_DB = 7
"""A Redis database in which no other test counts limits or receives revocations."""

COMMAND = [sys.executable, "-m", "gunicorn", "--config", "gateway/gunicorn_conf.py", "wsgi:app"]


@dataclass
class Served:
    """A running gateway: its port, log and process."""

    port: int
    log: Path
    api: ApiHarness
    process: Process | None = None

    def say(self, text: bytes, *, last: bool = True) -> bytes:
        """The response to these bytes; `last` half-closes the connection, so that the server expects no more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            with suppress(OSError):  # it may have disconnected already
                line.sendall(text)
                if last:
                    line.shutdown(socket.SHUT_WR)
            answer = b""
            with suppress(ConnectionError):
                while piece := line.recv(65_536):
                    answer += piece
            return answer

    def head(self, path: str, person: ApiUser, *headers: str) -> bytes:
        """The head of a POST, without its framing."""
        lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: Bearer {person.token}"]
        return "\r\n".join([*lines, "Content-Type: application/json", *headers, "", ""]).encode()


def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(
    database: Database,
    api: ApiHarness,
    redis_url: str,
    directory: Path,
    forked: bool = True,
    **changes: str,
) -> Iterator[Served]:
    """The gateway, served on its own port by two processes; `changes` are settings."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    served = Served(listener.getsockname()[1], directory / "log", api)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")},
        "GATEWAY_DATABASE_URL": database.gateway,
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY,
        "SECOND_FACTOR_KEYS": SECOND_FACTOR_KEY,
        "REQUIRE_SECOND_FACTOR": "false",
        "PREFLIGHT_DURABILITY": "false",
        "DEPOSITS_OPEN": "true",
        "ALLOWED_HOSTS": "x",
        "LIMITS_REDIS_URL": redis_url.replace("db=0", f"db={LIMITS_DB}"),
        "RATE_LIMIT_ADDRESS": "100000 per day",
        "GATEWAY_WORKERS": "2",
        "GATEWAY_BIND": f"fd://{listener.fileno()}",
        **changes,
    }
    inherits = (listener.fileno(),)
    served.process = process = Process(
        COMMAND, log=served.log, cwd=ROOT, environ=environment, inherits=inherits, forked=forked
    )
    with listener:
        process.start()
    try:
        eventually(lambda: is_ready(served, process), seconds=60)
        yield served
    finally:
        process.stop(seconds=60)


def is_ready(served: Served, process: Process) -> bool:
    """True if the gateway answers; fails when its process has ended."""
    assert process.is_alive, served.log.read_text()
    try:
        return b" 200 OK" in served.say(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    except ConnectionRefusedError:
        return False
