"""Two PostgreSQL under Patroni on hosts of their own, three etcd, and HAProxy, by deploy/patroni and deploy/haproxy."""

import json
import os
import shutil
import signal
import urllib.request
from pathlib import Path

import psycopg2
from psycopg2 import sql
from sqlalchemy import make_url

from embedded.home import CHECKOUT, Home, write_private
from embedded.postgres import DATABASE, SUPERUSER, Postgres
from embedded.process import Process
from tests.cluster.hosts import Host, Network
from tests.cluster.nginx import HOST, free_port
from tests.support import eventually

DEPLOY = CHECKOUT / "deploy"
DATABASES = 2
READY_SECONDS_MAX = 180


class PatroniPostgres(Postgres):
    """The primary of two, reached through HAProxy: for a stack the same as a PostgreSQL alone."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.network = Network(home, 3)
        self.hosts = {host.name: host for host in self.network.hosts[:DATABASES]}
        self.port = free_port()
        self._haproxy = Process(
            ["/usr/sbin/haproxy", "-db", "-f", self._write("haproxy", "haproxy.cfg", self._haproxy_file())],
            log=home.log("haproxy"),
            cwd=home.path,
            identity=home.servers,
            death_signal=signal.SIGKILL,
        )

    def _write(self, folder: str, name: str, text: str) -> Path:
        path = self.home.directory(folder, self.home.servers) / name
        write_private(path, text)
        if os.geteuid() == 0:
            shutil.chown(path, self.home.servers.uid, self.home.servers.gid)
        return path

    def _haproxy_file(self) -> str:
        text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text().replace("127.0.0.1:5000", f"{HOST}:{self.port}")
        for number, host in enumerate(self.hosts.values(), 1):
            text = text.replace(f"10.0.0.{number}:", f"{host.address}:")
        return text

    @property
    def pid(self) -> int | None:
        return self._haproxy.pid

    @property
    def is_alive(self) -> bool:
        return self._haproxy.is_alive

    def url(self, database: str = DATABASE, role: str = "payments_owner", password: str | None = None) -> str:
        """As of a PostgreSQL alone, but through HAProxy."""
        through = make_url(super().url(database, role, password)).set(host=HOST, port=self.port, query={})
        return through.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start all of it, and return when the primary answers and has a synchronous standby."""
        self._start_etcd()
        for host in self.hosts.values():
            self.start_database(host)
        self._haproxy.start()
        self._haproxy.wait_until(self._answers, READY_SECONDS_MAX)
        self._make_owner()
        self.wait_for_standby()

    def _start_etcd(self) -> None:
        peers = ",".join(f"{host.name}=http://{host.address}:2380" for host in self.network.hosts)
        for host in self.network.hosts:
            folder = self.home.directory(f"etcd-{host.name}", self.home.servers)
            own, client = f"http://{host.address}:2380", f"http://{host.address}:2379"
            options = {
                **{"name": host.name, "data-dir": str(folder / "data"), "initial-cluster": peers},
                **{"listen-peer-urls": own, "initial-advertise-peer-urls": own},
                **{"listen-client-urls": client, "advertise-client-urls": client, "logger": "zap"},
            }
            host.run("etcd", ["/usr/bin/etcd", *(f"--{name}={value}" for name, value in options.items())], folder)

    def start_database(self, host: Host) -> None:
        """Start Patroni there, which starts PostgreSQL."""
        folder = self.home.directory(f"patroni-{host.name}", self.home.servers)
        text = (DEPLOY / "patroni" / "patroni.yml").read_text()
        etcd = ",".join(f"{each.address}:2379" for each in self.network.hosts)
        for before, after in {
            **{"HOST_NAME": host.name, "HOST_ADDRESS": host.address, "ETCD_HOSTS": etcd},
            **{"/var/lib/postgresql/payments": f"{folder}/data", "/usr/lib/postgresql/17/bin": str(self.bin_dir)},
            **{"/var/lib/postgresql/": f"{folder}/", "/var/run/postgresql": str(folder), "samenet": "all"},
            **{"SUPERUSER_PASSWORD": self.home.secret(SUPERUSER), "REPLICATION_PASSWORD": self.home.secret("replica")},
        }.items():
            text = text.replace(before, after)
        file = self._write(folder.name, "patroni.yml", text)
        host.run("patroni", ["/usr/bin/patroni", file], folder)

    def members(self) -> dict[str, str]:
        """What each database is: leader, sync_standby, replica, by the name of its host."""
        for host in self.hosts.values():
            try:
                with urllib.request.urlopen(f"http://{host.address}:8008/cluster", timeout=2) as answer:
                    return {
                        member["name"]: member["role"] if member["state"] in ("running", "streaming") else "away"
                        for member in json.load(answer)["members"]
                    }
            except OSError:
                continue
        return {}

    def leader(self) -> Host | None:
        """The host with the primary."""
        return next((self.hosts[name] for name, role in self.members().items() if role == "leader"), None)

    def postmaster(self, host: Host) -> int:
        """The pid of the PostgreSQL there."""
        return int((self.home.path / f"patroni-{host.name}" / "data" / "postmaster.pid").read_text().split()[0])

    def wait_for_standby(self) -> None:
        """Wait until both databases are there, and the second may take over."""
        roles = ["leader", "sync_standby"]
        eventually(lambda: sorted(self.members().values()) == roles, seconds=READY_SECONDS_MAX)

    def stop(self, mode: str = "fast") -> None:  # noqa: ARG002 - as of a PostgreSQL alone
        self._haproxy.stop(signal.SIGTERM)
        self.network.remove()

    def _execute(
        self, statement: str | sql.Composable, database: str = SUPERUSER, parameters: tuple | None = None
    ) -> list[tuple]:
        connection = psycopg2.connect(
            host=HOST, port=self.port, user=SUPERUSER, password=self.home.secret(SUPERUSER), dbname=database
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
