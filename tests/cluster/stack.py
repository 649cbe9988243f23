"""A whole stack whose clients come through nginx to two gateways."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Self

from embedded import api
from embedded import home as homes
from embedded.process import Process
from embedded.stack import READY_SECONDS_MAX, Stack
from settings import METRICS_FILES
from tests.cluster.nginx import HOST, Nginx, free_port
from tests.cluster.pgbouncer import PgBouncer
from tests.stacks import UNLIMITED
from tests.support import begin_with, charge_commission, entries_of, memory

BEHIND_PROXY = UNLIMITED | {"TRUSTED_PROXIES": "127.0.0.1/32", "STACK_SHAPE": "separate", "GATEWAY_WORKERS": "2"}
GATEWAYS = ("gateway-1", "gateway-2")


class ClusterStack(Stack):
    """The embedded stack with two gateways instead of one; `bind` and `url` are those of nginx."""

    def __init__(self, home: homes.Home) -> None:
        super().__init__(home, environ=BEHIND_PROXY)
        self._listener.close()
        one = self.processes.pop("gateway")
        self.binds = {name: f"{HOST}:{free_port()}" for name in GATEWAYS}
        gateways = {name: self._gateway(one, name) for name in GATEWAYS}
        self.processes = gateways | self.processes
        self.nginx = Nginx(home, list(self.binds.values()))
        self.bind, self.url = self.nginx.bind, f"http://{self.nginx.bind}"

    def _gateway(self, one: Process, name: str) -> Process:
        files = str(self.home.directory(f"metrics-{name}", one.identity))
        told = {"GATEWAY_BIND": self.binds[name], METRICS_FILES: files}
        environ = (one.environ or {}) | told
        return Process(
            one.argv, log=self.home.log(name), cwd=one.cwd, environ=environ, identity=one.identity, forked=True
        )

    def is_ready(self, name: str) -> bool:
        """Whether this gateway answers."""
        return api.is_ready(f"http://{self.binds[name]}")

    def wait_ready(self) -> None:
        for name in GATEWAYS:
            self.processes[name].wait_until(lambda name=name: self.is_ready(name), READY_SECONDS_MAX)

    def at(self, bind: str) -> Self:
        """The same stack, for clients who come to this address."""
        other = copy(self)
        other.bind, other.url = bind, f"http://{bind}"
        return other

    def passed(self, name: str) -> int:
        """The number of requests that nginx passed to this gateway alone."""
        return self.nginx.access_log.read_text().count(f'"gateway":"{self.binds[name]}"')

    def is_in_pool(self, name: str, before: int) -> bool:
        """Whether nginx passed more than so many requests to this gateway."""
        return self.passed(name) > before

    def start_processes(self) -> None:
        super().start_processes()
        self.nginx.start()

    def restart(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End this process by the signal and start it again; returns when a gateway is ready."""
        process = self.processes[name]
        process.stop(number)
        process.start()
        if name in GATEWAYS:
            process.wait_until(lambda: self.is_ready(name), READY_SECONDS_MAX)

    def stop(self) -> None:
        self.nginx.stop()
        super().stop()


class PooledStack(ClusterStack):
    """With PgBouncer between all processes and PostgreSQL; `pooler` changes its settings."""

    def __init__(self, home: homes.Home, **pooler: str) -> None:
        super().__init__(home)
        self.pgbouncer = PgBouncer(home, self.postgres, **pooler)
        for process in self.processes.values():
            environ = process.environ
            environ["DATABASE_POOLER"] = "transaction"
            if direct := environ.get("GATEWAY_DATABASE_URL"):
                environ |= {"LISTEN_DATABASE_URL": direct, "GATEWAY_DATABASE_URL": self.pgbouncer.url(direct)}
            if direct := environ.get("WORKER_DATABASE_URL"):
                environ["WORKER_DATABASE_URL"] = self.pgbouncer.url(direct)

    def start_processes(self) -> None:
        self.pgbouncer.start()
        super().start_processes()

    def stop(self) -> None:
        for process in self.processes.values():
            process.send(signal.SIGTERM)
        for process in self.processes.values():
            process.stop()
        self.pgbouncer.stop()
        super().stop()


@contextmanager
def new_cluster(
    migrated: Path, kind: Callable[..., ClusterStack] = ClusterStack, **options: str
) -> Iterator[ClusterStack]:
    """A new one, durable and with every process; every line of the processes' logs is JSON."""
    with homes.temporary(memory() or homes.SHARED) as home:
        begin_with(migrated, home.path)
        stack = kind(home, **options)
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=0)
            stack.start_processes()
            yield stack
        finally:
            stack.stop()
        for name in stack.processes:
            entries_of(stack.home.log(name).read_text())
