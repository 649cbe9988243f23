"""The meaning of database errors: away, contention, or a commit of unknown outcome; each from a real server."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, ProgrammingError

from models import audit, session
from models.prepared_statement import PreparedStatement
from models.session import CommitUnknown, Contention, DatabaseUnavailable, StatementTimeout, open_engine, transaction
from tests.builders import Builder, scalar
from tests.support import Database, eventually


def put_out(engine: Engine, connection: Connection) -> None:
    """End the connection's backend from outside, and wait until it is gone."""
    pid = scalar(connection, "SELECT pg_backend_pid()")
    with engine.connect() as other:
        assert scalar(other, "SELECT pg_terminate_backend(%s, 5000)", pid)


def notes(world: Builder) -> int:
    with world.owner.connect() as connection:
        return scalar(connection, "SELECT count(*) FROM audit_log")


def test_transaction_commits_at_its_end_and_not_on_errors(world):
    with transaction(world.worker) as connection:
        audit.note(connection, audit.Actor("ann"), "look", "books")
    assert notes(world) == 1
    with pytest.raises(LookupError), transaction(world.worker) as connection:
        audit.note(connection, audit.Actor("ann"), "look", "books")
        raise LookupError
    assert notes(world) == 1


def test_missing_server_raises_database_unavailable(database: Database):
    url = make_url(database.worker).update_query_dict({"host": "/nowhere"})
    with pytest.raises(DatabaseUnavailable) as away, transaction(open_engine(url)):
        pytest.fail("connected to nothing")
    assert not isinstance(away.value, CommitUnknown)


def test_server_without_free_connections_raises_database_unavailable(world):
    name = world.owner.url.database
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    with pytest.raises(DatabaseUnavailable), transaction(world.worker):
        pytest.fail("connected to a server without room")


def test_exhausted_pool_raises_database_unavailable(database, monkeypatch):
    monkeypatch.setattr(session, "POOL_SIZE", 2)
    monkeypatch.setattr(session, "POOL_TIMEOUT_SECONDS", 0.05)
    engine = open_engine(database.worker)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(transaction(engine))
        with pytest.raises(DatabaseUnavailable), transaction(engine):
            pytest.fail("got a third connection of two")
    engine.dispose()


def test_connection_lost_before_commit_raises_database_unavailable(world):
    with pytest.raises(DatabaseUnavailable) as away, transaction(world.worker) as connection:
        audit.note(connection, audit.Actor("ann"), "look", "books")
        put_out(world.worker, connection)
        audit.note(connection, audit.Actor("ann"), "look again", "books")
    assert not isinstance(away.value, CommitUnknown)
    assert notes(world) == 0


def test_connection_lost_at_commit_raises_commit_unknown(world):
    with pytest.raises(CommitUnknown), transaction(world.worker) as connection:
        audit.note(connection, audit.Actor("ann"), "look", "books")
        put_out(world.worker, connection)
    assert notes(world) == 0


def test_idle_transaction_ended_by_the_server_is_commit_unknown(world):
    with pytest.raises(CommitUnknown), transaction(world.worker) as connection:
        pid = scalar(connection, "SELECT pg_backend_pid()")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '20ms'")
        with world.owner.execution_options(isolation_level="AUTOCOMMIT").connect() as other:
            backends = "SELECT count(*) FROM pg_stat_get_activity(%s)"
            eventually(lambda: scalar(other, backends, pid) == 0, message="the idle backend was put out")


@pytest.mark.parametrize("idle_seconds", [0.0, math.inf], ids=["idle", "just used"])
def test_pool_replaces_a_connection_that_was_closed(database, monkeypatch, idle_seconds):
    monkeypatch.setattr(session, "IDLE_SECONDS", idle_seconds)
    engine = open_engine(database.worker)
    with transaction(engine) as connection:
        pid = scalar(connection, "SELECT pg_backend_pid()")
    with Builder.of(database).worker.connect() as other:
        assert scalar(other, "SELECT pg_terminate_backend(%s, 5000)", pid)
    with transaction(engine) as connection:
        assert scalar(connection, "SELECT pg_backend_pid()") != pid
    engine.dispose()


LOCK = "SELECT FROM accounts WHERE id = %s FOR NO KEY UPDATE"


def test_lock_timeout_raises_contention(world):
    wallet = world.wallet(world.user())
    with transaction(world.worker) as holder:
        holder.exec_driver_sql(LOCK, (wallet,))
        with pytest.raises(Contention), transaction(world.worker) as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            connection.exec_driver_sql(LOCK, (wallet,))


def test_deadlock_raises_contention_in_one_of_two(world):
    ann = world.user()
    wallets = [world.wallet(ann), world.wallet(ann)]
    both_hold_one = threading.Barrier(2, timeout=60)

    def lock(order: list[str]) -> str:
        try:
            with transaction(world.worker) as connection:
                connection.exec_driver_sql(LOCK, (order[0],))
                both_hold_one.wait()
                connection.exec_driver_sql(LOCK, (order[1],))
        except Contention:
            return "contention"
        return "committed"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(lock, [wallets, wallets[::-1]])) == ["committed", "contention"]


def test_serialization_failure_raises_contention(world):
    wallet = world.wallet(world.user())
    change = "UPDATE accounts SET last_seq = last_seq + 1 WHERE id = %s"
    with pytest.raises(Contention), transaction(world.worker) as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        scalar(connection, "SELECT count(*) FROM accounts")
        with transaction(world.worker) as other:
            other.exec_driver_sql(change, (wallet,))
        connection.exec_driver_sql(change, (wallet,))


def test_other_errors_are_raised_unchanged(world):
    with pytest.raises(ProgrammingError), transaction(world.worker) as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    with pytest.raises(IntegrityError), transaction(world.worker) as connection:
        audit.note(connection, audit.Actor(""), "look", "books")


def test_error_shows_no_parameters(world):
    with pytest.raises(IntegrityError) as error, transaction(world.worker) as connection:
        audit.note(connection, audit.Actor("a secret"), "look" * 100, "books")
    assert "a secret" not in str(error.value).partition("DETAIL")[0]


def test_statement_timeout_raises_statement_timeout(world):
    with pytest.raises(StatementTimeout), transaction(world.worker) as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 20")
        connection.exec_driver_sql("SELECT pg_sleep(10)")


RUNNING = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"


@pytest.mark.parametrize(
    ("request_id", "comment"),
    [
        ("0123456789abcdef", " /* request_id=0123456789abcdef */"),
        ("id*/;DROP", ""),
        ("short", ""),
        (None, ""),
    ],
)
def test_a_statement_names_its_request_and_no_id_ends_the_comment(
    worker: Engine, request_id: str | None, comment: str
) -> None:
    prepared = PreparedStatement("running_now", f"{RUNNING} AND %(one)s = 1")
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        with transaction(worker) as connection:
            assert scalar(connection, RUNNING) == RUNNING + comment
        with transaction(worker) as connection:  # one sees itself as it was when it first looked
            assert prepared.run(connection, one=1).scalar_one() == f"EXECUTE running_now (1){comment}"
