"""Explains why a payment waits: its steps, errors and locks, who is alive, and what would help."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import heartbeat, payment, payment_action, payment_timeline, payment_view
from models.heartbeat import BEAT, Heartbeat
from models.pause import IS_OVER
from models.payment_timeline import TimelineEntry
from models.payment_view import PaymentView
from models.posting_lock import LANES_LOCK, POSTING_LOCK
from models.representations import ViewerLike, iso
from models.rules import waiting
from models.rules.retry import ATTEMPTS_MAX
from models.rules.state import State
from models.rules.waiting import RowLock, WaitCause, WaitFacts


class PaymentExplanation(NamedTuple):
    """Why a payment waits at the time `at` of the database's clock.

    `waiting` payments are due (counted up to 10,000), the oldest for `oldest_due_seconds`. `workers` includes beat.
    """

    view: PaymentView
    at: datetime
    causes: list[WaitCause]
    last_error: str | None
    next_attempt_at: datetime | None
    locks: list[RowLock]
    workers: list[Heartbeat]
    is_broker_up: bool
    waiting: int
    oldest_due_seconds: float
    timeline: list[TimelineEntry]


def _seconds(moment: str, until: str = "now()") -> str:
    return f"extract(epoch FROM {moment} - {until})::float"


DETAILS = f"""
SELECT now() AS at, p.last_error, {_seconds("nullif(p.due_at, 'infinity')")} AS due_seconds,
       {_seconds("p.scheduled_at")} AS scheduled_seconds, {_seconds("p.hold_expires_at")} AS hold_seconds,
       {_seconds("now()", "i.submitted_at")} AS submitted_seconds, i.pending_at IS NOT NULL AS is_pending,
       {_seconds("i.due_at")} AS payout_due_seconds, i.due_at AS payout_due_at, i.last_error AS payout_error,
       (SELECT q.rail FROM pauses q WHERE q.rail = coalesce(i.rail, q.rail) AND i.due_at IS NOT NULL
            AND q.released_at IS NULL AND NOT {IS_OVER} ORDER BY q.rail LIMIT 1) AS paused_rail,
       (SELECT is_frozen FROM accounts WHERE id = p.source_id) AS is_source_frozen,
       (SELECT is_frozen FROM accounts WHERE id = p.target_id) AS is_target_frozen
FROM payments p LEFT JOIN instructions i ON i.payment_id = p.id
WHERE p.id = %s
"""

LOCKS = f"""
WITH part (name, place, locker) AS (
    SELECT 'payment', 1, xmax FROM payments WHERE id = %(id)s
    UNION ALL SELECT 'payout', 2, xmax FROM instructions WHERE payment_id = %(id)s
    UNION ALL SELECT 'bulk', 3, xmax FROM bulks WHERE id = %(bulk)s
    UNION ALL SELECT 'source', 4, xmax FROM accounts WHERE id = %(source)s
    UNION ALL SELECT 'target', 5, xmax FROM accounts WHERE id = %(target)s
)
SELECT part.name, l.pid, coalesce(a.usename, '')::text AS role, coalesce(a.application_name, '') AS application,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float AS transaction_seconds,
       EXISTS (SELECT FROM pg_locks WHERE pid = l.pid AND locktype = 'advisory' AND granted
                   AND classid = 0 AND objid IN ({POSTING_LOCK}, {LANES_LOCK}) AND objsubid = 1) AS is_poster
FROM part JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = part.locker AND l.granted
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
ORDER BY part.place, l.pid
"""
"""A row's xmax is the transaction that locked it last: it has it still if that transaction holds its own number."""


