"""Queue of webhooks: creates a delivery of each event for each subscribed endpoint, and claims due deliveries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row
from uuid_utils.compat import uuid7

from models import audit, pg_arrays
from models.event import SETTLED
from models.records import records
from models.rules.webhook_retry import FAILING_SECONDS_MAX, GONE, OWN_FAILURES, AttemptOutcome

CALLS_OF_ENDPOINT_MAX = 8
CALLS_OF_FAILING_MAX = 1
"""Concurrent calls to an endpoint whose last try failed: it must not use the capacity of healthy ones."""

LEASE_SECONDS = 30.0
"""Longer than a call takes: after a crash during a call the delivery is due again by then."""

KEPT_DAYS, FORGOTTEN_MAX = 30, 10_000
"""How long deliveries are kept, and how many are deleted per transaction."""

READ_POSITION = "SELECT xact::text, sequence FROM event_positions WHERE reader = 'webhooks'"
LOCK_POSITION = "UPDATE event_positions SET updated_at = now() WHERE reader = 'webhooks' RETURNING xact::text, sequence"
MOVE_POSITION = "UPDATE event_positions SET xact = %(to_xact)s, sequence = %(to_sequence)s WHERE reader = 'webhooks'"
CHUNK_END = f"""
WITH chunk AS (
    SELECT e.xact, e.sequence FROM (
        SELECT * FROM events WHERE (xact, sequence) > (%(xact)s::xid8, %(sequence)s)
        ORDER BY xact, sequence LIMIT %(limit)s) AS e WHERE {SETTLED}
)
SELECT xact::text, sequence, (SELECT count(*) FROM chunk) AS events
FROM chunk ORDER BY chunk.xact DESC, sequence DESC LIMIT 1
"""

WANTED = """
WITH chunk AS (
    SELECT e.* FROM events e
    WHERE (e.xact, e.sequence) > (%(xact)s::xid8, %(sequence)s)
      AND (e.xact, e.sequence) <= (%(to_xact)s::xid8, %(to_sequence)s)
    ORDER BY e.xact, e.sequence LIMIT %(most)s
), event AS (
    SELECT * FROM chunk
    UNION
    SELECT b.* FROM chunk c CROSS JOIN LATERAL (
        SELECT * FROM events WHERE subject_id = c.subject_id AND version < c.version AND name <> 'ping' OFFSET 0) AS b
    WHERE c.name <> 'ping' AND (b.xact, b.sequence) > (%(to_xact)s::xid8, %(to_sequence)s)
)
SELECT w.id::text AS endpoint_id, e.sequence, e.name, e.subject_id::text, e.version, e.created_at::text AS occurred_at
FROM event e CROSS JOIN LATERAL (VALUES (e.user_id), (e.payer_id), (e.payee_id)) AS concerned (id)
JOIN webhook_endpoints w ON w.user_id = concerned.id AND w.deleted_at IS NULL AND w.created_at <= e.created_at
WHERE CASE WHEN e.name = 'ping' THEN w.id = e.subject_id
           ELSE w.id <> e.subject_id
                AND w.event_types && ARRAY[e.name, split_part(e.name, '.', 1) || '.*', '*']
                AND (w.payment_types IS NULL OR NOT starts_with(e.name, 'payment.')
                     OR (SELECT p.type FROM payments p WHERE p.id = e.subject_id) = ANY(w.payment_types)) END
ORDER BY e.sequence
"""
"""Events are ordered by the start of their transactions, so a later event of a subject may come first: earlier events
of such subjects are included, or a chunk's end could separate them. LIMIT and OFFSET bound what a chunk reads."""

NEW = pg_arrays.Columns(
    "new",
    "id uuid, endpoint_id uuid, sequence bigint, name text, subject_id uuid, version integer, occurred_at timestamptz",
)

