"""Batches: retries of many payments, ordered at once and carried out in portions by a worker."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import audit, keyset, selection
from models.audit import Actor
from models.keyset import START, Cursor
from models.payment_stuck import StuckFilter
from models.records import record


class BatchState(StrEnum):
    """State of a batch."""

    RUNNING = "running"
    """Some of its payments wait to be made due."""
    STOPPED = "stopped"
    """Ops stopped it: the payments that waited are skipped."""
    DONE = "done"
    """Each of its payments was made due or skipped."""


class BatchOutcome(StrEnum):
    """Outcome of a payment of a batch."""

    WAITING = "waiting"
    """Not made due yet."""
    RETRIED = "retried"
    """Made due, and not final yet."""
    COMPLETED = "completed"
    FAILED = "failed"
    PARKED = "parked"
    """Parked again."""
    SKIPPED = "skipped"
    """Left as it was."""


class SkipReason(StrEnum):
    """Why a payment of a batch was left as it was."""

    FINAL = "final"
    """It was final already."""
    MOVED_ON = "moved_on"
    """It was parked or made due by others since it was selected."""
    STOPPED = "stopped"
    """The batch was stopped before."""


class SelectionProblem(StrEnum):
    """Why a selection cannot be used."""

    UNKNOWN = "selection_unknown"
    OF_ANOTHER = "selection_of_another"
    USED = "selection_used"
    EXPIRED = "selection_expired"


class Batch(NamedTuple):
    """A batch: who ordered it and why, the filter of its selection, and how far it is; no user means the shell."""

    id: str
    user_id: str | None
    token_id: str | None
    address: str | None
    request_id: str | None
    reason: str
    filter: dict[str, object]
    selected_at: datetime
    total: int
    retried: int
    skipped: int
    created_at: datetime
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None
    ended_at: datetime | None

    @property
    def waiting(self) -> int:
        """Payments that were neither made due nor skipped."""
        return self.total - self.retried - self.skipped

    @property
    def state(self) -> BatchState:
        """Running, stopped or done."""
        if self.stopped_at is not None:
            return BatchState.STOPPED
        return BatchState.DONE if self.ended_at is not None else BatchState.RUNNING

    @property
    def actor(self) -> Actor:
        """Who ordered it."""
        if self.user_id is None:
            return audit.SHELL
        return Actor(self.user_id, self.token_id, self.address, self.request_id)


class BatchItem(NamedTuple):
    """A payment of a batch and its outcome; amount in minor units."""

    id: str
    outcome: str
    skip_reason: str | None
    decided_at: datetime | None
    type: str
    amount: int
    currency: str
    digits: int
    state: str
    failure_code: str | None
    last_error: str | None


BATCH = """
SELECT b.id::text, b.user_id::text, b.token_id::text, b.address, b.request_id, b.reason, s.filter,
       s.created_at AS selected_at, b.total, b.retried, b.skipped, b.created_at, b.stopped_at, b.stopped_by::text,
       b.stop_reason, b.ended_at
FROM batches b JOIN selections s ON s.id = b.selection_id
"""

OUTCOME = """CASE WHEN i.outcome IS NULL THEN 'waiting' WHEN i.outcome = 'skipped' THEN 'skipped'
                  WHEN p.state IN ('COMPLETED', 'FAILED') THEN lower(p.state)
                  WHEN p.parked_at IS NOT NULL THEN 'parked' ELSE 'retried' END"""

PAYMENT = """LEFT JOIN LATERAL (
    SELECT id, type, amount, currency, state, failure_code, last_error, parked_at
    FROM payments WHERE id = i.payment_id LIMIT 1
) AS p ON TRUE"""
"""Each payment is read by its id: their number is bounded, that of all payments is not."""

ITEM = f"""
SELECT i.payment_id::text AS id, {OUTCOME} AS outcome, i.skip_reason, i.decided_at, p.type, p.amount, p.currency,
       (SELECT digits FROM currencies WHERE code = p.currency) AS digits, p.state, p.failure_code, p.last_error
