"""The product on durable servers of its own, with the controls that measurements need."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, NullPool, create_engine

import database_urls
import embedded.stack
from bench import history_chain
from embedded import fork_server, home
from embedded.postgres import SUPERUSER
from embedded.process import Process
from embedded.stack import CHECKOUT
from models.invariants import violations
from models.session import open_engine

PROGRAMS = Path(sys.executable).parent
ENVIRON = {
    "LOG_LEVEL": "WARNING",
    "RATE_LIMIT_TOKEN": "2000 per second",
    "RATE_LIMIT_ADDRESS": "20000 per second",
}
"""The environment of every process. The limits refuse no request: all load comes from one address, with twenty tokens.
Each process counts, and asks Redis above a tenth of them."""

FORK_SERVER = "fork server"
"""What the embedded stack's processes share memory with; elsewhere each has its libraries to itself."""

SPENDERS = {
    "gateway": ("gateway",), "posting": ("posting", "housekeeping"), "postgres": ("postgres",), "valkey": ("valkey",)
}  # fmt: skip
"""Whose CPU a payment uses, and the processes of each; those that run are counted."""

PROCESS_CLOCK = 2
"""What the kernel names another process's CPU clock by, beside its id (clock_getcpuclockid): all threads, ended too."""


@dataclass
class Product:
    """A running product: where its gateway listens, and its database as the owner, and the superuser's own."""

    bind: str
    database_url: str
    superuser_url: str

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the gateway."""
        host, _, port = self.bind.partition(":")
        return host, int(port)

    def url_of(self, role: str | None = None) -> str:
        """The URL of the worker's or the gateway's role, or the owner's."""
        return database_urls.as_role(self.database_url, role) if role else self.database_url

    def engine(self, role: str | None = None) -> Engine:
        """An engine of that role, which keeps no connection."""
        return open_engine(self.url_of(role), poolclass=NullPool, application="payments-bench")

    def superuser_engine(self) -> Engine:
        """An engine of the database server's superuser, who may read the WAL; each statement is its own transaction."""
        return create_engine(self.superuser_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def cpu_seconds(self) -> dict[str, float]:
        """CPU that each part has used until now."""
        raise NotImplementedError

    def violations(self) -> list[str]:
        """The violated invariants."""
        with self.engine().connect() as connection:
            return violations(connection)


class Stack(embedded.stack.Stack, Product):
    """The embedded stack, whose posting can be stopped, and beside which other programs can be started."""

    @contextmanager
    def one_gateway_process(self) -> Iterator[None]:
        """Restart the gateway with a single process; restored at the end of the block."""
        environ = self.processes["gateway"].environ or {}
        try:
            self.restart_gateway({**environ, "GATEWAY_WORKERS": "1"})
            yield
        finally:
            self.restart_gateway(environ)

    @contextmanager
    def posting_stopped(self) -> Iterator[None]:
        """Stop posting until the end of the block, and upkeep, which would go on to verify and sum up the last run."""
        stopped = self.doing("posting", "upkeep").values()
        for process in stopped:
            process.stop()
        try:
            yield
        finally:
            for process in stopped:
                process.start()

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
        return spent({name: part.pid for name, part in self.parts.items() if part.is_alive})

    def pss_mb(self) -> dict[str, float]:
        """Proportional set size of each process of the product with all its children, in MB, and of their parent."""
        roots = {name: psutil.Process(self.processes[name].pid) for name in self.commands}
        families = {name: [root, *root.children(recursive=True)] for name, root in roots.items()}
        families[FORK_SERVER] = [psutil.Process(fork_server.running().pid)]
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


def spent(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds that each of the SPENDERS among these processes has used."""
    return {
        spender: sum(cpu_seconds_of(psutil.Process(pids[name])) for name in names if name in pids)
        for spender, names in SPENDERS.items()
        if pids.keys() & set(names)
    }


def cpu_seconds_of(root: psutil.Process) -> float:
    """CPU seconds of a process and all its descendants, with the threads and children of each that have ended."""
    while root.is_running():
        with suppress(psutil.NoSuchProcess):  # ended meanwhile: from now on its parent has its CPU
            return sum(map(with_ended, [root, *root.children(recursive=True)]))
    raise psutil.NoSuchProcess(root.pid)


def with_ended(process: psutil.Process) -> float:
    """CPU seconds of a process by the scheduler, of its children that have ended by the kernel's accounts."""
    times = process.cpu_times()
    try:
        own = time.clock_gettime(~process.pid << 3 | PROCESS_CLOCK)
    except OSError:  # a process that has ended, and for which its parent has not yet waited
        own = times.user + times.system
    return own + times.children_user + times.children_system


@contextmanager
def running(**environ: str) -> Iterator[Stack]:
    """Fresh servers with a migrated database; stopped and removed at the end of the block."""
    with home.temporary() as place:
        stack = Stack(place, environ=ENVIRON | environ)
        try:
            stack.start_servers()
            stack.superuser_url = stack.postgres.url(SUPERUSER, SUPERUSER)
            stack.migrate()
            history_chain.begin(stack.engine())
            yield stack
        finally:
            stack.stop()
