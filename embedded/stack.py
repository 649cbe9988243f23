"""The whole stack: its servers, its processes and the environment of each."""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

import database_urls
import settings
from embedded import api, fork_server, identity, shapes, valkey
from embedded.home import CHECKOUT, Home, StackError
from embedded.identity import Identity
from embedded.postgres import Postgres
from embedded.process import Process
from embedded.valkey import Valkey

ROLE_VARIABLES = {
    settings.WORKER_ROLE: "WORKER_DATABASE_URL",
    settings.GATEWAY_ROLE: "GATEWAY_DATABASE_URL",
}
TOLD_BY_US = {
    *(
        "DATABASE_URL",
        *ROLE_VARIABLES.values(),
        "REDIS_URL",
        "BROKER_URL",
        "SECRET_KEY",
        "RECEIPT_KEY",
        "SECOND_FACTOR_KEYS",
        "MAIL_URL",
        "GATEWAY_BIND",
        "PORT",
    ),
    *("RAIL", "RAIL_SIMULATOR_URL", "METRICS_TOKEN", "METRICS_BIND", settings.METRICS_FILES),
}
"""Variables passed only to the processes that need them: the gateway never gets the URLs of the owner, the worker, the
mail server or the bank."""

DEFAULTS = {
    "RATE_LIMIT_TOKEN": "1000 per second",
    "RATE_LIMIT_ADDRESS": "1000 per second",
    "REQUIRE_SECOND_FACTOR": "false",
    "WEBHOOK_HTTP": "true",
    "WEBHOOK_NETWORKS": "127.0.0.0/8",
    "SECURE_COOKIES": "false",
    "ENVIRONMENT_NAME": "development",
    "ENVIRONMENT_COLOR": "green",
    "STACK_SHAPE": "compact",
}
"""Defaults of this stack: clients share an address, receivers are on this machine, ops have only tokens."""

HOST = "127.0.0.1"
PORT_WANTED = 8000
BACKLOG = 1024
READY_SECONDS_MAX = 180
COMMAND_SECONDS_MAX = 300
WORDS_MAX = 2_000
"""Characters shown of a failed command's last output."""
STOP_SECONDS_MAX = 40
"""A poster ends its batch first, within Celery's soft shutdown."""


