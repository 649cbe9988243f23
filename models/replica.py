"""A streaming replica: how far it has replayed what the primary wrote, and transactions that read there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine, NullPool, make_url
from sqlalchemy.exc import DBAPIError

from models import client_timeout
from models.prepared_statement import PreparedStatement
from models.session import Contention, DatabaseUnavailable, StatementTimeout, open_engine, transaction

CHECK_SECONDS_MAX = 1.0
"""A replica that is silent for longer counts as away."""

POLL_SECONDS = 0.01

WRITTEN = PreparedStatement("wal_written", "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")

REPLAYED = PreparedStatement(
    "wal_replayed", "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END"
)

SAME = "SELECT system_identifier FROM pg_control_system()"


class ReplicaUnusable(Exception):
    """The replica cannot answer; `reason` is a word for the metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def written(connection: Connection) -> int:
    """The primary's position in its log, in bytes: all that was committed before is below it."""
    return WRITTEN.run(connection).scalar_one()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction on the replica, read-only as its engine is.

    Raises ReplicaUnusable instead of an error of the database, with which the primary may have no trouble: `away`, or
    `failed`, such as by a conflict with what is replayed. A statement that takes too long is StatementTimeout.
    """
    try:
        with transaction(engine) as connection:
            yield connection
    except DatabaseUnavailable as error:
        raise ReplicaUnusable("away") from error
    except (Contention, DBAPIError) as error:
        raise ReplicaUnusable("failed") from error


def replayed(connection: Connection) -> int:
    """The replica's position in the log; raises ReplicaUnusable if it has become a primary."""
    with client_timeout.at_most(CHECK_SECONDS_MAX):
        position: int | None = REPLAYED.run(connection).scalar_one()
    if position is None:
        raise ReplicaUnusable("promoted")
    return position


def wait_until_replayed(connection: Connection, position: int, seconds: float) -> int:
    """The replica's position once it has reached this one, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while (reached := replayed(connection)) < position and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return reached


class ReplicaState(NamedTuple):
    """What a look at the replica showed: `ok`, `behind`, `away`, `promoted`, `failed`, or `other` for a server that is
    no copy of this primary; and the bytes that it has not replayed, with their age in seconds, None if unknown.
    """

    name: str
    state: str
    bytes_behind: int | None = None
    lag_seconds: float | None = None

    @property
    def fault(self) -> str:
        """Why it is not read from; empty if it is."""
        return "" if self.state == "ok" else f"{self.name}: {self.state}"


def name_of(url: str | URL) -> str:
    """Host and port of a server."""
    parsed = make_url(url)
    return f"{parsed.host or parsed.query.get('host') or 'localhost'}:{parsed.port or parsed.query.get('port') or 5432}"


def look(primary: Connection, url: str, seconds: float) -> ReplicaState:
    """Look at the replica, which has so many seconds to replay what the primary has written by now."""
    name, position = name_of(url), written(primary)
    try:
        engine = open_engine(url, NullPool, "payments-replica", keeps_plans=False, is_read_only=True)
        with reading(engine) as connection:
            if connection.exec_driver_sql(SAME).scalar_one() != primary.exec_driver_sql(SAME).scalar_one():
                return ReplicaState(name, "other")
            began = time.monotonic()
            left = position - wait_until_replayed(connection, position, seconds)
            took = time.monotonic() - began
    except ReplicaUnusable as error:
        return ReplicaState(name, error.reason)
    except StatementTimeout:
        return ReplicaState(name, "away")
    return ReplicaState(name, "behind", left) if left > 0 else ReplicaState(name, "ok", 0, took)
