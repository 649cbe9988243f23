"""Payments, whose rows are the queue: accepting, claiming and postponing them."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import pause, pg_arrays
from models.prepared_statement import PreparedStatement
from models.rules.commission import NO_SCHEDULES, Schedules, terms_for
from models.rules.types import ClaimedPayment, PaymentAction, PaymentType

LAST_ERROR_LENGTH_MAX = 500


class NewPayment(NamedTuple):
    """A payment about to be stored: ids as text, amount in minor units."""

    id: str
    type: str
    user_id: str
    source_id: str
    target_id: str
    amount: int
    currency: str
    key: str
    fingerprint: bytes
    summary: str | None = None
    reference: str | None = None
    metadata: dict[str, object] | None = None
    capture: bool = True
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    parent_id: str | None = None
    reason: str | None = None
    quote_id: str | None = None
    target_amount: int | None = None
    target_currency: str | None = None
    rate: str | None = None
    request_id: str | None = None

    @classmethod
    def internal(
        cls,
        type: PaymentType,
        user_id: str,
        accounts: tuple[str, str],
        amount: int,
        currency: str,
        *,
        id: str = "",
        key: str = "",
        **details: Any,
    ) -> "NewPayment":
        """A payment that the system orders for the user, from and to `accounts`.

        Without `id` or `key` they are new; the key then has a space, so that no client can send it.
        """
        id = id or str(uuid7())
        key = key or f"{type.value} {id}"
        fingerprint = hashlib.sha256(key.encode()).digest()
        return cls(id, type.value, user_id, *accounts, amount, currency, key, fingerprint, **details)


NEW = pg_arrays.Columns(
    "new",
    "id uuid, type text, user_id uuid, source_id uuid, target_id uuid, amount numeric, currency text, key text,"
    " fingerprint bytea, summary text, reference text, metadata jsonb, capture boolean, scheduled_at timestamptz,"
    " expires_at timestamptz, parent_id uuid, reason text, quote_id uuid, target_amount numeric, target_currency text,"
    " rate numeric, request_id text",
)

ACCEPT = PreparedStatement(
    "accept",
    f"""
WITH new AS (
    SELECT * FROM {NEW.unnest}
), kept AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id, request_id)
    SELECT user_id, key, fingerprint, id, request_id FROM new ORDER BY user_id, key
    ON CONFLICT DO NOTHING
    RETURNING payment_id
)
INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, summary, reference, metadata,
                      capture, scheduled_at, expires_at, parent_id, reason, quote_id, target_amount, target_currency,
                      rate)
SELECT id, type, user_id, source_id, target_id, amount, currency, summary, reference, metadata,
       capture, scheduled_at, expires_at, parent_id, reason, quote_id, target_amount, target_currency, rate
FROM new JOIN kept ON kept.payment_id = new.id
RETURNING id, created_at
""",
)


def accept(connection: Connection, payments: Sequence[NewPayment]) -> dict[str, datetime]:
    """Store keys and payments in one statement; returns created_at by id of the new ones.

    A payment whose key is taken is not stored: read the key's payment with `idempotency.find` in a second statement,
    which sees what this one waited for. Keys must be distinct within the call.
    """
    rows = ACCEPT.run(connection, **NEW.parameters(payments))
    return {str(row[0]): row[1] for row in rows}


UNLESS_TAKEN = """
    ON CONFLICT (merchant_id, reference) DO UPDATE SET payment_id = excluded.payment_id
    WHERE (SELECT state FROM payments WHERE id = payment_references.payment_id) = 'FAILED'"""
"""Takes over the reference of a FAILED payment, under the row's lock. A payment that another transaction stored
meanwhile is not visible to this statement, thus not FAILED, so its reference is taken."""


def keep_reference(connection: Connection, merchant_id: str, reference: str, payment_id: str) -> str | None:
    """Reserve a merchant's reference for a payment; None, or the id of the payment that has it and did not fail."""
    reserved = connection.exec_driver_sql(
        f"INSERT INTO payment_references (merchant_id, reference, payment_id) VALUES (%s, %s, %s) {UNLESS_TAKEN}"
        " RETURNING payment_id",
        (merchant_id, reference, payment_id),
    ).first()
    if reserved is not None:
        return None
    return str(
        connection.exec_driver_sql(
            "SELECT payment_id FROM payment_references WHERE merchant_id = %s AND reference = %s",
            (merchant_id, reference),
        ).scalar_one()
    )