FROM batch_items i {PAYMENT}
"""


def by_id(connection: Connection, id: str) -> Batch | None:
    """The batch, or None."""
    return record(Batch, connection.exec_driver_sql(f"{BATCH} WHERE b.id = %s", (id,)))


def page(connection: Connection, limit: int, at: Cursor = START) -> list[Batch]:
    """Batches, newest first."""
    return keyset.page(connection, Batch, BATCH, {}, limit, at, key="b.id")


def items(
    connection: Connection, limit: int, at: Cursor = START, *, batch_id: str, outcomes: Sequence[str] = ()
) -> list[BatchItem]:
    """Payments of a batch with these outcomes, the oldest first."""
    conditions = {"i.batch_id = %s": batch_id, f"{OUTCOME} = ANY(%s)": list(outcomes)}
    return keyset.page(connection, BatchItem, ITEM, conditions, limit, at, key="i.payment_id", is_ascending=True)


def outcomes(connection: Connection, id: str) -> dict[str, int]:
    """The number of payments of a batch by their outcome."""
    rows = connection.exec_driver_sql(
        f"SELECT {OUTCOME}, count(*) FROM batch_items i {PAYMENT} WHERE i.batch_id = %s GROUP BY 1", (id,)
    )
    counted = {row[0]: row[1] for row in rows}
    return {outcome.value: counted.get(outcome, 0) for outcome in BatchOutcome}


def create(connection: Connection, id: str, selection_id: str, actor: Actor, reason: str) -> SelectionProblem | None:
    """Order a batch of the payments that the actor selected; returns why the selection cannot be used, or None."""
    user_id = _user_id(actor)
    total = connection.exec_driver_sql(
        "INSERT INTO batches (id, selection_id, user_id, token_id, address, request_id, reason)"
        " SELECT %s, id, user_id, %s, %s, %s, %s FROM selections"
        " WHERE id = %s AND user_id IS NOT DISTINCT FROM %s::uuid AND expires_at > clock_timestamp()"
        " ON CONFLICT (selection_id) DO NOTHING RETURNING total",
        (id, *actor[1:], reason, selection_id, user_id),
    ).scalar_one_or_none()
    if total is None:
        return _problem(connection, selection_id, user_id)
    audit.note(connection, actor, "batches.create", id, reason, after={"selection": selection_id, "total": total})
    return None


def _user_id(actor: Actor) -> str | None:
    return None if actor == audit.SHELL else actor.name


def _problem(connection: Connection, selection_id: str, user_id: str | None) -> SelectionProblem:
    row = connection.exec_driver_sql("SELECT user_id::text FROM selections WHERE id = %s", (selection_id,)).first()
    if row is None:
        return SelectionProblem.UNKNOWN
    if row[0] != user_id:
        return SelectionProblem.OF_ANOTHER
    return SelectionProblem.EXPIRED if of_selection(connection, selection_id) is None else SelectionProblem.USED


def of_selection(connection: Connection, selection_id: str) -> str | None:
    """The id of the batch that used the selection, or None."""
    return connection.exec_driver_sql(
        "SELECT id::text FROM batches WHERE selection_id = %s", (selection_id,)
    ).scalar_one_or_none()


PARKED_AGAIN = """
SELECT i.payment_id::text
FROM batch_items i JOIN LATERAL (SELECT parked_at FROM payments WHERE id = i.payment_id LIMIT 1) AS p
     ON p.parked_at IS NOT NULL
WHERE i.batch_id = %s AND i.outcome IS NOT NULL
  AND NOT EXISTS (SELECT FROM batch_items other WHERE other.payment_id = i.payment_id AND other.outcome IS NULL)
ORDER BY i.payment_id
"""
"""Those of a batch that are parked, and that no batch is about to retry."""


def retry_parked(connection: Connection, id: str, batch_id: str, actor: Actor, reason: str) -> bool:
    """Order a batch `id` of those payments of another that are parked, again or still; False if there are none.

    Under the lock of the other batch: of concurrent orders only the first finds them.
    """
    connection.exec_driver_sql("SELECT FROM batches WHERE id = %s ORDER BY id FOR NO KEY UPDATE", (batch_id,))
    ids = list(connection.exec_driver_sql(PARKED_AGAIN, (batch_id,)).scalars())
    if not ids:
        return False
    selection_id, _ = selection.keep(connection, _user_id(actor), StuckFilter(batch_id=batch_id), ids)
    return create(connection, id, selection_id, actor, reason) is None


def stop(connection: Connection, id: str, actor: Actor, reason: str) -> bool:
    """Stop a batch: what was not made due yet is skipped; False if it was stopped or done before."""
    stopped = connection.exec_driver_sql(
        "UPDATE batches SET stopped_at = now(), stopped_by = %s, stop_reason = %s"
        " WHERE id = %s AND stopped_at IS NULL AND ended_at IS NULL",
        (_user_id(actor), reason, id),
    )
    if stopped.rowcount != 1:
        return False
    audit.note(connection, actor, "batches.stop", id, reason)
    return True
