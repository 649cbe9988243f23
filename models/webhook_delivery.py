"""Webhook deliveries as their owner sees them: how far the sending of one event to one endpoint has come."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.webhook_queue import LEASE_SECONDS, ClaimedDelivery

REDELIVERED_MAX = 10_000
"""In one call: a statement that stays well within what the gateway's role may take."""


ATTEMPTS_SHOWN_MAX = 100
"""Of one delivery, the newest: it may be sent again without end."""


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    PENDING = "pending"
    """To be tried, for the first time or again."""
    DELIVERED = "delivered"
    """The receiver answered 2xx."""
    FAILED = "failed"
    """Given up; only a redelivery tries it again."""


class Delivery(NamedTuple):
    """An event on its way to an endpoint; `attempts` are all that were made, redeliveries included."""

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
    finished_at: datetime | None
    created_at: datetime


class Attempt(NamedTuple):
    """One try: the status that was answered, or the kind of failure, and how long it took."""

    attempt: int
    status: int | None
    error: str | None
    milliseconds: int
    created_at: datetime


DELIVERY = """
SELECT d.id::text, d.endpoint_id::text, e.user_id::text, d.sequence, d.name, d.subject_id::text, d.version,
       d.occurred_at, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.finished_at, d.created_at
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id AND e.deleted_at IS NULL
"""


def by_id(connection: Connection, id: str) -> Delivery | None:
    """The delivery, or None if there is none or its endpoint is deleted."""
    row = connection.exec_driver_sql(f"{DELIVERY} WHERE d.id = %s", (id,)).first()
    return Delivery(*row) if row else None


def attempts(connection: Connection, id: str) -> list[Attempt]:
    """What was tried, oldest first: the newest ATTEMPTS_SHOWN_MAX."""
    rows = connection.exec_driver_sql(
        "SELECT attempt, status, error, milliseconds, created_at FROM webhook_attempts"
        " WHERE delivery_id = %s ORDER BY attempt DESC LIMIT %s",
        (id, ATTEMPTS_SHOWN_MAX),
    )
    return [Attempt(*row) for row in rows][::-1]


def page(
    connection: Connection,
    endpoint_id: str,
    limit: int,
    *,
    states: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    before: str | None = None,
    after: str | None = None,
) -> list[Delivery]:
    """An endpoint's, newest first: those older than id `before`, or (oldest first) newer than `after`."""
    condition, order = keyset.edge(before, after, "d.id")
    fragments = {
        "d.state = ANY(%(states)s::text[])": states is not None,
        "d.name = ANY(%(names)s::text[])": names is not None,
    }
    rows = connection.exec_driver_sql(
        f"{DELIVERY} WHERE d.endpoint_id = %(endpoint)s AND {condition} AND {keyset.applying(fragments)}"
        f" ORDER BY {order} LIMIT %(limit)s",
        {
            **{"endpoint": endpoint_id, "edge": after or before, "limit": limit},
            **{"states": pg_arrays.plain(states or ()), "names": pg_arrays.plain(names or ())},
        },
    )
    return [Delivery(*row) for row in rows]


_RESET = "state = DEFAULT, tries_left = DEFAULT, next_attempt_at = DEFAULT, finished_at = NULL"
"""All tries again, the first of them now: as a delivery that was just made."""


def redeliver(connection: Connection, id: str) -> Delivery | None:
    """Send it again, or at once what is still to be tried, under the same id; None if it is gone meanwhile."""
    connection.exec_driver_sql(f"UPDATE webhook_deliveries SET {_RESET} WHERE id = %s", (id,))
    return by_id(connection, id)


REDELIVER_RANGE = f"""
WITH found AS (
    SELECT d.id FROM webhook_deliveries d
    WHERE d.endpoint_id = %(endpoint)s AND d.occurred_at >= %(since)s AND d.occurred_at < %(until)s
      AND d.state = ANY(%(states)s::text[]) AND (d.state <> 'pending' OR d.next_attempt_at > now())
    ORDER BY d.id LIMIT %(limit)s FOR NO KEY UPDATE
), again AS (
    UPDATE webhook_deliveries d SET {_RESET}
    FROM (SELECT id FROM found ORDER BY id LIMIT %(max)s) AS chosen WHERE d.id = chosen.id
    RETURNING d.id
)
SELECT (SELECT count(*) FROM again), (SELECT count(*) > %(max)s FROM found)
"""


def redeliver_range(
    connection: Connection, endpoint_id: str, since: datetime, until: datetime, states: Sequence[str]
) -> tuple[int, bool]:
    """Redeliver the endpoint's of events from `since` until before `until`, the oldest REDELIVERED_MAX.

    How many these were, and whether there are more: what is due already is left out, so a further call goes on.
    """
    row = connection.exec_driver_sql(
        REDELIVER_RANGE,
        {
            **{"endpoint": endpoint_id, "since": since, "until": until, "states": pg_arrays.plain(states)},
            **{"max": REDELIVERED_MAX, "limit": REDELIVERED_MAX + 1},
        },
    ).one()
    return row[0], row[1]


GIVE_BACK = """
UPDATE webhook_deliveries d
SET attempts = d.attempts - 1, next_attempt_at = now(),
    tries_left = CASE WHEN taken.is_spent THEN 0 ELSE d.tries_left + 1 END
FROM unnest(%s::uuid[], %s::timestamptz[], %s::boolean[]) AS taken (id, claimed_at, is_spent)
WHERE d.id = taken.id AND d.next_attempt_at = taken.claimed_at + make_interval(secs => %s) AND d.state = 'pending'
"""


def give_back(connection: Connection, claimed: Sequence[ClaimedDelivery]) -> None:
    """Undo a claim after which nobody was called: it does not count. What others hold stays theirs."""
    if claimed:
        claimed_at = pg_arrays.quoted(one.claimed_at.isoformat() for one in claimed)
        ids = pg_arrays.plain(one.id for one in claimed)
        spent = pg_arrays.plain(one.is_spent for one in claimed)
        connection.exec_driver_sql(GIVE_BACK, (ids, claimed_at, spent, LEASE_SECONDS))
