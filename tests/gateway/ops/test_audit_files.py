"""The audit log of a time, as pages and as files."""

import csv
import io
import json
from datetime import datetime, timedelta

import pytest

from gateway.lists.exports import CSV, JSON_LINES
from models import audit
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import statements_of

ENTRIES = 1_200
"""More than two pages of a file."""

DAYS = """
INSERT INTO audit_log (created_at, actor, action, target, reason, after)
SELECT now() - n * interval '1 hour' + (n % 7) * interval '1 second', 'shell', 'test', n, '=1+1', '{"a": "@b"}'
FROM generate_series(%s, 1, -1) AS n
""".replace("n % 7", "n %% 7")


@pytest.fixture(scope="module")
def began(api: ApiHarness) -> datetime:
    """The time of the newest of many entries, an hour apart, written with gaps in their numbers."""
    api.execute("SELECT setval(pg_get_serial_sequence('audit_log', 'id'), 1000)")
    api.execute(DAYS, ENTRIES)
    api.execute("SELECT setval(pg_get_serial_sequence('audit_log', 'id'), 9000)")
    [newest] = api.execute("SELECT max(created_at) FROM audit_log WHERE actor = 'shell'")
    return newest


def test_entries_of_a_time_are_those_of_that_time(api: ApiHarness, ops: ApiUser, began: datetime) -> None:
    for since, until in ((0, 0), (30, 10), (1_150, 1_149), (2_000, 900), (None, 1_100), (20, None), (1, -100)):
        bounds = {
            name: (began - timedelta(hours=hours)).isoformat()
            for name, hours in (("created_from", since), ("created_before", until))
            if hours is not None
        }
        query = {"actor": "shell", "limit": "100", **bounds}
        rows = ops.call("GET", "/v1/ops/audit", query_string=query).get_json()["data"]
        expected = api.execute(
            "SELECT id::text FROM audit_log WHERE actor = 'shell'"
            " AND created_at >= coalesce(%s::timestamptz, '-infinity')"
            " AND created_at < coalesce(%s::timestamptz, 'infinity') ORDER BY id DESC LIMIT 100",
            bounds.get("created_from"),
            bounds.get("created_before"),
        )
        assert [row["id"] for row in rows] == expected, (since, until)
    with transaction(api.gateway) as connection:
        assert audit.page(connection, 1, created_from=began + timedelta(days=3650)) == []


def test_audit_log_is_a_file_without_formulas(ops: ApiUser, began: datetime) -> None:
    path = f"/v1/ops/audit?actor=shell&created_before={(began + timedelta(hours=1)).isoformat()}".replace("+", "%2B")
    lines = [json.loads(line) for line in ops.get(path, Accept=JSON_LINES).get_data(as_text=True).splitlines()]
    assert [line["target"] for line in lines] == [str(n) for n in range(1, ENTRIES + 1)]
    answer = ops.get(path, Accept=CSV)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    records = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))
    assert [record["id"] for record in records] == [line["id"] for line in lines]
    assert {(record["reason"], record["after"], record["before"]) for record in records} == {
        ("'=1+1", '{"a": "@b"}', "")
    }
    assert ops.get(f"{path}&limit=1", Accept=CSV).get_json()["code"] == "invalid_value"


def test_entries_of_a_time_are_found_without_reading_the_others(api: ApiHarness, began: datetime) -> None:
    at = began - timedelta(hours=600)
    conditions = f"created_at >= %(at)s AND audit_log.id >= ({audit.FIRST.format('- interval')})".replace(
        "%s", "%(at)s"
    )
    with transaction(api.gateway) as connection:
        first = connection.exec_driver_sql(
            audit.FIRST.format("- interval").replace("%s", "%(at)s"), {"at": at}
        ).scalar_one()
        matching = connection.exec_driver_sql(
            f"SELECT count(*) FILTER (WHERE id >= %(first)s), count(*) FROM audit_log WHERE NOT ({conditions})"
            " AND actor = 'shell'",
            {"at": at, "first": first},
        ).one()
    assert matching == (0, ENTRIES - 601), "none of an hour before it"


def test_a_rare_action_is_found_by_its_own_index(api: ApiHarness, began: datetime) -> None:
    api.execute("ANALYZE audit_log")
    with transaction(api.gateway) as connection, statements_of() as seen:
        assert audit.page(connection, 21, action="rare") == []
        plan = connection.exec_driver_sql(f"EXPLAIN {seen[0][0]}", seen[0][1]).scalars().all()
    assert "audit_log_by_action" in "\n".join(plan), "\n".join(plan)
