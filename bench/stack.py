"""The product on durable servers of its own, with the controls that measurements need."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, NullPool, make_url

import database_urls
import embedded.stack
from bench import history_chain
from embedded import fork_server, home
from embedded.process import Process
from embedded.stack import CHECKOUT, COMMANDS
from models.invariants import violations
from models.session import open_engine

PROGRAMS = Path(sys.executable).parent
DATABASE = "payments"
ENVIRON = {
    "LOG_LEVEL": "WARNING",
    "RATE_LIMIT_TOKEN": "500 per second",
    "RATE_LIMIT_ADDRESS": "10000 per second",
}
"""The environment of every process. The limits refuse no request: all load comes from one address, with twenty tokens.
But they are low enough that the gateway still counts in Redis."""

FORK_SERVERS = "fork servers"
"""What the embedded stack's processes share memory with; elsewhere each has its libraries to itself."""

SPENDERS = ("gateway", "posting", "postgres")
"""The processes whose CPU a payment uses."""


@dataclass
class Product:
    """A running product: where its gateway listens, and its database as the owner."""

    bind: str
    database_url: str

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the gateway."""
        host, _, port = self.bind.partition(":")
        return host, int(port)

    def url_of(self, role: str | None = None, database: str = DATABASE) -> str:
        """The URL of the worker's or the gateway's role, or the owner's."""
        url = make_url(self.database_url).set(database=database).render_as_string(hide_password=False)
        return database_urls.as_role(url, role) if role else url

    def engine(self, role: str | None = None, database: str = DATABASE) -> Engine:
        """An engine of that role, which keeps no connection."""
        return open_engine(self.url_of(role, database), poolclass=NullPool, application="payments-bench")

    def cpu_seconds(self) -> dict[str, float]:
        """CPU that each part has used until now."""
        raise NotImplementedError

    def violations(self, database: str = DATABASE) -> list[str]:
        """The violated invariants."""
        with self.engine(database=database).connect() as connection:
            return violations(connection)


class Stack(embedded.stack.Stack, Product):
    """The embedded stack, whose posting can be stopped, and beside which other programs can be started."""

    def migrate_database(self, database: str) -> None:
        """Bring another database to the newest revision."""
        environ = os.environ | {"DATABASE_URL": self.url_of(database=database)}
        alembic = [PROGRAMS / "alembic", "upgrade", "head"]
        subprocess.run(alembic, cwd=CHECKOUT, env=environ, check=True, capture_output=True)
        history_chain.begin(self.engine(database=database))

    @contextmanager
    def one_gateway_process(self) -> Iterator[None]:
        """Restart the gateway with a single process; restored at the end of the block."""
        environ = self.processes["gateway"].environ or {}
        try:
            self.restart_gateway({**environ, "GATEWAY_WORKERS": "1"})
            yield
        finally:
            self.restart_gateway(environ)

    def start_other(self, name: str, *argv: str, **environ: str) -> Process:
        """Start a program of the environment, in the checkout; it ends with the stack, if not before."""
        self.processes[name] = process = Process(
            [PROGRAMS / argv[0], *argv[1:]],
            log=self.home.log(name),
            cwd=CHECKOUT,
            environ=os.environ | environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
        )
        process.start()
        return process

    def cpu_seconds(self) -> dict[str, float]:
        """CPU that each of the SPENDERS has used with all its children, those that ended included."""
        return {name: cpu_seconds_of(psutil.Process(self.parts[name].pid)) for name in SPENDERS}

    def pss_mb(self) -> dict[str, float]:
        """Proportional set size of each process of the product with all its children, in MB, and of their parents."""
        roots = {name: psutil.Process(self.processes[name].pid) for name in COMMANDS}
        families = {name: [root, *root.children(recursive=True)] for name, root in roots.items()}
        families[FORK_SERVERS] = [psutil.Process(pid) for pid in fork_server.pids()]
        return {
            name: sum(process.memory_full_info().pss for process in family) / 1_000_000
            for name, family in families.items()
        }

    def restart_gateway(self, environ: dict[str, str] | None = None) -> None:
        """Restart the gateway, in another environment if there is one."""
        gateway = self.processes["gateway"]
        gateway.stop()
        gateway.environ = environ or gateway.environ
        gateway.start()
        self.wait_ready()


def cpu_seconds_of(root: psutil.Process) -> float:
    """CPU seconds of a process and all its children, as the scheduler counts them; of what has ended, by samples."""
    ended = root.cpu_times()
    seconds = ended.children_user + ended.children_system
    for process in [root, *root.children(recursive=True)]:
        for task in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # ended meanwhile
                seconds += int(task.read_text().split()[0]) / 1e9
    return seconds


@contextmanager
def running(**environ: str) -> Iterator[Stack]:
    """Fresh servers with a migrated database; stopped and removed at the end of the block."""
    with home.temporary() as place:
        stack = Stack(place, environ=ENVIRON | environ)
        try:
            stack.start_servers()
            stack.migrate()
            history_chain.begin(stack.engine())
            yield stack
        finally:
            stack.stop()
