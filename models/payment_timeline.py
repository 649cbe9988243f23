"""Timeline of a payment: its steps, each recorded in the transaction that took it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from models.payment_view import PaymentView
from models.representations import ViewerLike, failure_body, iso
from models.rules.types import PaymentType

ENTRIES_PER_SOURCE_MAX = 200
"""Bound on attempts, commands, retries, and refunds or returns: a timeline has the newest of each."""


class Step(StrEnum):
    """A step; steps of the same time are shown in this order."""

    INITIATED = "initiated"
    """Accepted and stored."""
    ATTEMPT_FAILED = "attempt_failed"
    """It could not be posted, or the bank could not be reached."""
    SUBMITTED = "submitted"
    """Sent to the bank, which may know of it from now on."""
    PENDING = "pending"
    """The bank reports that it has received it."""
    PARKED = "parked"
    """Parked for a person."""
    RETRY = "retry"
    """Retried by ops."""
    CAPTURE = "capture"
    """Its initiator or ops asked to take the held amount."""
    VOID = "void"
    """Its initiator or ops asked to release the held amount."""
    CANCEL = "cancel"
    """Its initiator or ops canceled it."""
    FAIL = "fail"
    """Given up by ops."""
    ASK = "ask"
    """Ops asked the bank about it."""
    RESOLVE = "resolve"
    """Two people of ops agreed on what the bank did."""
    CONFIRMED = "confirmed"
    """The bank reports that it paid it out, or ops resolved so."""
    REJECTED = "rejected"
    """The bank reports that it will not pay it out, or ops resolved so."""
    AUTHORIZED = "authorized"
    """Money is held."""
    COMPLETED = "completed"
    """Posted."""
    FAILED = "failed"
    """Refused."""
    REFUNDED = "refunded"
    """All or part of it was refunded."""
    RETURNED = "returned"
    """The bank sent all or part of it back."""


class TimelineActor(StrEnum):
    """The actor of a step."""

    INITIATOR = "maker"
    """The user who ordered the payment."""
    OPS = "ops"
    WORKER = "worker"
    BANK = "bank"


class TimelineEntry(NamedTuple):
    """A step of the timeline; `text` is the error of an attempt, or the reason of a command or of the bank's answer.

    `outcome` is that of a command, `payment_id` the refund or return.
    """

    at: datetime
    step: Step
    actor: TimelineActor
    actor_id: str | None
    attempt: int | None
    next_attempt_at: datetime | None
    outcome: str | None
    text: str | None
    payment_id: str | None


ENTRIES = f"""
SELECT created_at AS at, split_part(name, '.', 2) AS step, NULL AS actor,
       CASE WHEN name = 'payment.initiated' THEN (
           SELECT user_id::text FROM makers WHERE subject_id IN (%(id)s, %(bulk)s) LIMIT 1) END AS actor_id,
       NULL::smallint AS attempt, NULL::timestamptz AS next_attempt_at, NULL AS outcome, NULL AS text,
       NULL AS payment_id
FROM events WHERE subject_id = %(id)s AND name <> 'ping' AND starts_with(name, 'payment.')
UNION ALL (
    SELECT created_at, 'attempt_failed', actor, NULL, attempt, next_attempt_at, NULL, error, NULL
    FROM payment_attempts WHERE payment_id = %(id)s ORDER BY id DESC LIMIT {ENTRIES_PER_SOURCE_MAX})
UNION ALL (
    SELECT created_at, kind, CASE WHEN is_by_ops OR kind = 'retry' THEN 'ops' ELSE 'maker' END, user_id::text, NULL,
           NULL, outcome, reason, NULL
    FROM commands WHERE payment_id = %(id)s AND kind NOT IN ('confirm', 'reject')
    ORDER BY id DESC LIMIT {ENTRIES_PER_SOURCE_MAX})
UNION ALL (
    SELECT created_at, 'ask', 'ops', nullif(asked_by, 'shell'), NULL, NULL, NULL, reason, NULL
    FROM inquiries WHERE payment_id = %(id)s ORDER BY id DESC LIMIT {ENTRIES_PER_SOURCE_MAX})
UNION ALL (
    SELECT i.decided_at, 'retry', 'ops', b.user_id::text, NULL, NULL, 'done', b.reason, NULL
    FROM batch_items i JOIN batches b ON b.id = i.batch_id
    WHERE i.payment_id = %(id)s AND i.outcome = 'retried' ORDER BY i.batch_id DESC LIMIT {ENTRIES_PER_SOURCE_MAX})
