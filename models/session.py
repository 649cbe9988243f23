"""Transactions: the only place that commits, and the one that says what a database error means."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, Engine, Pool, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from models import client_timeout
from models.sqlstate import Meaning, meaning

POOL_SIZE = 8
"""Connections a process keeps; its requests share flushes, so few are ever used at once."""

POOL_TIMEOUT_SECONDS = 2
"""Rather a 503 than a queue: a connection not had by then is a database that is away."""

IDLE_SECONDS = 1.0
"""A connection unused for longer is asked whether it still lives."""


class DatabaseAway(Exception):
    """The database cannot be reached, is starting, has no room, or does not write: try again later, nothing was
    decided.
    """


class CommitUnknown(DatabaseAway):
    """The line was lost at COMMIT: it may have happened. Read the rows again before anything is retried."""


class StatementTimeout(Exception):
    """A statement took longer than its role may; it was canceled, and nothing was decided."""


class NoPartition(Exception):
    """The month of an id has no partition: partitions were not made ahead, or the clock that made the id is far off."""


class WrongClock(NoPartition):
    """The id of a payment is more than a day off the database's clock: that of the process that made it is wrong."""


class Contention(Exception):
    """A lock was not had in time, or a deadlock or serialization failure was resolved against us: retry."""


def open_engine(url: str, poolclass: type[Pool] = QueuePool, application: str = "payments") -> Engine:
    """An engine for one role; opened in each process after it forked."""
    sizes = {"pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": POOL_TIMEOUT_SECONDS}
    engine = create_engine(
        url,
        poolclass=poolclass,
        hide_parameters=True,
        connect_args={**client_timeout.NETWORK, "application_name": application},
        **(sizes if poolclass is QueuePool else {}),
    )
    event.listen(engine, "handle_error", _drop_useless)
    event.listen(engine, "checkin", _note_return)
    event.listen(engine, "checkout", partial(_ping_if_idle, engine.dialect))
    return engine


def _set_autocommit(connection: Connection, value: bool) -> None:
    """Each block says how it wants the line, by psycopg2's own switch: SQLAlchemy's costs a trip at every return."""
    connection.connection.dbapi_connection.autocommit = value  # type: ignore[union-attr]


def _note_return(_line: object, record: ConnectionPoolEntry) -> None:
    record.info["returned_at"] = time.monotonic()


def _ping_if_idle(dialect: Dialect, line: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """What lay idle may be dead, and is replaced unseen; what was just used is not asked: a ping costs a trip."""
    if time.monotonic() - record.info.get("returned_at", math.inf) > IDLE_SECONDS:
        try:
            with client_timeout.at_most(client_timeout.PING_SECONDS_MAX):
                dialect.do_ping(line)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back if it raises.

    Raises DatabaseAway, CommitUnknown, Contention, Overdue or NoPartition in place of the driver's errors that mean
    these.
    """
    with _named(DatabaseAway), engine.connect() as connection:
        _set_autocommit(connection, False)
        yield connection
        with _named(CommitUnknown):
            connection.commit()


@contextmanager
def statements(engine: Engine) -> Iterator[Connection]:
    """Statements that are each a transaction of their own, without the trips to begin and commit it.

    For reads, and for a write that is one statement. Raises as `transaction` does; whatever statement the line is
    lost at, it is CommitUnknown: it may have happened.
    """
    with _named(DatabaseAway), engine.connect() as connection:
        _set_autocommit(connection, True)
        with _named(CommitUnknown):
            yield connection


def require_writable(connection: Connection) -> None:
    """Raise, as a write would, where the database only reads: DatabaseAway outside, and the pool is made again."""
    connection.exec_driver_sql(REQUIRE_WRITABLE)


REQUIRE_WRITABLE = """
DO $$ BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'this database only reads' USING ERRCODE = 'read_only_sql_transaction';
    END IF;
END $$
"""


@contextmanager
def _named(lost: type[DatabaseAway]) -> Iterator[None]:
    """Name the driver's errors; `lost` is what it means here that the connection broke."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseAway from error
    except DBAPIError as error:
        found = meaning(error.orig)
        if error.connection_invalidated and found is not Meaning.READ_ONLY:
            found = Meaning.LOST
        if found is Meaning.FAULT:
            raise
        raise {**NAMES, Meaning.LOST: lost}[found] from error


NAMES: dict[Meaning, type[Exception]] = {
    Meaning.AWAY: DatabaseAway,
    Meaning.READ_ONLY: DatabaseAway,
    Meaning.CONTENTION: Contention,
    Meaning.OVERDUE: StatementTimeout,
    Meaning.NO_PARTITION: NoPartition,
    Meaning.WRONG_CLOCK: WrongClock,
}
"""Meanings that are the same wherever they are met."""


def _drop_useless(context: ExceptionContext) -> None:
    """Have the pool's connections made again: after a failover they lead to a server that writes no more."""
    if meaning(context.original_exception) in (Meaning.LOST, Meaning.READ_ONLY):
        context.is_disconnect = True
