"""Plans of statements as they were run, for the tests of plans."""

import json
from collections.abc import Iterator
from typing import Any

from models.payment_search import BY_ROWS
from models.session import Connection


def nodes_of(connection: Connection, statement: str, parameters: Any) -> list[dict[str, Any]]:
    """The nodes of the statement's plan that were executed."""
    begins = BY_ROWS if statement.startswith(BY_ROWS) else ""
    explained = f"{begins}EXPLAIN (ANALYZE, FORMAT JSON) {statement.removeprefix(begins)}"
    plan = connection.exec_driver_sql(explained, parameters).scalar_one()
    if begins:  # the next statement may be one of another transaction
        connection.exec_driver_sql("RESET seq_page_cost; RESET random_page_cost")
    plan = plan if isinstance(plan, list) else json.loads(plan)
    return [node for node in _nodes(plan[0]["Plan"]) if node["Actual Loops"]]


def rows_read(node: dict[str, Any]) -> int:
    """The rows that a scan looked at."""
    return round(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)
