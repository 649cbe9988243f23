"""The product as it runs anywhere, on durable embedded servers of its own, process by process."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import Engine, NullPool

import settings
from embedded import home
from embedded.postgres import Postgres
from embedded.process import Process
from embedded.valkey import Valkey
from models.session import open_engine

CHECKOUT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
READY_SECONDS_MAX = 60
READY_POLL_SECONDS = 0.1
OWNER = ""
WORKER = ("celery", "-A", "celery_config", "worker", "--without-gossip", "--without-mingle")
DATABASE = "payments"


class Stack:
    """The servers, and the processes that have been started on them by name."""

    def __init__(self, place: home.Home, postgres: Postgres, valkey: Valkey) -> None:
        self.home = place
        self.postgres = postgres
        self.valkey = valkey
        self.address = ("127.0.0.1", free_port())
        self.processes: dict[str, Process] = {}

    def url_of(self, role: str = OWNER, database: str = DATABASE) -> str:
        """The URL of the worker's or the gateway's role, or the owner's."""
        url = self.postgres.url(database)
        return settings.as_role(url, role) if role else url

    def engine(self, role: str = OWNER, database: str = DATABASE) -> Engine:
        """An engine of that role, which keeps no connection."""
        return open_engine(self.url_of(role, database), poolclass=NullPool, application="payments-bench")

    def migrate(self, database: str = DATABASE) -> None:
        """Bring a database to the newest revision."""
        environ = os.environ | {"DATABASE_URL": self.url_of(database=database)}
        alembic = [PROGRAMS / "alembic", "upgrade", "head"]
        subprocess.run(alembic, cwd=CHECKOUT, env=environ, check=True, capture_output=True)

    def start(self, name: str, *argv: str, **environ: str) -> None:
        """Start a program of the environment under this name, in the checkout."""
        process = Process(
            [PROGRAMS / argv[0], *argv[1:]],
            log=self.home.log(name),
            cwd=CHECKOUT,
            environ=os.environ | environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
        )
        process.start()
        self.processes[name] = process

    def stop(self, name: str) -> None:
        """End it, in good order if it will."""
        self.processes.pop(name).stop()

    def start_product(self) -> None:
        """Start gateway, posting, upkeep and beat; returns when the gateway serves."""
        self.start(
            "gateway",
            *("gunicorn", "--config", "gateway/serve.py", "wsgi:app"),
            GATEWAY_DATABASE_URL=self.url_of(settings.GATEWAY_ROLE),
            GATEWAY_BIND=f"{self.address[0]}:{self.address[1]}",
            SECRET_KEY=self.home.secret("secret_key"),
            **self._common(),
        )
        self.start_posting()
        upkeep = ("--queues", "upkeep", "--concurrency", "1", "-n", "upkeep@%h")
        self.start("upkeep", *WORKER, *upkeep, **self._worker())
        schedule = str(self.home.directory("beat") / "schedule")
        self.start("beat", *("celery", "-A", "celery_config", "beat", "--schedule", schedule), **self._worker())
        self.wait_until_ready("gateway", "/health/ready")

    def start_posting(self) -> None:
        """Start the posting workers."""
        posting = ("--queues", "payments", "--concurrency", "2", "-n", "posting@%h")
        self.start("posting", *WORKER, *posting, **self._worker())

    def wait_until_ready(self, name: str, path: str) -> None:
        """Wait until the named process answers 200 at this path of the address; raises StackError."""
        url = f"http://{self.address[0]}:{self.address[1]}{path}"
        self.processes[name].wait_until(lambda: answers(url), READY_SECONDS_MAX)

    def pss_mb(self) -> dict[str, float]:
        """Proportional set size of each process with all its children, in MB."""
        found = {}
        for name, process in self.processes.items():
            root = psutil.Process(process.pid)
            family = [root, *root.children(recursive=True)]
            found[name] = sum(one.memory_full_info().pss for one in family) / 1_000_000
        return found

    def _common(self) -> dict[str, str]:
        return {"REDIS_URL": self.valkey.url(), "LOG_LEVEL": "WARNING"}

    def _worker(self) -> dict[str, str]:
        return {"WORKER_DATABASE_URL": self.url_of(settings.WORKER_ROLE), **self._common()}


@contextmanager
def running() -> Iterator[Stack]:
    """Fresh servers with a migrated database; everything ends, and is removed, with the block."""
    with home.temporary() as place:
        postgres, valkey = Postgres(place), Valkey(place)
        stack = Stack(place, postgres, valkey)
        try:
            postgres.start()
            valkey.start()
            stack.migrate()
            yield stack
        finally:
            for name in reversed(list(stack.processes)):
                stack.stop(name)
            valkey.stop()
            postgres.stop()


def answers(url: str) -> bool:
    """Whether a GET of it is answered 200; asks again in a moment if not."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 - our own address
            return response.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        time.sleep(READY_POLL_SECONDS)
        return False


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
