"""The events of a user are read from their own index, however many they or others have."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from models import event
from models.session import Connection, transaction
from tests.builders import new_id

EVENTS = 60_000
ONCE_BUSY = """
INSERT INTO events (xact, subject_id, version, name, user_id, payer_id, created_at)
SELECT (1000 + i / 10)::text::xid8, gen_random_uuid(), 1, 'payment.initiated',
       CASE WHEN i % 2 = 0 AND i < %(events)s / 2 THEN %(busy)s ELSE gen_random_uuid() END,
       CASE WHEN i % 2 = 1 AND i < %(events)s / 2 THEN %(busy)s::uuid END, now() - interval '2 hours'
FROM generate_series(1, %(events)s) i
""".replace(" % 2", " %% 2")


@pytest.fixture
def busy(owner: Engine) -> str:
    """A user who had every other event once, and none for a long time."""
    id = new_id()
    with owner.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
        connection.exec_driver_sql(ONCE_BUSY, {"busy": id, "events": EVENTS})
        connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER USER")
        connection.exec_driver_sql("ANALYZE events")
    return id


@pytest.fixture
def connection(gateway: Engine, busy: str) -> Iterator[Connection]:
    with transaction(gateway) as connection:
        yield connection


@pytest.mark.parametrize("limit", [21, 1000])
def test_page_reads_no_events_of_others(connection: Connection, busy: str, limit: int) -> None:
    for xact in ("0", str(1000 + EVENTS // 30), str(1000 + EVENTS // 20)):
        parameters = {"user": busy, "xact": xact, "sequence": 0, "limit": limit}
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF) {event.PAGE}", parameters)
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan" not in text
        assert "events_pkey" not in text
