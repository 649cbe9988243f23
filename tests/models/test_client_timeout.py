"""A database that is mute at connecting, at a statement or at COMMIT is away after a while, also over a Unix socket."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import get_wait_callback
from sqlalchemy import make_url

from embedded.home import CHECKOUT
from models import audit, client_timeout, session
from models.audit import Actor
from models.session import CommitUnknown, DatabaseUnavailable, open_engine, statements, transaction
from tests.lossy_postgres_proxy import COMMIT, SOCKET_NAME, Line
from tests.support import Database

MUTE_SECONDS = 1.0


@pytest.fixture
def line(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    for name in ("STATEMENT_SECONDS_MAX", "CONNECT_SECONDS_MAX", "PING_SECONDS_MAX"):
        monkeypatch.setattr(client_timeout, name, MUTE_SECONDS)
    line = Line(tmp_path, Path(make_url(database.worker).query["host"]) / SOCKET_NAME)
    with client_timeout.installed(), client_timeout.at_most(MUTE_SECONDS):
        yield line
    line.close()


@pytest.fixture
def url(database: Database, line: Line) -> str:
    """The worker's, through the line."""
    url = make_url(database.worker).update_query_dict({"host": str(line.directory)})
    return url.render_as_string(hide_password=False)


def test_mute_server_at_connecting_raises_database_unavailable(url: str, line: Line) -> None:
    line.is_mute = True
    with pytest.raises(DatabaseUnavailable) as away, transaction(open_engine(url)):
        pytest.fail("connected to a mute server")
    assert not isinstance(away.value, CommitUnknown)
    assert f"no answer from the database within {MUTE_SECONDS:g} s" in str(away.value.__cause__)


def test_mute_server_at_a_statement_raises_until_it_recovers(url: str, line: Line) -> None:
    engine = open_engine(url)
    with pytest.raises(DatabaseUnavailable) as away, transaction(engine) as connection:
        line.is_mute = True
        audit.note(connection, Actor("ann"), "look", "books")
    assert not isinstance(away.value, CommitUnknown)
    line.is_mute = False
    with transaction(engine) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_mute_server_at_autocommit_raises_commit_unknown(url: str, line: Line) -> None:
    line.mute_at = b"SELECT 42"
    with pytest.raises(CommitUnknown), statements(open_engine(url)) as connection:
        connection.exec_driver_sql("SELECT 42")


def test_mute_server_at_commit_raises_commit_unknown(url: str, line: Line) -> None:
    line.mute_at = COMMIT
    with pytest.raises(CommitUnknown), transaction(open_engine(url)) as connection:
        audit.note(connection, Actor("ann"), "look", "books")


def test_idle_connection_that_went_mute_is_replaced(url: str, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ping is not answered, nor is the new connection: away, sooner than a statement would be."""
    monkeypatch.setattr(session, "IDLE_SECONDS", 0.0)
    engine = open_engine(url)
    with transaction(engine) as connection:
        connection.exec_driver_sql("SELECT 1")
    line.is_mute = True
    with pytest.raises(DatabaseUnavailable), transaction(engine):
        pytest.fail("a mute connection was handed out")


def test_whole_pool_is_replaced_after_one_mute_connection(url: str, line: Line) -> None:
    """Each would be waited for otherwise, one after the other."""
    engine = open_engine(url)
    with transaction(engine) as first, transaction(engine) as second:
        numbers = [connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for connection in (first, second)]
    line.mute_at = b"SELECT 42"
    with pytest.raises(DatabaseUnavailable), transaction(engine) as connection:
        connection.exec_driver_sql("SELECT 42")
    line.mute_at, line.is_mute = None, False
    with transaction(engine) as first, transaction(engine) as second:
        assert not {
            connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for connection in (first, second)
        } & {*numbers}


def test_large_requests_and_answers_pass(url: str) -> None:
    with client_timeout.at_most(60), transaction(open_engine(url)) as connection:
        text = "x" * 3_000_000
        rows = connection.exec_driver_sql("SELECT %s::text, i FROM generate_series(1, 5) i", (text,)).all()
    assert [len(row[0]) for row in rows] == [len(text)] * 5


def test_longer_timeout_bounds_a_long_statement(url: str) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable), transaction(open_engine(url)) as connection:
        connection.exec_driver_sql("SELECT pg_sleep(60)")
    assert time.monotonic() - began < 60


def test_client_timeout_is_longer_than_the_statement_timeout(database: Database) -> None:
    """Else what the server would have canceled by itself would be of unknown outcome."""
    for url in (database.worker, database.gateway):
        with transaction(open_engine(url)) as connection:
            limit = "SELECT setting::int / 1000.0 FROM pg_settings WHERE name = 'statement_timeout'"
            assert connection.exec_driver_sql(limit).scalar_one() + 2 == client_timeout.STATEMENT_SECONDS_MAX


def test_tcp_keepalive_is_set(database: Database) -> None:
    with transaction(open_engine(database.worker)) as connection:
        parameters = connection.connection.dbapi_connection.get_dsn_parameters()  # type: ignore[union-attr]
    assert {name: int(parameters[name]) for name in client_timeout.NETWORK} == client_timeout.NETWORK


INSTALLED = """
import psycopg2.extensions
import {module}
{install}
assert psycopg2.extensions.get_wait_callback() is not None
"""


@pytest.mark.parametrize(
    ("module", "install"),
    [
        ("workers.signals", "workers.signals.worker_init.send(sender=None)"),
        ("workers.process", "workers.process.bound_statements()"),
        ("gateway.gunicorn_conf", "gateway.gunicorn_conf.post_fork(None, None)"),
    ],
)
def test_each_process_has_a_client_timeout(module: str, install: str, database: Database) -> None:
    if module == "workers.signals":
        install = "import workers.process; workers.process.preflight = lambda **_: None; " + install
    code = INSTALLED.format(module=module, install=install)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_commands_have_a_timeout_and_restore_the_old_one() -> None:
    before = get_wait_callback()
    with client_timeout.installed():
        assert get_wait_callback() is not before
    assert get_wait_callback() is before
