"""A streaming replica of a test's PostgreSQL, on a private socket."""

import os
import signal
import subprocess
from pathlib import Path

import psycopg2
from sqlalchemy import make_url

from embedded.postgres import SUPERUSER, Postgres
from embedded.process import Process, wait_until_left

DURABLE_ENOUGH = {"synchronous_commit": "on"}
"""For the primary: else what is committed is sent only when the writer of the log comes round."""


class Replica:
    """A copy of the primary that follows it; statements are run as a superuser."""

    def __init__(self, primary: Postgres, **options: str) -> None:
        self._primary = primary
        home = primary.home
        self.folder = home.directory("replica", home.servers)
        self.data = self.folder / "data"
        told = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off"}
        told |= {"shared_buffers": "64MB", "shared_preload_libraries": "pg_stat_statements", **options}
        self.process = Process(
            [primary.bin_dir / "postgres", "-D", self.data, *(f"--{key}={value}" for key, value in told.items())],
            log=home.log("replica"),
            cwd=Path("/"),
            identity=home.servers,
            death_signal=signal.SIGINT,
        )

    def start(self) -> None:
        """Copy the primary at the first start, and follow it; returns when it answers."""
        home = self._primary.home
        if not self.data.exists():
            copying = [self._primary.bin_dir / "pg_basebackup", "-h", home.sockets, "-U", SUPERUSER, "-D", self.data]
            copying += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream"]
            environ = {**os.environ, "PGPASSWORD": home.secret(SUPERUSER)}
            subprocess.run(copying, env=environ, check=True, cwd="/", timeout=120, **home.servers.popen_options())
            self.data.chmod(0o700)
        wait_until_left(self.data, 30)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.process.start()
        self.process.wait_until(self.answers, 120)

    def stop(self) -> None:
        """End it as a crash."""
        self.process.stop(signal.SIGQUIT)

    def url(self, url: str) -> str:
        """The URL of the same database here."""
        return make_url(url).update_query_dict({"host": str(self.folder)}).render_as_string(hide_password=False)

    def ask(self, statement: str) -> object:
        """The first value."""
        connection = psycopg2.connect(
            host=str(self.folder), user=SUPERUSER, password=self._primary.home.secret(SUPERUSER), dbname=SUPERUSER
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchone()[0] if cursor.description else None
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            return self.ask("SELECT true") is True
        except psycopg2.OperationalError:
            return False

    def pause(self) -> None:
        """Stop replaying; it still answers."""
        self.ask("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        self.ask("SELECT pg_wal_replay_resume()")
