"""RabbitMQ by the files of deploy/rabbitmq, on ports of its own and without rights, as the broker of a stack."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import broker_amqp
from celery_config import QUEUES
from embedded.home import CHECKOUT, Home, write_private
from embedded.process import Process
from embedded.stack import Stack
from tests.cluster.nginx import HOST, free_port

FILES = CHECKOUT / "deploy" / "rabbitmq"
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
READY_SECONDS_MAX = 180
COMMAND_SECONDS_MAX = 120
WORKER, GATEWAY = "payments_worker", "payments_gateway"


class RabbitMQ:
    """One node, with the users of production; it finds itself by a port mapper of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.directory("rabbitmq", home.servers)
        self.port = free_port()
        mapper = free_port()
        self._environ = {
            **{"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "ERL_EPMD_PORT": str(mapper)},
            **{"RABBITMQ_NODENAME": "payments@localhost", "RABBITMQ_DIST_PORT": str(free_port())},
            **{"RABBITMQ_MNESIA_BASE": str(self.folder / "data"), "RABBITMQ_LOG_BASE": str(self.folder / "log")},
            **{"RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"), "RABBITMQ_LOGS": "-"},
            **{"RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"), "RUNNING_UNDER_SYSTEMD": "1"},
            **{"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1", "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder)},
        }
        self._mapper = self._process("epmd", ["/usr/bin/epmd", "-address", HOST, "-port", str(mapper)])
        self._server = self._process("rabbitmq", [PROGRAMS / "rabbitmq-server"])
        conf = (FILES / "rabbitmq.conf").read_text().replace("127.0.0.1:5672", f"{HOST}:{self.port}")
        self._write("rabbitmq.conf", conf.replace("/etc/rabbitmq", str(self.folder)))
        definitions = (FILES / "definitions.json").read_text()
        for user, word in {WORKER: "WORKER_PASSWORD", GATEWAY: "GATEWAY_PASSWORD"}.items():
            definitions = definitions.replace(word, home.secret(user))
        self._write("definitions.json", definitions)
        self._write("plugins", "[].\n")

    def _process(self, name: str, argv: list[str | Path]) -> Process:
        return Process(
            argv,
            log=self.home.log(name),
            cwd=self.folder,
            environ=self._environ,
            identity=self.home.servers,
            death_signal=signal.SIGKILL,
        )

    def _write(self, name: str, text: str) -> None:
        write_private(self.folder / name, text)
        if os.geteuid() == 0:
            shutil.chown(self.folder / name, self.home.servers.uid, self.home.servers.gid)

    @property
    def pid(self) -> int | None:
        return self._server.pid

    @property
    def is_alive(self) -> bool:
        return self._server.is_alive

    def url(self, user: str = WORKER) -> str:
        return f"amqp://{user}:{self.home.secret(user)}@{HOST}:{self.port}/payments"

    def start(self) -> None:
        """Start it and wait until it lets clients in; raises StackError."""
        self._mapper.start()
        self._server.start()
        self._server.wait_until(lambda: broker_amqp.is_up(self.url(), 1.0), READY_SECONDS_MAX)

    def stop(self) -> None:
        self._server.stop()
        self._mapper.stop()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self._server.kill()

    def forget(self) -> int:
        """Delete every queue that is there; returns how many these were, and the messages in them."""
        with broker_amqp.connected(self.url(), 10.0) as connection:
            depths = broker_amqp.depths(self.url(), QUEUES, 10.0)
            for queue in QUEUES:
                connection.channel().queue_delete(queue)
            return len(QUEUES) + sum((depths or {}).values())

    def cut(self) -> None:
        """Close the connections of all clients."""
        self.control("close_all_connections", "cut")

    def control(self, *arguments: str) -> str:
        """What rabbitmqctl says."""
        argv = [PROGRAMS / "rabbitmqctl", "--quiet", *arguments]
        options = self.home.servers.popen_options()
        done = subprocess.run(
            argv,
            env=self._environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=COMMAND_SECONDS_MAX,
            **options,
        )
        return done.stdout


class RabbitStack(Stack):
    """The embedded stack with RabbitMQ as its broker; Valkey counts limits and carries revocations."""

    def __init__(self, home: Home, *, environ: Mapping[str, str]) -> None:
        self.rabbitmq = RabbitMQ(home)
        super().__init__(home, environ=environ, broker_url=self.rabbitmq.url())
        self.processes["gateway"].environ["BROKER_URL"] = self.rabbitmq.url(GATEWAY)

    @property
    def broker(self) -> RabbitMQ:
        return self.rabbitmq

    def start_servers(self) -> None:
        super().start_servers()
        self.rabbitmq.start()

    def stop(self) -> None:
        super().stop()
        self.rabbitmq.stop()
