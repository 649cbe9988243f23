"""What a worker does with a batch: claims it, and decides a portion of its payments."""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection

from models import audit, pg_arrays
from models.audit import Actor
from models.batch import BATCH, Batch, SkipReason
from models.payment_stuck import StuckPayment
from models.records import record


def claim(connection: Connection) -> Batch | None:
    """Lock the oldest batch with payments that wait, skipping those locked by others; None if there is none."""
    rows = connection.exec_driver_sql(
        f"{BATCH} WHERE b.ended_at IS NULL ORDER BY b.id LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED"
    )
    return record(Batch, rows)


def waiting(connection: Connection, batch_id: str, limit: int) -> list[str]:
    """The ids of up to `limit` payments of a claimed batch that wait, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT payment_id::text FROM batch_items i WHERE batch_id = %s AND outcome IS NULL"
        " ORDER BY i.payment_id LIMIT %s",
        (batch_id, limit),
    )
    return list(rows.scalars())


DECIDED = pg_arrays.Columns("decided", "id uuid, skip_reason text")

DECIDE = f"""
WITH decided AS (
    UPDATE batch_items i SET decided_at = now(), skip_reason = decided.skip_reason,
        outcome = CASE WHEN decided.skip_reason IS NULL THEN 'retried' ELSE 'skipped' END
    FROM {DECIDED.unnest} WHERE i.batch_id = %(batch)s AND i.payment_id = decided.id AND i.outcome IS NULL
    RETURNING i.outcome
), counted AS (
    SELECT count(*) FILTER (WHERE outcome = 'retried') AS retried,
           count(*) FILTER (WHERE outcome = 'skipped') AS skipped
    FROM decided
)
UPDATE batches b SET retried = b.retried + counted.retried, skipped = b.skipped + counted.skipped,
    ended_at = CASE WHEN b.retried + b.skipped + counted.retried + counted.skipped = b.total THEN now() END
FROM counted WHERE b.id = %(batch)s
"""


def decide(connection: Connection, batch_id: str, retried: Iterable[str], skipped: Mapping[str, SkipReason]) -> None:
    """Set the outcomes of payments of a claimed batch; the batch ends with the last of them."""
    reasons: dict[str, str | None] = {**dict.fromkeys(retried), **{id: reason.value for id, reason in skipped.items()}}
    connection.exec_driver_sql(
        DECIDE, {"batch": batch_id, **DECIDED.parameters(id=reasons, skip_reason=reasons.values())}
    )


def skip_rest(connection: Connection, batch_id: str) -> None:
    """Skip all payments of a stopped batch that wait; no limit, since their number has one."""
    connection.exec_driver_sql(
        "WITH skipped AS ("
        " UPDATE batch_items SET outcome = 'skipped', skip_reason = 'stopped', decided_at = now()"
        " WHERE batch_id = %(batch)s AND outcome IS NULL RETURNING 1"
        ") UPDATE batches SET skipped = total - retried, ended_at = now()"
        " WHERE id = %(batch)s AND retried + skipped + (SELECT count(*) FROM skipped) = total",
        {"batch": batch_id},
    )


def note_retries(connection: Connection, actor: Actor, reason: str, rows: Collection[StuckPayment]) -> None:
    """Write to the audit log that payments were retried, as they were before."""
    audit.note_many(
        connection,
        actor,
        "payments.retry",
        reason,
        {row.id: {"attempts": row.attempts, "parked_at": row.parked_at, "last_error": row.last_error} for row in rows},
        after={"attempts": 0, "parked_at": None},
    )


def is_more_due_than(connection: Connection, limit: int) -> bool:
    """Whether more payments than this are due."""
    return connection.exec_driver_sql(
        "SELECT count(*) > %(limit)s FROM (SELECT FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL"
        " AND due_at <= now() LIMIT %(limit)s + 1) AS due",
        {"limit": limit},
    ).scalar_one()


def is_any_open(connection: Connection) -> bool:
    """Whether a batch has payments that wait."""
    return connection.exec_driver_sql("SELECT EXISTS (SELECT FROM batches WHERE ended_at IS NULL)").scalar_one()
