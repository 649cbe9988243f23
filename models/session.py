"""Transactions: the only place that commits, and the one that says what a database error means."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Pool, QueuePool, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

POOL_SIZE = 8
"""Connections a process keeps; its requests share flushes, so few are ever used at once."""

POOL_TIMEOUT_SECONDS = 2
"""Rather a 503 than a queue: a connection not had by then is a database that is away."""

CONNECT_TIMEOUT_SECONDS = 3


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
    return create_engine(
        url,
        poolclass=poolclass,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": application},
        **(sizes if poolclass is QueuePool else {}),
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back if it raises.

    Raises DatabaseAway, CommitUnknown, Contention or Overdue in place of the driver's errors that mean these.
    """
    try:
        with engine.connect() as connection:
            yield connection
            try:
                connection.commit()
            except DBAPIError as error:
                if _is_away(error):
                    raise CommitUnknown from error
                raise
    except PoolTimeout as error:
        raise DatabaseAway from error
    except DBAPIError as error:
        if _is_away(error):
            raise DatabaseAway from error
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
