"""Transactions: the only module that commits, and that translates database errors."""

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import structlog
from psycopg2 import extensions
from sqlalchemy import Connection, Engine, Pool, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from models import client_timeout
from models.sqlstate import Meaning, meaning

POOL_SIZE = 8
"""Connections per process; requests share commits, so few are used at once."""

POOL_TIMEOUT_SECONDS = 2
"""A 503 is better than a queue: without a connection by then the database counts as unavailable."""

IDLE_SECONDS = 1.0
"""A connection unused for longer is pinged before use."""


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is starting, is out of resources, or is read-only: retry later, nothing was
    decided.
    """


class CommitUnknown(DatabaseUnavailable):
    """The connection was lost at COMMIT, which may have happened: read the rows again before retrying anything."""


class StatementTimeout(Exception):
    """A statement took longer than its role may; it was canceled, and nothing was decided."""


class NoPartition(Exception):
    """The month of an id has no partition: none was created ahead, or the clock that made the id is far off."""


class WrongClock(NoPartition):
    """The id of a payment is more than a day off the database's clock: that of the process that made it is wrong."""


class Contention(Exception):
    """A lock timed out, or this transaction was aborted by a deadlock or serialization failure: retry."""


KEEPS_PLANS = "keeps_plans"
"""Of a connection's info: False if its statements must not be prepared."""


def open_engine(
    url: str,
    poolclass: type[Pool] = QueuePool,
    application: str = "payments",
    *,
    keeps_plans: bool = True,
    is_read_only: bool = False,
    pool_timeout: float = POOL_TIMEOUT_SECONDS,
) -> Engine:
    """Create an engine for one role; call it in each process after the fork.

    Without `keeps_plans` nothing of a transaction is left in the session, so that a pooler may give each transaction
    another one. With `is_read_only` each transaction is.
    """
    sizes = {"pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": pool_timeout}
    engine = create_engine(
        url,
        poolclass=poolclass,
        hide_parameters=True,
        connect_args={
            **client_timeout.NETWORK,
            "application_name": application,
            "cursor_factory": RequestCursor,
        },
        **(sizes if poolclass is QueuePool else {}),
    )
    event.listen(engine, "connect", _read_integers)
    if not keeps_plans:
        event.listen(engine, "connect", _keep_no_plans)
    if is_read_only:
        event.listen(engine, "connect", _only_read)
    event.listen(engine, "handle_error", _drop_useless)
    event.listen(engine, "checkin", _note_return)
    event.listen(engine, "checkout", partial(_replace_if_dead, engine.dialect))
    return engine


def _integer(text: str | None, cursor: object) -> object:
    try:
        return None if text is None else int(text)
    except ValueError:
        return extensions.DECIMAL(text, cursor)


NUMERIC = extensions.new_type((1700,), "NUMERIC", _integer)
"""Amounts are whole numbers of minor units: they come from the database as int, not as Decimal."""


def _read_integers(connection: DBAPIConnection, _record: object) -> None:
    extensions.register_type(NUMERIC, connection)


def _keep_no_plans(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    record.info[KEEPS_PLANS] = False


def _only_read(connection: DBAPIConnection, _record: object) -> None:
    connection.readonly = True


class RequestCursor(extensions.cursor):
    """Adds the id of the request to each statement as a comment, so that PostgreSQL's own views and logs show it."""

    def execute(self, query: str, vars: Any = None) -> None:
        """Execute the statement; an event of SQLAlchemy that did the same would make all its others slower, too."""
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id is not None and _REQUEST_ID.fullmatch(request_id):
            query = f"{query} /* request_id={request_id} */"
        super().execute(query, vars)


_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,64}", re.ASCII)
"""Ids that cannot end a comment: a message of the broker may hold others."""


def _set_autocommit(connection: Connection, value: bool) -> None:
    """Set autocommit by psycopg2's own switch: SQLAlchemy's costs a round trip at every return to the pool."""
    connection.connection.dbapi_connection.autocommit = value  # type: ignore[union-attr]


def _note_return(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["returned_at"] = time.monotonic()


def _replace_if_dead(dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Replace a connection that the server has closed; one just used is not pinged, to save a round trip."""
    driver: Any = connection
    try:
        driver.poll()  # reads, without waiting, what the server said last
        driver.poll()  # raises if it has closed the connection
        if time.monotonic() - record.info.get("returned_at", math.inf) > IDLE_SECONDS:
            with client_timeout.at_most(client_timeout.PING_SECONDS_MAX):
                dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back if it raises.

    Instead of the driver's errors it raises DatabaseUnavailable, CommitUnknown, Contention, StatementTimeout or
    NoPartition.
    """
    with _named(DatabaseUnavailable), engine.connect() as connection:
        _set_autocommit(connection, False)
        yield connection
        with _named(CommitUnknown):
            connection.commit()


class _Undone(Exception):
    """Ends a transaction without its commit."""


@contextmanager
def tried(engine: Engine, *, dry_run: bool) -> Iterator[Connection]:
    """A transaction that is committed, or of a dry run undone; the refusals of both are the same."""
    with suppress(_Undone), transaction(engine) as connection:
        yield connection
        if dry_run:
            raise _Undone


@contextmanager
def statements(engine: Engine) -> Iterator[Connection]:
    """Statements that are each their own transaction, without the round trips to begin and commit it.

    For reads, and for a write that is one statement. Raises as `transaction` does; a connection lost at any statement
    is CommitUnknown: it may have happened.
    """
    with _named(DatabaseUnavailable), engine.connect() as connection:
        _set_autocommit(connection, True)
        with _named(CommitUnknown):
            yield connection


def begin_again(connection: Connection) -> None:
    """End a transaction that has only read, and begin another one, whose first statement comes next."""
    connection.commit()


def driver_cursor(connection: Connection) -> Any:
    """A cursor of the driver; like each statement of SQLAlchemy it begins the transaction, if none has begun."""
    driver: Any = connection.connection.dbapi_connection
    if not driver.autocommit and not connection.in_transaction():
        connection.begin()
    return driver.cursor()


def require_writable(connection: Connection) -> None:
    """Raises DatabaseUnavailable if the database is read-only, as a write would, and renews the pool."""
    connection.exec_driver_sql(REQUIRE_WRITABLE)


REQUIRE_WRITABLE = """
DO $$ BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'this database only reads' USING ERRCODE = 'read_only_sql_transaction';
    END IF;
END $$
"""


@contextmanager
def _named(lost: type[DatabaseUnavailable]) -> Iterator[None]:
    """Translate the driver's errors; `lost` is the exception for a broken connection here."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        cause = meaning(error.orig)
        if error.connection_invalidated and cause is not Meaning.READ_ONLY:
            cause = Meaning.LOST
        if cause is Meaning.FAULT:
            raise
        raise {**EXCEPTIONS, Meaning.LOST: lost}[cause] from error


EXCEPTIONS: dict[Meaning, type[Exception]] = {
    Meaning.UNAVAILABLE: DatabaseUnavailable,
    Meaning.READ_ONLY: DatabaseUnavailable,
    Meaning.CONTENTION: Contention,
    Meaning.OVERDUE: StatementTimeout,
    Meaning.NO_PARTITION: NoPartition,
    Meaning.WRONG_CLOCK: WrongClock,
}
"""Exceptions for the meanings that are the same everywhere."""


def _drop_useless(context: ExceptionContext) -> None:
    """Renew the pool's connections: after a failover they lead to a server that is read-only."""
    if meaning(context.original_exception) in (Meaning.LOST, Meaning.READ_ONLY):
        context.is_disconnect = True