CLAIMED = """
SELECT p.id::text, p.type, p.state, p.user_id::text, p.source_id::text, p.target_id::text, p.amount, p.currency,
       p.capture, p.parent_id::text, p.quote_id::text, p.target_amount, p.target_currency, p.bulk_id::text,
       p.created_at, p.scheduled_at,
       (extract(epoch FROM statement_timestamp() - greatest(p.created_at, p.scheduled_at)) * 1000)::bigint"""

CLAIM_EXPIRED = f"""{CLAIMED}, 'expire', NULL, NULL, false
FROM payments p
WHERE state = 'AUTHORIZED' AND parked_at IS NULL AND hold_expires_at <= statement_timestamp()
  AND due_at <= statement_timestamp()
ORDER BY hold_expires_at, p.id
LIMIT %s
FOR NO KEY UPDATE SKIP LOCKED
"""


def claim_expired(connection: Connection, limit: int, schedules: Schedules = NO_SCHEDULES) -> list[ClaimedPayment]:
    """Lock up to `limit` payments whose hold has expired, oldest first."""
    return [claimed(row, schedules) for row in connection.exec_driver_sql(CLAIM_EXPIRED, (limit,))]


CLAIM_COMMANDED = f"""{CLAIMED},
       CASE WHEN p.state = 'AUTHORIZED' AND p.hold_expires_at <= statement_timestamp() THEN 'expire' ELSE c.kind END,
       c.amount, c.id::text, c.is_by_ops
FROM commands c JOIN payments p ON p.id = c.payment_id
WHERE c.decided_at IS NULL AND c.kind NOT IN ('retry', 'resolve')
  AND (c.is_by_ops OR (p.parked_at IS NULL
           AND ((p.attempts = 0 AND (p.last_error IS NULL OR p.state = 'INITIATED'))
                OR p.due_at <= statement_timestamp() OR p.scheduled_at > statement_timestamp()
                OR p.due_at = 'infinity')))
ORDER BY c.id
LIMIT %s
FOR NO KEY UPDATE SKIP LOCKED
"""


def claim_commanded(connection: Connection, limit: int, schedules: Schedules = NO_SCHEDULES) -> list[ClaimedPayment]:
    """Lock up to `limit` payments with an open command, and the commands, in the order of the commands.

    An expired hold expires, whatever the command is; a postponed or parked payment waits, unless ops ordered it.
    Canceling writes no operation, so it needs no partition and waits for no pause; that of a scheduled payment is
    retried until it is parked.
    """
    return [claimed(row, schedules) for row in connection.exec_driver_sql(CLAIM_COMMANDED, (limit,))]


def claimed(row: Sequence[Any], schedules: Schedules) -> ClaimedPayment:
    """The payment of a row of CLAIMED, its action, the amount to capture and its command."""
    (
        id, type, state, user_id, source_id, target_id, amount, currency, capture, parent_id, quote_id, target_amount,
        target_currency, bulk_id, created_at, scheduled_at, waited_ms, action, capture_amount, command_id, is_by_ops,
    ) = row  # fmt: skip
    terms = terms_for(schedules, type, currency, user_id, created_at)
    day = max(created_at, scheduled_at or created_at).astimezone(UTC).date() if type == PaymentType.CHARGE else None
    return ClaimedPayment(
        id, type, state, user_id, source_id, target_id, amount, currency, capture, action and PaymentAction(action),
        capture_amount, command_id, parent_id, terms, quote_id, target_amount, target_currency, day, bulk_id,
        waited_ms, is_by_ops,
    )  # fmt: skip


