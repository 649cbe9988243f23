"""Payouts: instructions to a bank, their progress, and the position up to which its updates were read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import pg_arrays
from models.pause import IS_OVER
from models.records import records
from models.rules.types import PaymentAction


class Counterparty(NamedTuple):
    """The payee of a payout and the text for them; IBAN and BIC in electronic form."""

    iban: str
    name: str
    bic: str | None = None
    description: str | None = None


class Payout(NamedTuple):
    """An instruction to a bank; the payment's id is its idempotency key there.

    `amount` is the amount that is to arrive, in minor units. `submitted_at` None: it was certainly not sent before;
    otherwise the bank may know of it for `waited_seconds`, and has confirmed that if `was_pending`.
    """

    payment_id: str
    amount: int
    digits: int
    currency: str
    iban: str
    bic: str | None
    name: str
    description: str | None
    rail: str
    attempts: int
    submitted_at: datetime | None
    waited_seconds: float = 0.0
    was_pending: bool = False
    creditor_reference: str | None = None
    lease: str = ""
    """End of the claim, which also identifies it."""


PAYEE = pg_arrays.Columns("payee", "payment_id uuid, iban text, bic text, name text, description text")


def keep(connection: Connection, counterparties: Mapping[str, Counterparty]) -> None:
    """Store the payees by payment id, in the transaction that stores the payments."""
    connection.exec_driver_sql(
        f"INSERT INTO instructions ({PAYEE.names}) SELECT * FROM {PAYEE.unnest}",
        PAYEE.parameters(counterparties.values(), payment_id=counterparties),
    )


FORSAKEN_SECONDS = 3600.0
"""After this long no worker of its rail handles a due payout: a worker of another rail claims it and parks it."""

CLAIM = f"""
WITH due AS (
    SELECT payment_id, submitted_at FROM instructions
    WHERE due_at <= statement_timestamp()
      AND (rail IS NULL OR rail = %(rail)s
           OR due_at <= statement_timestamp() - make_interval(secs => %(forsaken_seconds)s))
      AND coalesce(rail, %(rail)s) NOT IN (
          SELECT q.rail FROM pauses q WHERE q.rail IS NOT NULL AND q.released_at IS NULL AND NOT {IS_OVER})
    ORDER BY due_at, payment_id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), intent AS (
    UPDATE instructions i
    SET rail = coalesce(i.rail, %(rail)s), attempts = i.attempts + 1, submitted_at = coalesce(i.submitted_at, now()),
        due_at = now() + make_interval(secs => %(lease_seconds)s)
    FROM due WHERE i.payment_id = due.payment_id
    RETURNING i.payment_id, i.iban, i.bic, i.name, i.description, i.rail, i.attempts, due.submitted_at,
              i.pending_at, i.creditor_reference, i.due_at
)
SELECT i.payment_id::text, p.amount - p.commission AS amount, c.digits, p.currency, i.iban, i.bic, i.name,
       i.description, i.rail, i.attempts, i.submitted_at,
       coalesce(extract(epoch FROM now() - i.submitted_at), 0)::float AS waited_seconds,
       i.pending_at IS NOT NULL AS was_pending, i.creditor_reference, i.due_at::text AS lease
