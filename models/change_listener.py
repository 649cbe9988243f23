"""LISTEN connection that learns of transitions of payments and bulks as they are committed."""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy import Connection, NullPool

from models import pg_arrays
from models.session import DatabaseUnavailable, open_engine, statements

VERSIONS = """
SELECT id::text, version FROM payments WHERE id = ANY(%(ids)s::uuid[])
UNION ALL SELECT id::text, version FROM bulks WHERE id = ANY(%(ids)s::uuid[])
"""


class Listener:
    """A connection that is notified of each committed transition; `connection` can read, one statement at a time."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        driver: Any = connection.connection.dbapi_connection
        self._driver = driver
        self._poll = select.poll()  # select.select fails beyond descriptor 1,024
        self._poll.register(driver, select.POLLIN)

    def hear(self, seconds: float) -> list[str]:
        """Ids of payments and bulks that changed, as soon as there are any, or none after `seconds`.

        Notifications received during other statements come first. After a silence it runs a statement, which is the
        only way to notice a frozen or half-open connection; raises DatabaseUnavailable then.
        """
        try:
            if not self._driver.notifies:
                if self._poll.poll(seconds * 1000):
                    self._driver.poll()
                else:
                    self.connection.exec_driver_sql("SELECT 1")
        except psycopg2.Error as error:
            self.connection.invalidate()
            raise DatabaseUnavailable from error
        notices, self._driver.notifies[:] = list(self._driver.notifies), []
        return [id for notice in notices for id in notice.payload.split(",")]


@contextmanager
def listening(url: str) -> Iterator[Listener]:
    """Open a dedicated connection as the role of the URL; raises DatabaseUnavailable when it breaks."""
    with statements(open_engine(url, NullPool, "payments-waits")) as connection:
        connection.exec_driver_sql("LISTEN transitions")
        yield Listener(connection)


def versions(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Current version of each of the payments and bulks, in one statement."""
    rows = connection.exec_driver_sql(VERSIONS, {"ids": pg_arrays.plain(ids)})
    return {row[0]: row[1] for row in rows}
