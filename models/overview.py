"""The state of everything on one page: how many payments were accepted and became what, and what waits for whom.

Nothing is counted in full: slots of time are sampled by id, which begins with the time, and each count ends at a bound.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from models import imbalance
from models.imbalance import Imbalance
from models.pause import IS_OVER
from models.payment_stuck import UNTRIED_SECONDS

COUNTED_MAX = 10_000
"""Counting stops here."""

SLOTS = 60
"""Slots of a chart: as many as its bars can be told apart."""

SAMPLED_MAX = 200
"""Payments read of a slot, the earliest first; a slot that has more is estimated from the time that these took."""

SPANS = {"hour": 3600 // SLOTS, "day": 24 * 3600 // SLOTS}
"""Seconds of a slot, by the time that a chart shows."""

WINDOWS = (60, 300, 3600)
"""Seconds of the windows of the figures, each a whole number of the slots of an hour."""

STATES = ("INITIATED", "AUTHORIZED", "COMPLETED", "FAILED")


class Count(NamedTuple):
    """A number of things that wait, counted up to COUNTED_MAX, and since when the oldest does."""

    name: str
    number: int
    oldest_at: datetime | None

    @property
    def is_exact(self) -> bool:
        """Whether it was counted to the end."""
        return self.number < COUNTED_MAX


class Overview(NamedTuple):
    """The overview at the time `at` of the database; `windows` and `slots` are as in the JSON."""

    at: datetime
    windows: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    counts: list[Count]
    imbalances: list[Imbalance]


SAMPLE = f"""
WITH slots AS (
    SELECT number, now() - make_interval(secs => number * %(seconds)s) AS begins_at,
           now() - make_interval(secs => (number - 1) * %(seconds)s) AS ends_at
    FROM generate_series(1, {SLOTS}) AS number
), sample AS MATERIALIZED (
    SELECT s.number, p.id, p.state, p.failure_code, p.created_at,
           extract(epoch FROM p.finalized_at - greatest(p.created_at, p.scheduled_at))::float AS seconds
    FROM slots s CROSS JOIN LATERAL (
        SELECT id, state, failure_code, created_at, scheduled_at, finalized_at FROM payments
        WHERE id >= uuid_floor(s.begins_at) AND id < uuid_floor(s.ends_at) ORDER BY id LIMIT %(sampled)s) AS p
), weights AS (
    SELECT s.number, s.begins_at, count(p.id) = %(sampled)s AS is_estimate,
           CASE WHEN count(p.id) < %(sampled)s THEN 1
                ELSE greatest(%(seconds)s / greatest(extract(epoch FROM max(p.created_at) - s.begins_at), 0.001), 1)
           END::float AS weight
    FROM slots s LEFT JOIN sample p ON p.number = s.number GROUP BY s.number, s.begins_at
), counted AS (
    SELECT number, state, failure_code, count(*) AS rows FROM sample GROUP BY number, state, failure_code
)"""

STATE_SUMS = ", ".join(
    f"'{state.lower()}', coalesce(round(sum(c.rows * w.weight) FILTER (WHERE c.state = '{state}')), 0)"
    for state in STATES
)

SERIES = f"""{SAMPLE}
SELECT now() AS at,
       (SELECT jsonb_agg(slot ORDER BY slot->>'begins_at') FROM (
           SELECT jsonb_build_object('begins_at', w.begins_at, 'is_estimate', w.is_estimate, {STATE_SUMS},
               'oldest_due_seconds', (
                   SELECT max(b.oldest_due_seconds) FROM backlog_samples b WHERE b.minute >= w.begins_at
                       AND b.minute < w.begins_at + make_interval(secs => %(seconds)s)),
               'failures', coalesce(jsonb_object_agg(c.failure_code, round(c.rows * w.weight))
                                    FILTER (WHERE c.failure_code IS NOT NULL), '{{}}')) AS slot
           FROM weights w LEFT JOIN counted c ON c.number = w.number
           GROUP BY w.number, w.begins_at, w.is_estimate) AS slots
       ) AS slots,
       (SELECT jsonb_agg(body ORDER BY body->'seconds') FROM (
           SELECT jsonb_build_object('seconds', v.seconds, 'is_estimate', bool_or(w.is_estimate), {STATE_SUMS},
               'percentiles', (SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY p.seconds)
                               FROM sample p WHERE p.number <= v.seconds / %(seconds)s AND p.seconds IS NOT NULL)
               ) AS body
           FROM unnest(%(windows)s::int[]) AS v (seconds) JOIN weights w ON w.number <= v.seconds / %(seconds)s
           LEFT JOIN counted c ON c.number = w.number GROUP BY v.seconds) AS windows
       ) AS windows