def states(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """State by id, of those that exist."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, state FROM payments WHERE id = ANY(%s::uuid[])", (pg_arrays.plain(ids),)
    )
    return {row[0]: row[1] for row in rows}


def types(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Type by id, of those that exist."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, type FROM payments WHERE id = ANY(%s::uuid[])", (pg_arrays.plain(ids),)
    )
    return {row[0]: row[1] for row in rows}


POSTPONE = """
WITH postponed AS (
    UPDATE payments SET
        attempts = %(attempts)s,
        last_error = %(error)s,
        due_at = greatest(now() + make_interval(secs => %(wait_seconds)s), scheduled_at),
        parked_at = CASE WHEN %(park)s THEN now() END
    WHERE id = %(id)s AND state IN ('INITIATED', 'AUTHORIZED') AND parked_at IS NULL AND attempts = %(attempts)s - 1
    RETURNING id, attempts, last_error, due_at, parked_at
)
INSERT INTO payment_attempts (payment_id, actor, attempt, error, next_attempt_at)
SELECT id, 'worker', attempts, last_error, CASE WHEN parked_at IS NULL THEN due_at END FROM postponed
"""


def postpone(connection: Connection, id: str, attempts: int, error: str, wait_seconds: float, park: bool) -> bool:
    """Record a failed attempt: retry after `wait_seconds`, or park. False if the payment has moved on meanwhile."""
    result = connection.exec_driver_sql(
        POSTPONE,
        {
            "id": id,
            "attempts": attempts,
            "error": error[:LAST_ERROR_LENGTH_MAX],
            "wait_seconds": wait_seconds,
            "park": park,
        },
    )
    return result.rowcount == 1


def put_off(connection: Connection, id: str, why: str, wait_seconds: float) -> None:
    """Retry after `wait_seconds` without counting an attempt: the payment is not the cause."""
    connection.exec_driver_sql(
        "UPDATE payments SET last_error = %s, due_at = now() + make_interval(secs => %s)"
        " WHERE id = %s AND state IN ('INITIATED', 'AUTHORIZED') AND parked_at IS NULL",
        (why[:LAST_ERROR_LENGTH_MAX], wait_seconds, id),
    )


def attempts(connection: Connection, id: str) -> int:
    """Number of failed attempts to post the payment."""
    return connection.exec_driver_sql("SELECT attempts FROM payments WHERE id = %s", (id,)).scalar_one()


def is_anything_due(connection: Connection, since: datetime | None = None) -> bool:
    """Whether any payment is due now, or was due at the time `since`."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL"
        " AND due_at <= coalesce(%s, now()))",
        (since,),
    ).scalar_one()


def clock(connection: Connection) -> datetime:
    """The time by the database's clock, which decides what is due and how old things are."""
    return connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()


ANYTHING_TO_END = PreparedStatement(
    "anything_to_end",
    "SELECT EXISTS (SELECT FROM commands WHERE decided_at IS NULL) OR EXISTS ("
    "SELECT FROM payments WHERE state = 'AUTHORIZED' AND parked_at IS NULL AND hold_expires_at <= now()) OR EXISTS ("
    f"SELECT FROM pauses q WHERE q.released_at IS NULL AND {pause.IS_OVER})",
)


def is_anything_to_end(connection: Connection) -> bool:
    """Whether a hold has expired, a command is open, or a pause is over."""
    return ANYTHING_TO_END.run(connection).scalar_one()


def waiting(connection: Connection) -> tuple[int, float]:
    """Number of due payments, counted up to 10,000, and the seconds that the oldest has been due."""
    row = connection.exec_driver_sql(
        "SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0)::float FROM ("
        "SELECT due_at FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= now()"
        " ORDER BY due_at, id LIMIT 10000) AS due"
    ).one()
    return row[0], row[1]


def last_error(connection: Connection, id: str) -> str | None:
    """Why the newest attempt to post the payment failed; None once it is final."""
    return connection.exec_driver_sql("SELECT last_error FROM payments WHERE id = %s", (id,)).scalar_one()