def of_payment(connection: Connection, id: str, *, broker_is_up: bool) -> PaymentExplanation | None:
    """Why the payment waits now, or None if there is none; the caller checks whether the broker answers."""
    view = payment_view.by_id(connection, id)
    if view is None:
        return None
    details = connection.exec_driver_sql(DETAILS, (id,)).one()
    known = payment_action.facts(connection, [id])[id]
    parts = {"id": id, "bulk": view.bulk_id, "source": view.source.id, "target": view.target.id}
    locks = [RowLock(*row) for row in connection.exec_driver_sql(LOCKS, parts)]
    workers = heartbeat.recent(connection)
    due, oldest_due_seconds = payment.waiting(connection)
    posters = [worker for worker in workers if worker.kind == "posting"]
    pause = view.paused
    facts = WaitFacts(
        id=id,
        state=view.state,
        due_seconds=details.due_seconds,
        scheduled_seconds=details.scheduled_seconds,
        attempts=view.attempts,
        last_error=details.last_error,
        is_parked=known.is_parked,
        pause_reason=pause and pause.reason,
        pause_seconds=(pause.until - details.at).total_seconds() if pause and pause.until else None,
        frozen=tuple(side for side in ("source", "target") if getattr(details, f"is_{side}_frozen")),
        is_atomic=known.is_atomic,
        is_ordered=known.is_ordered,
        is_proposed=known.is_proposed,
        hold_seconds=details.hold_seconds,
        is_payout=known.is_payout,
        is_answered=known.is_answered,
        submitted_seconds=details.submitted_seconds,
        is_pending=details.is_pending,
        payout_due_seconds=details.payout_due_seconds,
        payout_error=details.payout_error,
        paused_rail=details.paused_rail,
        locks=tuple(locks),
        waiting=due,
        oldest_due_seconds=oldest_due_seconds,
        poster_seconds=_newest(workers, "posting"),
        rails_seconds=_newest(workers, "rails"),
        beat_seconds=_newest(workers, BEAT),
        is_broker_up=broker_is_up,
        has_heard=any(poster.is_fresh and poster.hears for poster in posters),
    )
    return PaymentExplanation(
        view,
        details.at,
        waiting.causes(facts),
        details.last_error,
        _next_attempt(view, facts, details.payout_due_at),
        locks,
        workers,
        broker_is_up,
        due,
        oldest_due_seconds,
        payment_timeline.of_payment(connection, view),
    )


def _newest(workers: list[Heartbeat], kind: str) -> float | None:
    """Seconds since a worker of this kind was last seen; None if none was within the hour."""
    return min((worker.age_seconds for worker in workers if worker.kind == kind), default=None)


def _next_attempt(view: PaymentView, facts: WaitFacts, payout_due_at: datetime | None) -> datetime | None:
    """When the poster or the rail tries it next; None if nothing is going to by itself."""
    if facts.is_parked or facts.pause_reason is not None:
        return None
    if view.state == State.INITIATED:
        return view.due_at
    return payout_due_at if view.state == State.AUTHORIZED else None


def body(explanation: PaymentExplanation, viewer: ViewerLike) -> dict[str, Any]:
    """The JSON of an explanation."""
    view = explanation.view
    return {
        "payment": view.id,
        "type": view.type,
        "state": view.state,
        "explained_at": explanation.at.isoformat(),
        "causes": [cause._asdict() for cause in explanation.causes],
        "attempts": view.attempts,
        "attempts_max": ATTEMPTS_MAX,
        "last_error": explanation.last_error,
        "next_attempt_at": iso(explanation.next_attempt_at),
        "parked_at": iso(view.parked_at),
        "locks": [lock._asdict() for lock in explanation.locks],
        "workers": [
            {
                "name": worker.name,
                "age_seconds": round(worker.age_seconds, 1),
                "is_fresh": worker.is_fresh,
                "hears": worker.hears,
            }
            for worker in explanation.workers
        ],
        "broker": "ok" if explanation.is_broker_up else "away",
        "waiting": explanation.waiting,
        "oldest_due_seconds": round(explanation.oldest_due_seconds, 3),
        "timeline": payment_timeline.bodies(explanation.timeline, view, viewer),
    }