KEEP = f"""
INSERT INTO webhook_deliveries ({NEW.names}, next_attempt_at)
SELECT new.*, greatest(now(), (
    SELECT max(d.next_attempt_at) FROM webhook_deliveries d WHERE new.name <> 'ping'
    AND d.endpoint_id = new.endpoint_id AND d.subject_id = new.subject_id AND d.state = 'pending'))
FROM {NEW.unnest}
ON CONFLICT (endpoint_id, sequence) DO NOTHING
"""
"""A delivery behind another of its subject is due no earlier, so that the search need not pass it; except pings."""


def fan_out(connection: Connection, limit: int) -> int:
    """Create the deliveries of the next `limit` settled events and advance the position; returns the number of events.

    Concurrent calls wait for the position's lock, and continue from where it is then.
    """
    position = connection.exec_driver_sql(READ_POSITION).one()
    if _chunk_end(connection, position, limit) is None:
        return 0
    position = connection.exec_driver_sql(LOCK_POSITION).one()
    end = _chunk_end(connection, position, limit)
    if end is None:
        return 0
    between = {**position._mapping, "to_xact": end.xact, "to_sequence": end.sequence, "most": 2 * limit}
    wanted = connection.exec_driver_sql(WANTED, between).all()
    if wanted:
        connection.exec_driver_sql(KEEP, NEW.parameters(wanted, id=[uuid7() for _ in wanted]))
    connection.exec_driver_sql(MOVE_POSITION, between)
    return int(end.events)


def _chunk_end(connection: Connection, position: Row, limit: int) -> Row | None:
    """Position of the last of the next events, and their number."""
    return connection.exec_driver_sql(CHUNK_END, {**position._mapping, "limit": limit}).one_or_none()


class ClaimedDelivery(NamedTuple):
    """A delivery to be tried now, for the `attempt`-th time; `is_spent` if a worker crashed during its last try."""

    id: str
    endpoint_id: str
    user_id: str
    url: str
    is_degraded: bool
    sequence: int
    name: str
    subject_id: str
    version: int
    occurred_at: datetime
    attempt: int
    tries_left: int
    is_spent: bool
    claimed_at: datetime


BUSY = pg_arrays.Columns("busy", "endpoint_id uuid, calls integer")

CLAIM = f"""
WITH RECURSIVE waiting (endpoint_id) AS (
    (SELECT endpoint_id FROM webhook_deliveries WHERE state = 'pending' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint_id FROM webhook_deliveries d WHERE d.state = 'pending' AND d.endpoint_id > w.endpoint_id
            ORDER BY d.endpoint_id LIMIT 1)
    FROM waiting w WHERE w.endpoint_id IS NOT NULL
), ready AS (
    SELECT e.id, e.failing_since IS NOT NULL OR e.id = ANY(%(slow)s::uuid[]) AS is_degraded,
           coalesce(busy.calls, 0) AS calls,
           CASE WHEN e.failing_since IS NULL THEN %(calls_max)s ELSE %(failing_max)s END - coalesce(busy.calls, 0)
               AS room
    FROM waiting w JOIN webhook_endpoints e ON e.id = w.endpoint_id AND e.is_active
    JOIN users u ON u.id = e.user_id AND u.is_active
    LEFT JOIN {BUSY.unnest} ON busy.endpoint_id = e.id
), due AS (
    SELECT own.*, r.calls + own.place AS nth, r.is_degraded FROM ready r CROSS JOIN LATERAL (
        SELECT d.id, d.next_attempt_at, row_number() OVER (ORDER BY d.next_attempt_at, d.id) AS place
        FROM webhook_deliveries d
        WHERE d.endpoint_id = r.id AND d.state = 'pending' AND d.next_attempt_at <= now() AND (d.name = 'ping' OR
            NOT EXISTS (SELECT FROM webhook_deliveries before WHERE before.endpoint_id = d.endpoint_id
            AND before.subject_id = d.subject_id AND before.state = 'pending' AND before.sequence < d.sequence))
        ORDER BY d.next_attempt_at, d.id LIMIT greatest(r.room, 0)) AS own
), chosen AS (
    (SELECT id FROM due WHERE NOT is_degraded AND nth = 1 ORDER BY next_attempt_at, id LIMIT %(first)s)
    UNION ALL
    (SELECT id FROM due WHERE NOT is_degraded AND nth > 1 ORDER BY nth, next_attempt_at, id LIMIT %(further)s)
    UNION ALL
    (SELECT id FROM due WHERE is_degraded ORDER BY nth, next_attempt_at, id LIMIT %(degraded)s)
), claimed AS (
    SELECT d.id, d.tries_left, d.id = ANY(ARRAY(SELECT id FROM due WHERE is_degraded)) AS is_degraded
    FROM webhook_deliveries d
    WHERE d.id = ANY(ARRAY(SELECT id FROM chosen)) AND d.state = 'pending' AND d.next_attempt_at <= now()
    ORDER BY d.id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE webhook_deliveries d
SET attempts = d.attempts + 1, tries_left = greatest(d.tries_left - 1, 0),
    next_attempt_at = now() + make_interval(secs => %(lease)s)
FROM claimed c, webhook_endpoints e
WHERE d.id = c.id AND e.id = d.endpoint_id
RETURNING d.id::text, d.endpoint_id::text, e.user_id::text, e.url, c.is_degraded, d.sequence, d.name,
          d.subject_id::text, d.version, d.occurred_at, d.attempts AS attempt, d.tries_left,
          c.tries_left = 0 AS is_spent, now() AS claimed_at
"""
"""Reads endpoint by endpoint, so that long queues are not scanned; further calls go to the endpoints with fewest."""


