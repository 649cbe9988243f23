"""Plans of statements as they are run, for the tests of plans."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2 import extensions

from bench.plans import Scan, scans
from models.payment_search import BY_ROWS
from models.session import Connection, RequestCursor

READS = ("SELECT", "WITH", "EXECUTE", BY_ROWS)
"""What statements begin with that only read, if no order is accepted."""


def nodes_of(connection: Connection, statement: str, parameters: Any) -> list[dict[str, Any]]:
    """The nodes of the statement's plan that were executed."""
    plan = _plan(connection.exec_driver_sql(_explaining(statement), parameters).scalar_one())
    if statement.startswith(BY_ROWS):  # the next statement may be one of another transaction
        connection.exec_driver_sql("RESET seq_page_cost; RESET random_page_cost")
    return [node for node in _nodes(plan) if node["Actual Loops"]]


def rows_read(node: dict[str, Any]) -> int:
    """The rows that a scan looked at."""
    return round(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))


@contextmanager
def explained() -> Iterator[list[Scan]]:
    """The scans of all statements of this process that read, each explained where it is run."""
    found: list[Scan] = []
    execute = RequestCursor.execute

    def explaining(cursor: RequestCursor, query: str, vars: Any = None) -> None:
        if query.lstrip().startswith(READS):
            with cursor.connection.cursor(cursor_factory=extensions.cursor) as other:
                other.execute(_explaining(query.lstrip()), vars)
                found.extend(scans(_plan(other.fetchone()[0])))
        execute(cursor, query, vars)

    RequestCursor.execute = explaining  # type: ignore[method-assign]
    try:
        yield found
    finally:
        RequestCursor.execute = execute  # type: ignore[method-assign]


def _explaining(statement: str) -> str:
    begins = BY_ROWS if statement.startswith(BY_ROWS) else ""
    return f"{begins}EXPLAIN (ANALYZE, FORMAT JSON) {statement.removeprefix(begins)}"


def _plan(answer: Any) -> dict[str, Any]:
    plan: dict[str, Any] = (answer if isinstance(answer, list) else json.loads(answer))[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)