FROM intent i JOIN payments p ON p.id = i.payment_id JOIN currencies c ON c.code = p.currency ORDER BY i.payment_id
"""


def claim(connection: Connection, rail: str, limit: int, lease_seconds: float) -> list[Payout]:
    """Claim up to `limit` due instructions, oldest first, to send to this rail or to ask it about again.

    Of a rail that is paused none is claimed.

    After a crash they are asked about once the lease is over, and never sent again.
    """
    parameters = {"rail": rail, "limit": limit, "lease_seconds": lease_seconds, "forsaken_seconds": FORSAKEN_SECONDS}
    return records(Payout, connection.exec_driver_sql(CLAIM, parameters))


class FinalAnswer(NamedTuple):
    """The final answer of a bank about a payout."""

    payment_id: str
    is_confirmed: bool
    reason: str | None = None
    bank_reference: str | None = None

    @property
    def answer(self) -> str:
        """Value in the table."""
        return "confirmed" if self.is_confirmed else "rejected"

    @property
    def action(self) -> PaymentAction:
        """What finishes the payment."""
        return PaymentAction.CONFIRM if self.is_confirmed else PaymentAction.REJECT


LOCK_PAYMENTS = """
SELECT id::text FROM payments WHERE id = ANY(%s::uuid[]) AND state = 'AUTHORIZED' ORDER BY payments.id
FOR NO KEY UPDATE
"""
"""Payments are locked before their instructions, as in `payment_stuck.reset_for_retry`."""

LOCK_INSTRUCTIONS = """
SELECT FROM instructions WHERE payment_id = ANY(%s::uuid[]) ORDER BY payment_id FOR NO KEY UPDATE
"""
"""Two workers may handle the same one, when a lease ran out."""


def lock(connection: Connection, payment_ids: Iterable[str]) -> None:
    """Lock payments that are AUTHORIZED, and then the instructions of these payments."""
    ids = pg_arrays.plain(payment_ids)
    connection.exec_driver_sql(LOCK_PAYMENTS, (ids,))
    connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))


FINAL = pg_arrays.Columns(
    "final", "payment_id uuid, answer text, reason text, bank_reference text, command_id uuid, action text"
)

STORE_ANSWERS = f"""
WITH final AS (
    SELECT * FROM {FINAL.unnest}
), answered AS (
    UPDATE instructions i
    SET answer = final.answer, answered_at = now(), reason = final.reason, bank_reference = final.bank_reference,
        due_at = NULL, last_error = NULL, resolution_id = %(resolution_id)s
    FROM final WHERE i.payment_id = final.payment_id AND i.answer IS NULL
    RETURNING i.payment_id
), due_again AS (
    UPDATE payments p SET parked_at = NULL, attempts = 0, last_error = NULL, due_at = now()
    FROM answered WHERE p.id = answered.payment_id AND p.id = ANY({FINAL.array("payment_id")})
                    AND p.parked_at IS NOT NULL
)
INSERT INTO commands (id, kind, payment_id, reason)
SELECT final.command_id, final.action, final.payment_id, final.reason FROM final JOIN answered USING (payment_id)
RETURNING payment_id::text
"""


def store_answers(connection: Connection, answers: Sequence[FinalAnswer], resolution_id: str | None = None) -> set[str]:
    """Store the bank's answers, each with the command that finishes its payment; parked payments become due again.

    With `resolution_id` two ops users answered in the bank's place.
    Returns the payments that waited for an answer and had none: the first answer is final.
    """
    waiting = pg_arrays.plain(answer.payment_id for answer in answers)
    locked = {row[0] for row in connection.exec_driver_sql(LOCK_PAYMENTS, (waiting,))} if answers else set()
    answers = [answer for answer in answers if answer.payment_id in locked]
    if not answers:
        return set()
    ids = pg_arrays.plain(answer.payment_id for answer in answers)
    connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))
    parameters = FINAL.parameters(answers, command_id=[uuid7() for _ in answers])
    rows = connection.exec_driver_sql(STORE_ANSWERS, {**parameters, "resolution_id": resolution_id})
    return {row[0] for row in rows}


def stored_answers(connection: Connection, payment_ids: Iterable[str]) -> dict[str, str | None]:
    """The bank's answer (None if there is none yet) for each of the payments that has an instruction."""
    rows = connection.exec_driver_sql(
        "SELECT payment_id::text, answer FROM instructions WHERE payment_id = ANY(%s::uuid[])",
        (pg_arrays.plain(payment_ids),),
    )
    return {row[0]: row[1] for row in rows}