class Capacity(NamedTuple):
    """Number of calls that may begin: first ones of an endpoint, further ones, and those to degraded endpoints."""

    first: int
    further: int
    degraded: int


def claim(
    connection: Connection, calls: Mapping[str, int], slow: Collection[str], room: Capacity
) -> list[ClaimedDelivery]:
    """Claim due deliveries for LEASE_SECONDS, as capacity allows beside the current `calls` by endpoint.

    Degraded endpoints are those that fail or are slow; they have a capacity of their own. A delivery is never claimed
    before an earlier one of the same endpoint and subject is delivered or given up.
    """
    rows = connection.exec_driver_sql(
        CLAIM,
        {
            **BUSY.parameters(endpoint_id=calls, calls=calls.values()),
            **{"calls_max": CALLS_OF_ENDPOINT_MAX, "failing_max": CALLS_OF_FAILING_MAX, "lease": LEASE_SECONDS},
            **{"slow": pg_arrays.plain(slow), **room._asdict()},
        },
    )
    return sorted(records(ClaimedDelivery, rows), key=lambda delivery: delivery.id)


def secrets(connection: Connection, endpoint_ids: Sequence[str]) -> dict[str, list[str]]:
    """Current secrets of these endpoints, newest first."""
    rows = connection.exec_driver_sql(
        "SELECT endpoint_id::text, array_agg(secret ORDER BY created_at DESC, id DESC) FROM webhook_secrets"
        " WHERE endpoint_id = ANY(%s::uuid[]) AND (expires_at IS NULL OR expires_at > now()) GROUP BY endpoint_id",
        (pg_arrays.plain(endpoint_ids),),
    )
    return {row[0]: row[1] for row in rows}


class EndedAttempt(NamedTuple):
    """A finished try; the next one is after `wait` seconds, None if it was delivered or is given up."""

    claimed: ClaimedDelivery
    outcome: AttemptOutcome
    wait: float | None

    @property
    def state(self) -> str:
        """New state of the delivery."""
        if self.outcome.error is None:
            return "delivered"
        return "failed" if self.wait is None else "pending"


ENDED = pg_arrays.Columns(
    "ended",
    "id uuid, attempt integer, state text, status smallint, error text, milliseconds integer, wait float,"
    " tries_left smallint, answer bytea, reason text",
)

