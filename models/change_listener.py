"""Hearing of transitions: a line to the database on which whoever waits for payments and bulks is woken and reads."""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy import Connection, NullPool

from models import pg_arrays
from models.session import DatabaseAway, open_engine, statements

VERSIONS = """
SELECT id::text, version FROM payments WHERE id = ANY(%(ids)s::uuid[])
UNION ALL SELECT id::text, version FROM bulks WHERE id = ANY(%(ids)s::uuid[])
"""


class Listener:
    """A line that hears of each transition once it is committed; `connection` reads as well, each statement alone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        driver: Any = connection.connection.dbapi_connection
        self._driver = driver
        self._sight = select.poll()  # select.select sees no further than the 1,024th line of a process
        self._sight.register(driver, select.POLLIN)

    def hear(self, seconds: float) -> list[str]:
        """Ids of payments and bulks that moved on, as soon as there are any, at the latest after so many seconds.

        What was heard amid other statements comes first. Raises DatabaseAway, after a silence asked by a statement:
        of a line that is frozen or half open nothing else is heard.
        """
        try:
            if not self._driver.notifies:
                if self._sight.poll(seconds * 1000):
                    self._driver.poll()
                else:
                    self.connection.exec_driver_sql("SELECT 1")
        except psycopg2.Error as error:
            self.connection.invalidate()
            raise DatabaseAway from error
        heard, self._driver.notifies[:] = list(self._driver.notifies), []
        return [id for notice in heard for id in notice.payload.split(",")]


@contextmanager
def listening(url: str) -> Iterator[Listener]:
    """A line of its own to the database, as the role of the URL; raises DatabaseAway when it breaks."""
    with statements(open_engine(url, NullPool, "payments-waits")) as connection:
        connection.exec_driver_sql("LISTEN transitions")
        yield Listener(connection)


def versions(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The version of each of the payments and bulks, in one statement."""
    rows = connection.exec_driver_sql(VERSIONS, {"ids": pg_arrays.plain(ids)})
    return {row[0]: row[1] for row in rows}
