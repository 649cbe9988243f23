"""Transactions: the only place that commits, and the one that says what a database error means."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, Engine, Pool, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

POOL_SIZE = 8
"""Connections a process keeps; its requests share flushes, so few are ever used at once."""

POOL_TIMEOUT_SECONDS = 2
"""Rather a 503 than a queue: a connection not had by then is a database that is away."""

CONNECT_TIMEOUT_SECONDS = 3

IDLE_SECONDS = 1.0
"""A connection unused for longer is asked whether it still lives."""


class DatabaseAway(Exception):
    """The database cannot be reached, is starting, or has no room: try again later, nothing was decided."""


class CommitUnknown(DatabaseAway):
    """The line was lost at COMMIT: it may have happened. Read the rows again before anything is retried."""


class Overdue(Exception):
    """A statement took longer than its role may; it was canceled, and nothing was decided."""


class Contention(Exception):
    """A lock was not had in time, or a deadlock or serialization failure was resolved against us: retry."""


def open_engine(url: str, poolclass: type[Pool] = QueuePool, application: str = "payments") -> Engine:
    """An engine for one role; opened in each process after it forked."""
    sizes = {"pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": POOL_TIMEOUT_SECONDS}
    engine = create_engine(
        url,
        poolclass=poolclass,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": application},
        **(sizes if poolclass is QueuePool else {}),
    )
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
            dialect.do_ping(line)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back if it raises.

    Raises DatabaseAway, CommitUnknown, Contention or Overdue in place of the driver's errors that mean these.
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


@contextmanager
def _named(lost: type[DatabaseAway]) -> Iterator[None]:
    """Name the driver's errors; `lost` is what it means here that the line broke."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseAway from error
    except DBAPIError as error:
        if _is_away(error):
            raise lost from error
        if sqlstate(error) in CONTENTION_STATES:
            raise Contention from error
        if sqlstate(error) == QUERY_CANCELED:
            raise Overdue from error
        raise


QUERY_CANCELED = "57014"

CONTENTION_STATES = {"55P03", "40P01", "40001"}
"""lock_not_available, deadlock_detected, serialization_failure."""

AWAY_STATES = ("08", "53", "57P", "25P03")
"""Beginnings of SQLSTATEs: connection lost, no resources, operator intervention, idle in transaction too long."""


def sqlstate(error: DBAPIError) -> str:
    """The five-letter code of PostgreSQL; empty when the line broke before one was received."""
    return getattr(error.orig, "pgcode", None) or ""


def _is_away(error: DBAPIError) -> bool:
    state = sqlstate(error)
    lost = error.connection_invalidated or (not state and isinstance(error, OperationalError | InterfaceError))
    return lost or state.startswith(AWAY_STATES)