NOTE = f"""
WITH ended AS (SELECT * FROM {ENDED.unnest}), tried AS (
    INSERT INTO webhook_attempts (delivery_id, attempt, status, error, milliseconds, answer, reason)
    SELECT d.id, e.attempt, e.status, e.error, e.milliseconds, e.answer, e.reason
    FROM ended e JOIN webhook_deliveries d USING (id) ON CONFLICT DO NOTHING
), updated AS (
    UPDATE webhook_deliveries d
    SET state = e.state, next_attempt_at = now() + make_interval(secs => e.wait), last_status = e.status,
        last_error = e.error, finished_at = CASE WHEN e.state <> 'pending' THEN now() END
    FROM ended e WHERE d.id = e.id AND d.attempts = e.attempt AND d.state = 'pending'
      AND (d.tries_left = e.tries_left OR e.state = 'delivered')
    RETURNING d.endpoint_id, d.subject_id, d.sequence, d.name, d.next_attempt_at
)
UPDATE webhook_deliveries behind SET next_attempt_at = coalesce(u.next_attempt_at, now())
FROM updated u
WHERE behind.endpoint_id = u.endpoint_id AND behind.subject_id = u.subject_id AND behind.sequence > u.sequence
  AND behind.state = 'pending' AND behind.tries_left = 10 AND u.name <> 'ping'
"""
"""A try that outlived its lease, or failed after a redelivery was requested, is ignored: its numbers differ."""


def note(connection: Connection, ended: Sequence[EndedAttempt]) -> None:
    """Store the outcomes of the tries, and make deliveries behind each due with it, or now."""
    parameters = ENDED.parameters(
        ended,
        **pg_arrays.attributes([each.claimed for each in ended], "id", "attempt", "tries_left"),
        **pg_arrays.attributes([each.outcome for each in ended], "status", "error", "milliseconds", "answer", "reason"),
    )
    connection.exec_driver_sql(NOTE, parameters)
    last = {e.claimed.endpoint_id: e.outcome.error is not None for e in ended if e.outcome.error not in OWN_FAILURES}
    for failed, since in ((True, "now()"), (False, "NULL")):
        connection.exec_driver_sql(
            f"UPDATE webhook_endpoints SET failing_since = {since} WHERE id = ANY(%s::uuid[])"
            " AND (failing_since IS NULL) = %s AND deleted_at IS NULL",
            (pg_arrays.plain(id for id, is_failing in last.items() if is_failing is failed), failed),
        )


DISABLE = """
UPDATE webhook_endpoints SET is_active = false, disabled_reason = %(reason)s, version = version + 1
WHERE id = %(id)s AND url = %(url)s AND is_active
  AND (%(reason)s = 'gone' OR failing_since < now() - make_interval(secs => %(failing_max)s))
"""


def disable_hopeless(connection: Connection, ended: Sequence[EndedAttempt]) -> list[tuple[str, str]]:
    """Disable endpoints that are gone or failed too long; returns (id, reason) of each. Call it after `note`."""
    reasons = {e.claimed: "failing" for e in ended if e.state == "failed"}
    reasons |= {e.claimed: "gone" for e in ended if e.outcome.status == GONE}
    disabled = []
    for claimed, reason in reasons.items():
        args = {"id": claimed.endpoint_id, "url": claimed.url, "reason": reason, "failing_max": FAILING_SECONDS_MAX}
        if connection.exec_driver_sql(DISABLE, args).rowcount:
            audit.note(connection, audit.WORKER, "webhook_endpoints.disable", claimed.endpoint_id, reason)
            disabled.append((claimed.endpoint_id, reason))
    return disabled


def forget_old(connection: Connection) -> int:
    """Delete up to FORGOTTEN_MAX deliveries older than KEPT_DAYS, and pending ones of deleted endpoints."""
    connection.exec_driver_sql(
        "DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_endpoints e JOIN webhook_deliveries d"
        f" ON d.endpoint_id = e.id WHERE d.state = 'pending' AND e.deleted_at IS NOT NULL LIMIT {FORGOTTEN_MAX})"
    )
    return connection.exec_driver_sql(
        "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries"
        " WHERE id < uuid_floor(now() - make_interval(days => %(days)s))"  # what a clock that was behind made stays
        " AND created_at < now() - make_interval(days => %(days)s) ORDER BY id LIMIT %(most)s)",
        {"days": KEPT_DAYS, "most": FORGOTTEN_MAX},
    ).rowcount