"""

PAYOUT_UNDECIDED = f"""i.due_at IS NOT NULL AND (i.last_error IS NOT NULL OR (
    i.due_at < now() - make_interval(secs => {UNTRIED_SECONDS}) AND NOT EXISTS (
        SELECT FROM pauses q WHERE q.rail = coalesce(i.rail, q.rail) AND q.released_at IS NULL AND NOT {IS_OVER})))"""

WAITING: dict[str, str] = {
    "waiting": "SELECT due_at AS at FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= now()"
    " ORDER BY due_at, id",
    "parked": "SELECT parked_at AS at FROM payments WHERE parked_at IS NOT NULL ORDER BY parked_at",
    "undecided": "SELECT p.created_at AS at FROM instructions i"
    " CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = i.payment_id OFFSET 0) AS p"
    f" WHERE p.state = 'AUTHORIZED' AND p.parked_at IS NULL AND {PAYOUT_UNDECIDED}",
    "authorized_over_a_day": "SELECT created_at AS at FROM payments WHERE state = 'AUTHORIZED' AND parked_at IS NULL"
    " AND id < uuid_floor(now() - interval '1 day')",
    "paused": "SELECT due_at AS at FROM paused_payments",
    "adjustments_proposed": "SELECT created_at AS at FROM adjustments"
    " WHERE approved_at IS NULL AND rejected_at IS NULL",
    "resolutions_proposed": "SELECT created_at AS at FROM resolutions"
    " WHERE approved_by IS NULL AND rejected_by IS NULL AND executed_at IS NULL",
    "reconciliation_exceptions": "SELECT booked_on::timestamp AT TIME ZONE 'UTC' AS at FROM bank_statement_lines"
    " WHERE verdict IN ('mismatched', 'missing_here', 'missing_there') AND matched_at IS NULL AND dismissed_at IS NULL"
    " ORDER BY booked_on",
    "endpoints_disabled": "SELECT failing_since AS at FROM webhook_endpoints"
    " WHERE disabled_reason IS NOT NULL AND deleted_at IS NULL",
    "endpoints_failing": "SELECT failing_since AS at FROM webhook_endpoints"
    " WHERE is_active AND failing_since IS NOT NULL AND deleted_at IS NULL",
    "webhooks_waiting": "SELECT next_attempt_at AS at FROM webhook_deliveries WHERE state = 'pending'",
    "breaches": "SELECT found_at AS at FROM breaches WHERE healed_at IS NULL AND acknowledged_at IS NULL",
}
"""What waits, by name: each selects since when, and is answered by an index or a small table."""

COUNTS = " UNION ALL ".join(
    f"SELECT '{name}', count(*), min(at) FROM ({select} LIMIT {COUNTED_MAX}) AS {name}"
    for name, select in WAITING.items()
)


def overview(connection: Connection, span: str) -> Overview:
    """The overview, with the slots of that span; the windows of the figures are always those of the last hour."""
    series = _series(connection, SPANS["hour"], WINDOWS)
    slots = series.slots if span == "hour" else _series(connection, SPANS[span], ()).slots
    counts = [Count(*row) for row in connection.exec_driver_sql(COUNTS)]
    return Overview(series.at, series.windows, slots, counts, imbalance.last_seen(connection))


def _series(connection: Connection, seconds: int, windows: Sequence[int]) -> Row[Any]:
    parameters = {"seconds": seconds, "windows": list(windows), "sampled": SAMPLED_MAX}
    return connection.exec_driver_sql(SERIES, parameters).one()
