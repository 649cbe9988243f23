"""PgBouncer by the files of deploy/pgbouncer, between a stack's processes and its PostgreSQL."""

import os
import shutil
import signal
import socket
from pathlib import Path

from sqlalchemy import create_engine, make_url

from embedded.home import CHECKOUT, Home
from embedded.postgres import SUPERUSER, Postgres
from embedded.process import Process
from tests.cluster.nginx import HOST, READY_SECONDS_MAX, free_port

FILES = CHECKOUT / "deploy" / "pgbouncer"
PROGRAM = "/usr/sbin/pgbouncer"


class PgBouncer:
    """PgBouncer in front of this running PostgreSQL; every database of it has a pool for each role."""

    def __init__(self, home: Home, postgres: Postgres, **changes: str) -> None:
        self._postgres = postgres
        self.folder = home.directory("pgbouncer", home.servers)
        self.port = free_port()
        text = (FILES / "pgbouncer.ini").read_text()
        server = "payments = host=127.0.0.1 port=5432 dbname=payments"
        assert server in text
        text = text.replace(server, f"* = host={home.sockets}").replace("= 6432", f"= {self.port}")
        for name, value in changes.items():
            before = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
            text = text.replace(before, f"{name} = {value}")
        self.write("pgbouncer.ini", text)
        self.process = Process(
            [PROGRAM, self.folder / "pgbouncer.ini"],
            log=home.log("pgbouncer"),
            cwd=self.folder,
            identity=home.servers,
            death_signal=signal.SIGTERM,
        )

    def url(self, url: str) -> str:
        """The URL of PostgreSQL, past which this one leads through the pooler."""
        through = make_url(url).set(host=HOST, port=self.port, query={})
        return through.render_as_string(hide_password=False)

    def write(self, name: str, text: str) -> Path:
        """A file of its folder, which only it can read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        if os.geteuid() == 0:
            shutil.chown(path, self.folder.stat().st_uid, self.folder.stat().st_gid)
        return path

    def start(self) -> None:
        """Start it with the passwords that the roles have now."""
        with create_engine(self._postgres.url(role=SUPERUSER)).connect() as connection:
            rows = connection.exec_driver_sql((FILES / "userlist.sql").read_text().replace("%", "%%"), ()).scalars()
            self.write("userlist.txt", "".join(f"{row}\n" for row in rows))
        self.process.start()
        self.process.wait_until(self._is_up, READY_SECONDS_MAX)

    def _is_up(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex((HOST, self.port)) == 0

    def stop(self) -> None:
        self.process.stop(signal.SIGTERM)
