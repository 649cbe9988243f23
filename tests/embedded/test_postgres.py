"""The embedded PostgreSQL: durable, private, and up again after whatever ended it."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from embedded import home as homes
from embedded.home import Home, StackError
from embedded.postgres import SUPERUSER, Postgres
from tests.support import memory


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with homes.temporary() as home:
        server = Postgres(home)
        server.start()
        yield server
        server.stop()


def ask(server: Postgres, question: str, **url: str) -> list:
    with create_engine(server.url(**url), poolclass=NullPool).begin() as connection:
        result = connection.execute(text(question))
        return list(result) if result.returns_rows else []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C.UTF-8"),
    ],
)
def test_settings_that_promises_rest_on(server: Postgres, setting: str, value: str):
    found = ask(server, f"SELECT setting FROM pg_settings WHERE name = '{setting}'")
    if setting == "lc_collate":
        found = ask(server, "SELECT datcollate FROM pg_database WHERE datname = current_database()")
    assert found == [(value,)]


def test_the_owner_is_no_superuser_and_owns_the_database(server: Postgres):
    assert ask(server, "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user") == [(False, True)]
    assert ask(server, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'payments'") == [
        ("payments_owner",)
    ]
    with pytest.raises(ProgrammingError, match="permission denied"):
        ask(server, "COPY (SELECT 1) TO PROGRAM 'true'")


def test_every_role_needs_its_own_password(server: Postgres):
    owners = make_url(server.url()).password
    with pytest.raises(OperationalError, match="password authentication failed"):
        ask(server, "SELECT 1", role=SUPERUSER, password=owners)
    assert ask(server, "SELECT current_user::text", role=SUPERUSER) == [("postgres",)]


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_server_databases_admit_only_the_superuser(server: Postgres, database: str):
    with pytest.raises(OperationalError, match="permission denied for database"):
        ask(server, "SELECT 1", database=database)
    rights = "has_database_privilege('public', datname, 'CONNECT'), has_database_privilege('public', datname, 'TEMP')"
    assert ask(server, f"SELECT {rights} FROM pg_database WHERE datname = '{database}'") == [(False, False)]


@pytest.mark.parametrize("end", ["fast", "immediate", "kill"])
def test_what_was_committed_is_there_after_a_restart(server: Postgres, end: str):
    ask(server, f"CREATE TABLE kept_{end} AS SELECT 42 AS answer")
    server.kill() if end == "kill" else server.stop(end)
    assert not server.is_alive
    server.start()
    assert ask(server, f"SELECT answer FROM kept_{end}") == [(42,)]


def test_a_pid_file_that_names_another_program_is_no_obstacle(server: Postgres):
    server.stop("fast")
    stale = f"{os.getpid()}\n{server.data}\n1700000000\n5432\n{server.home.sockets}\n\n"
    for file in (server.data / "postmaster.pid", server.home.sockets / ".s.PGSQL.5432.lock"):
        file.write_text(stale)
    server.start()
    assert ask(server, "SELECT 1") == [(1,)]


def test_a_second_server_does_not_enter_the_same_data(server: Postgres, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("embedded.postgres.LEAVE_SECONDS_MAX", 0.1)
    with pytest.raises(StackError, match=f"still in use by process {server.pid}"):
        Postgres(server.home).start()
    assert ask(server, "SELECT 1") == [(1,)]


def test_a_cluster_left_half_made_is_made_anew():
    with homes.temporary() as home:
        (home.path / "postgres.half").mkdir()
        (home.path / "postgres.half" / "PG_VERSION").write_text("17\n")
        server = Postgres(home, durable=False)
        server.start()
        try:
            assert ask(server, "SELECT 1") == [(1,)]
        finally:
            server.stop("immediate")


def test_a_server_that_cannot_start_says_why():
    with homes.temporary() as home:
        server = Postgres(home, durable=False, options={"shared_buffers": "a lot"})
        with pytest.raises(StackError, match='invalid value for parameter "shared_buffers"'):
            server.start()


def test_sockets_lie_elsewhere_when_their_path_would_be_too_long():
    with homes.temporary() as short:
        deep = short.path / ("d" * 100)
        deep.mkdir(mode=0o711)
        home = Home.at(deep)
        server = Postgres(home, durable=False)
        server.start()
        try:
            assert deep not in home.sockets.parents
            assert server.data.parent == deep
            assert ask(server, "SELECT 1") == [(1,)]
        finally:
            server.stop("immediate")
            home.sockets.rmdir()
            home.sockets.parent.rmdir()


def test_new_database_has_the_owner_and_copies_its_template(server: Postgres):
    first = server.create_database("first")
    with create_engine(first, poolclass=NullPool).begin() as connection:
        connection.execute(text("CREATE TABLE copied AS SELECT 7 AS number"))
    server.create_database("second", "first")
    assert ask(server, "SELECT number FROM copied", database="second") == [(7,)]
    server.drop_database("second")
    with pytest.raises(OperationalError, match='"second" does not exist'):
        ask(server, "SELECT 1", database="second")


def test_it_does_not_listen_on_tcp(server: Postgres):
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host="127.0.0.1", user=SUPERUSER, password=server.home.secret(SUPERUSER))


def test_libpq_variables_do_not_reach_server_or_clients(monkeypatch: pytest.MonkeyPatch):
    others = {
        "PGHOST": "/nowhere", "PGHOSTADDR": "192.0.2.1", "PGPORT": "5999", "PGUSER": "me", "PGPASSWORD": "x",
        "PGDATABASE": "mine", "PGOPTIONS": "-c search_path=elsewhere", "PGSERVICE": "none", "PGSSLMODE": "verify-full",
        "PGTZ": "Asia/Tokyo", "PGDATA": "/nowhere", "PGCLIENTENCODING": "LATIN1", "PGTARGETSESSIONATTRS": "read-only",
    }  # fmt: skip
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    with homes.temporary(memory() or homes.SHARED) as home:
        server = Postgres(home, durable=False)
        server.start()
        try:
            environ = Path(f"/proc/{server.pid}/environ").read_text()
            assert [name for name in others if f"{name}=" in environ] == []
            with create_engine(server.url(), poolclass=NullPool).connect() as connection:
                assert connection.exec_driver_sql("SHOW search_path").scalar_one() == '"$user", public'
        finally:
            server.stop("immediate")