class Stack:
    """Servers and processes in `home`; with `database_url` (the owner's) or `redis_url`, those servers.

    With `broker_url` messages go there, not to the Redis.

    `environ` is handed to every process; `durable` and `options` are the embedded PostgreSQL's.
    """

    def __init__(
        self,
        home: Home,
        *,
        database_url: str | None = None,
        redis_url: str | None = None,
        broker_url: str | None = None,
        environ: Mapping[str, str] | None = None,
        port: int | None = None,
        durable: bool = True,
        options: dict[str, str] | None = None,
    ) -> None:
        settings.forget_variables(*settings.CELERY_PREFIXES)
        self.home = home
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        if not database_url:
            self.postgres = Postgres(home, durable=durable, options=options)
            database_url = self.postgres.url()
        if not redis_url:
            self.valkey = Valkey(home)
            redis_url = self.valkey.url(user=valkey.WORKER)
        self.database_url = database_urls.normalized(database_url)
        self.redis_url = redis_url
        self.broker_url = broker_url or redis_url
        self._own_broker = {"BROKER_URL": broker_url} if broker_url else {}
        self.secret_key = os.environ.get("SECRET_KEY") or home.secret("secret_key")
        self.receipt_key = os.environ.get("RECEIPT_KEY") or home.secret("receipt_key")
        self.second_factor_keys = os.environ.get("SECOND_FACTOR_KEYS") or home.secret("second_factor_key")
        self._environ = DEFAULTS | {key: value for key, value in os.environ.items() if key not in TOLD_BY_US}
        self._environ |= {"DEPOSITS_OPEN": "true"} | dict(environ or {})
        self.commands = shapes.commands(self._environ.pop("STACK_SHAPE"))
        self._listener = _listen(port)
        self.metrics_token = home.secret("metrics_token")
        measured = self.commands.keys() - {"gateway", "beat"}  # it has a route for them; beat alone counts nothing
        self._metrics_listeners = {name: socket.create_server((HOST, 0)) for name in self.commands if name in measured}
        self.bind = f"{HOST}:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.bind}"
        self._workers = identity.of_workers(CHECKOUT)
        self.rail = os.environ.get("RAIL") or "simulator"
        self._bank_listener = socket.create_server((HOST, 0), backlog=BACKLOG)
        self.bank_url = f"http://{HOST}:{self._bank_listener.getsockname()[1]}"
        self.bank = self._bank() if self.rail == "simulator" else None
        self.mail_url = os.environ.get("MAIL_URL") or f"file://{quote(str(home.directory('mail', self._workers)))}"
        identities = dict.fromkeys(self.commands, self._workers) | {"gateway": identity.of_gateway(CHECKOUT)}
        self.processes = {name: self._process(name, identities[name]) for name in self.commands}

    @property
    def parts(self) -> dict[str, Postgres | Valkey | Process]:
        """Everything that runs, in the order of starting."""
        servers = {"postgres": self.postgres, "valkey": self.valkey, "bank": self.bank}
        return {name: server for name, server in servers.items() if server} | self.processes

    @property
    def broker(self) -> Valkey | None:
        """The server of this stack that carries messages."""
        return self.valkey

    @property
    def mail(self) -> str:
        """The destination of mail, without the password."""
        url = urlsplit(self.mail_url)
        return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()

    @property
    def pids(self) -> dict[str, int | None]:
        return {name: part.pid for name, part in self.parts.items()}

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Where each process serves its metrics, to callers that have the token."""
        ports = {name: listener.getsockname()[1] for name, listener in self._metrics_listeners.items()}
        workers = {name: f"http://{HOST}:{port}/metrics" for name, port in ports.items()}
        return {"gateway": f"{self.url}/metrics", **workers}

    def doing(self, *kinds: str) -> dict[str, Process]:
        """The processes, by name, that do work of these kinds: posting, upkeep, rails, webhooks or beat."""
        return {name: process for name, process in self.processes.items() if set(shapes.kinds(name)) & set(kinds)}

    def role_url(self, role: str) -> str:
        """The database's URL for that role: given beside another's database, else with its derived password."""
        given = None if self.postgres else os.environ.get(ROLE_VARIABLES[role])
        return given or database_urls.as_role(self.database_url, role)

    def start(self, say: Callable[[str], object] = lambda _: None) -> None:
        """Start everything, report which migrations ran, and return when the gateway is ready; raises StackError."""
        self.start_servers()
        for line in self.migrate():
            say(line)
        self.start_processes()

    def start_servers(self) -> None:
        for server in (self.postgres, self.valkey, self.bank):
            if server:
                server.start()

    def migrate(self) -> list[str]:
        """Migrate the database to the newest revision; returns Alembic's output, one line per migration."""
        told = {"DATABASE_URL": self.database_url}
        return self._run(["alembic", "upgrade", "head"], identity.invoker(), told).splitlines()

    def start_processes(self) -> None:
        """Start the gateway, the workers and beat, and return when the gateway is ready; raises StackError."""
        for process in self.processes.values():
            process.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        self.processes["gateway"].wait_until(lambda: api.is_ready(self.url), READY_SECONDS_MAX)

    def stop(self) -> None:
        """Stop everything: first the processes, which finish their work, then the servers."""
        for process in self.processes.values():
            process.send(signal.SIGTERM)
        for process in self.processes.values():
            process.stop(seconds=STOP_SECONDS_MAX)
        for server in (self.bank, self.valkey, self.postgres):
            if server:
                server.stop()
        self._listener.close()
        self._bank_listener.close()
        for listener in self._metrics_listeners.values():
            listener.close()

    def create_users(self, users: list[dict[str, str]]) -> list[dict[str, str]]:
        """Create users of {email, role, name}, or a token for existing ones; returns {email, token, id}."""
        environ = {"WORKER_DATABASE_URL": self.role_url(settings.WORKER_ROLE), "REDIS_URL": self.redis_url}
        environ |= self._own_broker
        return json.loads(self._run(["embedded.users"], self._workers, environ, json.dumps(users)))

    def create_user(self, email: str, role: str, name: str | None = None) -> dict[str, str]:
        """Create one user; returns {id, email, token}."""
        return self.create_users([{"email": email, "role": role, "name": name or email}])[0]

    def _process(self, name: str, runs_as: Identity) -> Process:
        directory = self._directory(runs_as)
        role = settings.GATEWAY_ROLE if name == "gateway" else settings.WORKER_ROLE
        redis_url = self.valkey.url(user=valkey.GATEWAY) if self.valkey and name == "gateway" else self.redis_url
        told = {"REDIS_URL": redis_url, "HOME": directory, ROLE_VARIABLES[role]: self.role_url(role)} | self._own_broker
        kinds = shapes.kinds(name)
        if "upkeep" in kinds:
            told |= {"MAIL_URL": self.mail_url, "RECEIPT_KEY": self.receipt_key}
        if "rails" in kinds:
            told |= {"RAIL": self.rail, "RAIL_SIMULATOR_URL": self.bank_url}
        if name == "gateway":
            told |= {"SECRET_KEY": self.secret_key, "SECOND_FACTOR_KEYS": self.second_factor_keys}
            told |= {"GATEWAY_BIND": f"fd://{self._listener.fileno()}"}
        inherited = [self._listener] if name == "gateway" else []
        if name != "beat":
            files = str(self.home.directory(f"metrics-{name}", runs_as))
            told |= {"METRICS_TOKEN": self.metrics_token, settings.METRICS_FILES: files}
        if listener := self._metrics_listeners.get(name):
            told |= {"METRICS_BIND": f"fd://{listener.fileno()}"}
            inherited = [listener]
        return Process(
            [sys.executable, "-m", *self.commands[name]],
            log=self.home.log(name),
            cwd=CHECKOUT,
            environ=self._environ | told,
            identity=runs_as,
            inherits=tuple(listener.fileno() for listener in inherited),
            forked=True,
        )

    def _bank(self) -> Process:
        listener, file = self._bank_listener.fileno(), self.home.directory("bank", self._workers) / "bank.db"
        return Process(
            [sys.executable, "-m", *(word.format(bind=f"fd://{listener}") for word in shapes.BANK)],
            log=self.home.log("bank"),
            cwd=CHECKOUT,
            environ=self._environ | {"BANK_FILE": str(file), "HOME": self._directory(self._workers)},
            identity=self._workers,
            inherits=(listener,),
            forked=True,
        )

    def _directory(self, owner: Identity) -> str:
        """The directory that processes of this identity may write to, also their HOME."""
        return str(self.home.directory(f"uid-{owner.uid}", owner))

    def _run(self, module: list[str], runs_as: Identity, told: dict[str, str], text: str = "") -> str:
        """Run a module and return its output; raises StackError with the end of its output."""
        environ = self._environ | told | {"HOME": self._directory(runs_as)}
        wanted = fork_server.wanted(module, CHECKOUT, environ, runs_as)
        done = fork_server.running().run(wanted, text, COMMAND_SECONDS_MAX)
        if done.returncode:
            raise StackError(f"{' '.join(module)} failed:\n{(done.stdout + done.stderr).strip()[-WORDS_MAX:]}")
        return done.stdout


def _listen(port: int | None) -> socket.socket:
    """A listening socket on that port, else on the one people expect if it is free, else on any.

    The gateway inherits it: two stacks never take the same port, and a restart refuses no connection.
    """
    for wanted in (port,) if port else (PORT_WANTED, 0):
        with suppress(OSError):
            return socket.create_server((HOST, wanted), backlog=BACKLOG)
    raise StackError(f"TCP port {port or '(any)'} on {HOST} is not free")
