"""Webhook deliveries as their owner sees them: the state of sending one event to one endpoint."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.records import record, records
from models.webhook_queue import LEASE_SECONDS, ClaimedDelivery

REDELIVERED_MAX = 10_000
"""Per call: the statement stays well below the time-out of the gateway's role."""


ATTEMPTS_SHOWN_MAX = 100
"""Newest attempts of one delivery: the number of redeliveries is not bounded."""


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    """To be tried, first or again."""
    DELIVERED = "delivered"
    """The receiver answered 2xx."""
    FAILED = "failed"
    """Given up; only a redelivery tries it again."""


class Delivery(NamedTuple):
    """An event to be sent to an endpoint; `attempts` counts all tries, redeliveries included.

    `last_reason`, `last_milliseconds` and `last_answer` are those of the newest try that has ended.
    """

    id: str
    endpoint_id: str
    user_id: str
    sequence: int
    name: str
    subject_id: str
    version: int
    occurred_at: datetime
    state: str
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    last_reason: str | None
    last_milliseconds: int | None
    last_answer: bytes | None
    finished_at: datetime | None
    created_at: datetime


class Attempt(NamedTuple):
    """One try: the status and the beginning of the answer, or the kind of failure, and the duration."""

    attempt: int
    status: int | None
    error: str | None
    reason: str | None
    milliseconds: int
    answer: bytes | None
    created_at: datetime


DELIVERY = """
SELECT d.id::text, d.endpoint_id::text, e.user_id::text, d.sequence, d.name, d.subject_id::text, d.version,
       d.occurred_at, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, t.reason AS last_reason,
       t.milliseconds AS last_milliseconds, t.answer AS last_answer, d.finished_at, d.created_at
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id AND e.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT reason, milliseconds, answer FROM webhook_attempts WHERE delivery_id = d.id ORDER BY attempt DESC LIMIT 1
) AS t ON true
"""


def by_id(connection: Connection, id: str) -> Delivery | None:
    """The delivery, or None if there is none or its endpoint is deleted."""
    return record(Delivery, connection.exec_driver_sql(f"{DELIVERY} WHERE d.id = %s", (id,)))


def attempts(connection: Connection, id: str) -> list[Attempt]:
    """The newest ATTEMPTS_SHOWN_MAX tries, oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT attempt, status, error, reason, milliseconds, answer, created_at FROM webhook_attempts"
        " WHERE delivery_id = %s ORDER BY attempt DESC LIMIT %s",
        (id, ATTEMPTS_SHOWN_MAX),
    )
    return records(Attempt, rows)[::-1]


def page(
    connection: Connection,
    endpoint_id: str,
    limit: int,
    at: Cursor = START,
    *,
    states: list[str] | None = None,
    names: list[str] | None = None,
) -> list[Delivery]:
    """An endpoint's, newest first."""
    conditions = {"d.endpoint_id = %s": endpoint_id, "d.state = ANY(%s)": states, "d.name = ANY(%s)": names}
    return keyset.page(connection, Delivery, DELIVERY, conditions, limit, at, key="d.id")


_RESET = "state = DEFAULT, tries_left = DEFAULT, next_attempt_at = DEFAULT, finished_at = NULL"
"""Resets a delivery to all its tries, the first of them now."""


def redeliver(connection: Connection, id: str) -> Delivery | None:
    """Send it again now under the same id, also if it is still pending; None if it no longer exists."""
    connection.exec_driver_sql(f"UPDATE webhook_deliveries SET {_RESET} WHERE id = %s", (id,))
    return by_id(connection, id)


def reset(connection: Connection, id: str) -> bool:
    """Send it again now, unless it is due already with all its tries; returns whether that changed anything.

    By the clock, not by the time at which the transaction began: another may have reset it since.
    """
    changed = connection.exec_driver_sql(
        f"UPDATE webhook_deliveries SET {_RESET} WHERE id = %s"
        " AND (state <> 'pending' OR next_attempt_at > clock_timestamp() OR tries_left < 10)",
        (id,),
    )
    return bool(changed.rowcount)


REDELIVER_RANGE = f"""
WITH matching AS (
    SELECT d.id FROM webhook_deliveries d
    WHERE d.endpoint_id = %(endpoint)s AND d.occurred_at >= %(since)s AND d.occurred_at < %(until)s
      AND d.state = ANY(%(states)s::text[]) AND (d.state <> 'pending' OR d.next_attempt_at > clock_timestamp())
    ORDER BY d.id LIMIT %(limit)s FOR NO KEY UPDATE
), redelivered AS (
    UPDATE webhook_deliveries d SET {_RESET}
    FROM (SELECT id FROM matching ORDER BY id LIMIT %(max)s) AS chosen WHERE d.id = chosen.id
    RETURNING d.id
)
SELECT (SELECT count(*) FROM redelivered), (SELECT count(*) > %(max)s FROM matching)
"""


def redeliver_range(
    connection: Connection, endpoint_id: str, since: datetime, until: datetime, states: Sequence[str]
) -> tuple[int, bool]:
    """Redeliver the endpoint's oldest REDELIVERED_MAX deliveries of events from `since` until before `until`.

    Returns their number and whether there are more: deliveries already due are skipped, so a further call continues.
    """
    row = connection.exec_driver_sql(
        REDELIVER_RANGE,
        {
            **{"endpoint": endpoint_id, "since": since, "until": until, "states": pg_arrays.plain(states)},
            **{"max": REDELIVERED_MAX, "limit": REDELIVERED_MAX + 1},
        },
    ).one()
    return row[0], row[1]


CLAIM = pg_arrays.Columns("claim", "id uuid, claimed_at timestamptz, is_spent boolean")

GIVE_BACK = f"""
UPDATE webhook_deliveries d
SET attempts = d.attempts - 1, next_attempt_at = now(),
    tries_left = CASE WHEN claim.is_spent THEN 0 ELSE d.tries_left + 1 END
FROM {CLAIM.unnest}
WHERE d.id = claim.id AND d.state = 'pending'
  AND d.next_attempt_at = claim.claimed_at + make_interval(secs => %(lease)s)
"""


def give_back(connection: Connection, claimed: Sequence[ClaimedDelivery]) -> None:
    """Undo claims after which no request was made, so that they do not count; claims of others are kept."""
    if claimed:
        connection.exec_driver_sql(GIVE_BACK, {"lease": LEASE_SECONDS, **CLAIM.parameters(claimed)})
