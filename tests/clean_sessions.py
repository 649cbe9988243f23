"""Sessions as a pooler in transaction mode gives them: nothing of an earlier transaction is left in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, cursor

from models.session import RequestCursor

NEEDS_SESSION = ("PREPARE", "EXECUTE", "LISTEN", "DISCARD", "DEALLOCATE", "SET ROLE", "SET SESSION")
"""How statements begin that leave something in a session, or find it there."""


@contextmanager
def clean_sessions() -> Iterator[list[str]]:
    """Discard all that a session knows before each transaction of this process; the statements that ran."""
    execute = RequestCursor.execute
    ran: list[str] = []

    def discarding(own: RequestCursor, query: str, vars: Any = None) -> None:
        assert not query.lstrip().upper().startswith(NEEDS_SESSION), query
        driver = own.connection
        if driver.info.transaction_status == TRANSACTION_STATUS_IDLE:
            before, driver.autocommit = driver.autocommit, True
            with driver.cursor(cursor_factory=cursor) as other:
                other.execute("DISCARD ALL")
            driver.autocommit = before
        ran.append(query)
        execute(own, query, vars)

    RequestCursor.execute = discarding  # type: ignore[method-assign]
    try:
        yield ran
    finally:
        RequestCursor.execute = execute  # type: ignore[method-assign]