def amounts(connection: Connection, payment_ids: Iterable[str]) -> dict[str, int]:
    """Amount that is to arrive of each of the payments, in minor units."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, (amount - commission)::text FROM payments WHERE id = ANY(%s::uuid[])",
        (pg_arrays.plain(payment_ids),),
    )
    return {row[0]: int(row[1]) for row in rows}


class Retry(NamedTuple):
    """The next attempt of a payout, in `seconds` from now, and the error of this one.

    `tried` is the number of attempts when it was claimed, which identifies the claim; `attempts` the number from now
    on. `is_not_received` if it certainly did not reach the bank, `is_pending` if the bank says that it has it.
    """

    payment_id: str
    tried: int
    attempts: int
    seconds: float
    error: str | None
    is_not_received: bool = False
    is_pending: bool = False


RETRY = pg_arrays.Columns(
    "retry",
    "payment_id uuid, tried smallint, attempts smallint, seconds float, error text, is_not_received boolean,"
    " is_pending boolean",
)

POSTPONE = f"""
WITH postponed AS (
    UPDATE instructions i
    SET attempts = retry.attempts, due_at = now() + make_interval(secs => retry.seconds), last_error = retry.error,
        submitted_at = CASE WHEN NOT retry.is_not_received THEN i.submitted_at END,
        rail = CASE WHEN NOT retry.is_not_received THEN i.rail END,
        pending_at = coalesce(i.pending_at, CASE WHEN retry.is_pending THEN now() END)
    FROM {RETRY.unnest}
        JOIN instructions before USING (payment_id)
    WHERE i.payment_id = retry.payment_id AND i.answer IS NULL AND i.due_at IS NOT NULL AND i.attempts = retry.tried
    RETURNING i.payment_id, retry.tried, i.last_error, i.due_at,
              retry.attempts = retry.tried OR before.last_error IS DISTINCT FROM i.last_error AS is_new
)
INSERT INTO payment_attempts (payment_id, actor, attempt, error, next_attempt_at)
SELECT payment_id, 'bank', tried, last_error, due_at FROM postponed WHERE is_new
"""
"""A retry that costs no attempt (bank unreachable, or payout pending for days) is recorded once, not each time."""


def postpone(connection: Connection, retries: Sequence[Retry]) -> None:
    """Ask again later; instructions answered or claimed again meanwhile are left as they are."""
    if retries:
        connection.exec_driver_sql(LOCK_INSTRUCTIONS, (pg_arrays.plain(item.payment_id for item in retries),))
        connection.exec_driver_sql(POSTPONE, RETRY.parameters(retries))


PARK = f"""
WITH parked AS (
    UPDATE instructions i
    SET due_at = NULL, last_error = retry.error,
        submitted_at = CASE WHEN NOT retry.is_not_received THEN i.submitted_at END,
        rail = CASE WHEN NOT retry.is_not_received THEN i.rail END
    FROM {RETRY.unnest}
    WHERE i.payment_id = retry.payment_id AND i.answer IS NULL AND i.due_at IS NOT NULL AND i.attempts = retry.tried
    RETURNING i.payment_id, i.last_error, i.attempts
), attempt AS (
    INSERT INTO payment_attempts (payment_id, actor, attempt, error)
    SELECT payment_id, 'bank', attempts, last_error FROM parked
)
UPDATE payments p SET parked_at = now(), last_error = parked.last_error, attempts = parked.attempts
FROM parked WHERE p.id = parked.payment_id AND p.id = ANY({RETRY.array("payment_id")}) AND p.state = 'AUTHORIZED'
"""


def park(connection: Connection, retries: Sequence[Retry]) -> None:
    """Park the payments for a person; a late answer, or a retry, makes them due again."""
    if retries:
        lock(connection, [item.payment_id for item in retries])
        connection.exec_driver_sql(PARK, RETRY.parameters(retries))


def position(connection: Connection, rail: str) -> str:
    """Position up to which the rail's updates have been read; empty at the beginning."""
    row = connection.exec_driver_sql("SELECT position FROM rail_positions WHERE rail = %s", (rail,)).first()
    return row[0] if row else ""


def move_position(connection: Connection, rail: str, position: str) -> None:
    """Store the position up to which the rail's updates have been read, in the transaction that stores them."""
    connection.exec_driver_sql(
        "INSERT INTO rail_positions (rail, position) VALUES (%s, %s)"
        " ON CONFLICT (rail) DO UPDATE SET position = excluded.position, updated_at = now()",
        (rail, position),
    )
