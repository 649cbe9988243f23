"""The product as it runs anywhere, on durable servers of its own, with what it takes to measure it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import Engine, NullPool

import embedded.stack
import settings
from embedded import home
from embedded.process import Process
from embedded.stack import CHECKOUT, COMMANDS
from models.session import open_engine

PROGRAMS = Path(sys.executable).parent
DATABASE = "payments"


class Stack(embedded.stack.Stack):
    """The embedded stack, whose posting can be stopped, and beside which other programs can be started."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the gateway."""
        host, _, port = self.bind.partition(":")
        return host, int(port)

    def url_of(self, role: str | None = None, database: str = DATABASE) -> str:
        """The URL of the worker's or the gateway's role, or the owner's."""
        url = self.postgres.url(database)
        return settings.as_role(url, role) if role else url

    def engine(self, role: str | None = None, database: str = DATABASE) -> Engine:
        """An engine of that role, which keeps no connection."""
        return open_engine(self.url_of(role, database), poolclass=NullPool, application="payments-bench")

    def migrate_database(self, database: str) -> None:
        """Bring another database to the newest revision."""
        environ = os.environ | {"DATABASE_URL": self.url_of(database=database)}
        alembic = [PROGRAMS / "alembic", "upgrade", "head"]
        subprocess.run(alembic, cwd=CHECKOUT, env=environ, check=True, capture_output=True)

    def start_product(self) -> None:
        """Start gateway, posting, upkeep and beat; returns when the gateway serves."""
        for name in COMMANDS:
            self.processes[name].start()
        self.wait_ready()

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

    def pss_mb(self) -> dict[str, float]:
        """Proportional set size of each process of ours with all its children, in MB."""
        found = {}
        for name in COMMANDS:
            root = psutil.Process(self.processes[name].pid)
            family = [root, *root.children(recursive=True)]
            found[name] = sum(one.memory_full_info().pss for one in family) / 1_000_000
        return found


@contextmanager
def running() -> Iterator[Stack]:
    """Fresh servers with a migrated database; everything ends, and is removed, with the block."""
    with home.temporary() as place:
        stack = Stack(place, environ={"LOG_LEVEL": "WARNING"})
        try:
            stack.start_servers()
            stack.migrate()
            yield stack
        finally:
            stack.stop()
