"""Statements that read as little of a long history as of a short one: each by an index of it."""

import pytest
from sqlalchemy import Engine

from models import health, monitoring, payment_related

UNKNOWN = "01a00000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("statement", "parameters", "wanted"),
    [
        (health.COUNTS, (), "Index Cond: (ROW(xact, sequence) > ROW("),
        (monitoring.OPEN_WEBHOOKS, (), "Index Cond: (ROW(xact, sequence) > ROW("),
        (payment_related.DELIVERIES, (UNKNOWN,), "Index Scan using events_one_per_version on events e"),
    ],
    ids=["status", "metrics", "deliveries"],
)
def test_events_are_read_from_where_they_matter(
    gateway: Engine, statement: str, parameters: tuple[str, ...], wanted: str
) -> None:
    with gateway.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
    assert wanted in plan, plan