UNION ALL SELECT submitted_at, 'submitted', 'worker', NULL, NULL, NULL, NULL, NULL, NULL
    FROM instructions WHERE payment_id = %(id)s AND submitted_at IS NOT NULL
UNION ALL SELECT pending_at, 'pending', 'bank', NULL, NULL, NULL, NULL, NULL, NULL
    FROM instructions WHERE payment_id = %(id)s AND pending_at IS NOT NULL
UNION ALL SELECT answered_at, answer, CASE WHEN resolution_id IS NULL THEN 'bank' ELSE 'ops' END, NULL, NULL, NULL,
                 NULL, reason, NULL
    FROM instructions WHERE payment_id = %(id)s AND answered_at IS NOT NULL
UNION ALL (
    SELECT p.finalized_at, p.type || 'ed', 'worker', NULL, NULL, NULL, NULL, NULL, p.id::text
    FROM payment_children c CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = c.child_id OFFSET 0) AS p
    WHERE c.parent_id = %(id)s AND p.state = 'COMPLETED' ORDER BY p.id DESC LIMIT {ENTRIES_PER_SOURCE_MAX})
"""
"""OFFSET 0: each child is looked up by its id, in its month; a join might read all months."""

_MADE_BY_WORKERS = frozenset({PaymentType.RETURN, PaymentType.BONUS})
_ORDER = {step: place for place, step in enumerate(Step)}


def of_payment(connection: Connection, view: PaymentView) -> list[TimelineEntry]:
    """The payment's steps, oldest first, in one statement."""
    rows = connection.exec_driver_sql(ENTRIES, {"id": view.id, "bulk": view.bulk_id})
    entries = [_entry(view, row) for row in rows]
    return sorted(entries, key=lambda entry: (entry.at, _ORDER[entry.step]))


def _entry(view: PaymentView, row: Row) -> TimelineEntry:
    at, step, actor, actor_id, *rest = row
    if step in (Step.COMPLETED, Step.FAILED):
        at = view.finalized_at or at
    if step == Step.INITIATED:
        at = view.created_at
    if step == Step.INITIATED and view.type not in _MADE_BY_WORKERS:
        actor, actor_id = TimelineActor.INITIATOR, actor_id or view.user_id
    return TimelineEntry(at, Step(step), TimelineActor(actor or TimelineActor.WORKER), actor_id, *rest)


NEUTRAL = {
    TimelineActor.WORKER: "The payment could not be posted yet.",
    TimelineActor.BANK: "The bank could not be reached, or has not decided yet.",
}
"""The text of a failed attempt for all but ops and auditors: the error itself would reveal internals."""


def bodies(entries: Sequence[TimelineEntry], view: PaymentView, viewer: ViewerLike) -> list[dict[str, Any]]:
    """The JSON of the steps, each with the time since the step before."""
    moments = [None, *(entry.at for entry in entries)]
    return [_body(entry, previous, view, viewer) for entry, previous in zip(entries, moments, strict=False)]


def _is_own(entry: TimelineEntry, view: PaymentView, viewer: ViewerLike) -> bool:
    """Whether the viewer, or someone who acts for them, did it."""
    return entry.actor_id == viewer.id or (entry.actor == TimelineActor.INITIATOR and view.user_id == viewer.id)


def _body(entry: TimelineEntry, previous: datetime | None, view: PaymentView, viewer: ViewerLike) -> dict[str, Any]:
    is_attempt = entry.step == Step.ATTEMPT_FAILED
    text = entry.text if viewer.reads_all else NEUTRAL.get(entry.actor) if is_attempt else None
    return {
        "at": entry.at.isoformat(),
        "step": entry.step,
        "actor": entry.actor,
        "actor_id": entry.actor_id if viewer.reads_all or _is_own(entry, view, viewer) else None,
        "attempt": entry.attempt,
        "waited_seconds": None if previous is None else round((entry.at - previous).total_seconds(), 3),
        "next_attempt_at": iso(entry.next_attempt_at),
        "outcome": entry.outcome,
        "reason": None if is_attempt else text,
        "error": text if is_attempt else None,
        "failure": failure_body(view.failure_code) if entry.step == Step.FAILED else None,
        "payment": entry.payment_id,
    }
