"""The scripts of deploy/postgres on real servers: a primary lets a replica in, which copies it and follows."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from embedded import home as homes
from embedded.home import CHECKOUT, write_private
from embedded.postgres import DATABASE, SUPERUSER, Postgres
from embedded.process import Process
from tests.support import eventually

SCRIPTS = CHECKOUT / "deploy" / "postgres"
PASSWORD = "a password's 'quotes' \\ and more"
ADDRESS = f"127.{os.getpid() >> 16 & 0x7F}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFE | 1}"
"""Of the primary on loopback, which no line of initdb's pg_hba.conf lets a replica in from."""


@pytest.fixture(scope="module")
def primary() -> Iterator[Postgres]:
    """Prepared as the image of PostgreSQL does it at its first start, then restarted."""
    with homes.temporary() as home:
        postgres = Postgres(home, durable=False, options={"listen_addresses": ADDRESS})
        postgres.start()
        write_private(home.path / "password", PASSWORD)
        os.chown(home.path / "password", home.servers.uid, home.servers.gid)
        environ = {
            "PATH": f"{postgres.bin_dir}:{os.environ['PATH']}",
            "PGHOST": str(home.sockets),
            "PGPASSWORD": home.secret(SUPERUSER),
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_DB": DATABASE,
            "PGDATA": str(postgres.data),
            "REPLICA_PASSWORD_FILE": str(home.path / "password"),
        }
        subprocess.run(["sh", SCRIPTS / "replication.sh"], env=environ, check=True, timeout=60, capture_output=True)
        postgres.stop()
        postgres.start()
        yield postgres
        postgres.stop("immediate")


@pytest.fixture(scope="module")
def replica(primary: Postgres) -> Iterator[Process]:
    home = primary.home
    folder = home.directory("replica", home.servers)
    environ = {
        "PATH": f"{primary.bin_dir}:{os.environ['PATH']}",
        "PGDATA": str(folder / "data"),
        "PRIMARY_HOST": ADDRESS,
        "REPLICA_PASSWORD_FILE": str(home.path / "password"),
    }
    script = home.path / "replica.sh"
    script.write_text((SCRIPTS / "replica.sh").read_text())
    script.chmod(0o755)
    options = ["--listen-addresses=", f"--unix-socket-directories={folder}", "--fsync=off", "--shared-buffers=16MB"]
    process = Process(
        ["sh", script, *options],
        log=home.log("replica"),
        cwd=Path("/"),
        environ=environ,
        identity=home.servers,
        death_signal=signal.SIGINT,
    )
    process.start()
    yield process
    process.stop(signal.SIGQUIT)


def ask(postgres: Postgres, statement: str, folder: str = "sockets") -> object:
    """The first value, from the primary, or from the server whose socket is in the folder."""
    host = postgres.home.sockets if folder == "sockets" else postgres.home.path / folder
    with psycopg2.connect(
        host=str(host), user=SUPERUSER, password=postgres.home.secret(SUPERUSER), dbname=DATABASE
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None


def answers(postgres: Postgres) -> bool:
    try:
        return ask(postgres, "SELECT pg_is_in_recovery()", "replica") is True
    except psycopg2.OperationalError:
        return False


def tell(postgres: Postgres, word: str) -> None:
    ask(postgres, f"CREATE TABLE IF NOT EXISTS told (word text); INSERT INTO told VALUES ('{word}')")


def has_heard(postgres: Postgres, word: str) -> bool:
    table = ask(postgres, "SELECT to_regclass('told')", "replica")
    return table is not None and ask(postgres, f"SELECT count(*) FROM told WHERE word = '{word}'", "replica") == 1


def test_a_replica_copies_the_primary_and_follows(primary: Postgres, replica: Process) -> None:
    eventually(lambda: answers(primary))
    tell(primary, "first")
    eventually(lambda: has_heard(primary, "first"))
    assert ask(primary, "SELECT active FROM pg_replication_slots WHERE slot_name = 'replica'")
    assert ask(primary, "SELECT usename FROM pg_stat_replication") == "payments_replica"


def test_a_replica_that_starts_again_goes_on(primary: Postgres, replica: Process) -> None:
    eventually(lambda: answers(primary))
    replica.stop(signal.SIGINT)
    tell(primary, "meanwhile")
    replica.start()
    eventually(lambda: answers(primary) and has_heard(primary, "meanwhile"))


def test_the_role_of_replicas_reads_no_table(primary: Postgres) -> None:
    rights = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = '{}'"
    assert ask(primary, rights.format("payments_replica")) is False
    assert not ask(primary, "SELECT has_table_privilege('payments_replica', 'pg_authid', 'SELECT')")
