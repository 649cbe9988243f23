"""Instructions: what a bank is told to pay out, how far that has come, and how far its news were read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import pg_arrays
from models.rules.types import PaymentAction


class Counterparty(NamedTuple):
    """Whom the bank is to pay, and what it is to tell him; IBAN and BIC in their electronic form."""

    iban: str
    name: str
    bic: str | None = None
    description: str | None = None


class Payout(NamedTuple):
    """What a bank is told; the payment's id is the key by which it knows the same one again.

    `amount` is what is to arrive, in minor units. `submitted_at` None: the bank surely has not been told before;
    else for `waited_seconds` it may know; `was_pending` if it has said so.
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
    """Until when it is taken: who took it is known by that."""


def keep(connection: Connection, counterparties: Mapping[str, Counterparty]) -> None:
    """Keep to whom payments go, by payment id, in the transaction that keeps the payments."""
    whom = counterparties.values()
    connection.exec_driver_sql(
        "INSERT INTO instructions (payment_id, iban, bic, name, description)"
        " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[])",
        (
            pg_arrays.plain(counterparties),
            pg_arrays.plain(one.iban for one in whom),
            pg_arrays.plain(one.bic for one in whom),
            pg_arrays.quoted(one.name for one in whom),
            pg_arrays.quoted(one.description for one in whom),
        ),
    )


FORSAKEN_SECONDS = 3600.0
"""What was due so long ago, no worker of its rail asks about: whoever tells another one claims it, to set it aside."""

CLAIM = """
WITH due AS (
    SELECT payment_id, submitted_at FROM instructions
    WHERE due_at <= statement_timestamp()
      AND (rail IS NULL OR rail = %(rail)s
           OR due_at <= statement_timestamp() - make_interval(secs => %(forsaken_seconds)s))
    ORDER BY due_at, payment_id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), intent AS (
    UPDATE instructions i
    SET rail = coalesce(i.rail, %(rail)s), attempts = i.attempts + 1, submitted_at = coalesce(i.submitted_at, now()),
        due_at = now() + make_interval(secs => %(lease_seconds)s)
    FROM due WHERE i.payment_id = due.payment_id
    RETURNING i.payment_id, i.iban, i.bic, i.name, i.description, i.rail, i.attempts, due.submitted_at,
              i.pending_at, i.creditor_reference, i.due_at
)
SELECT i.payment_id::text, (p.amount - p.commission)::text, c.digits, p.currency, i.iban, i.bic, i.name, i.description,
       i.rail, i.attempts, i.submitted_at, coalesce(extract(epoch FROM now() - i.submitted_at), 0)::float,
       i.pending_at IS NOT NULL, i.creditor_reference, i.due_at::text
FROM intent i JOIN payments p ON p.id = i.payment_id JOIN currencies c ON c.code = p.currency ORDER BY i.payment_id
"""


def claim(connection: Connection, rail: str, limit: int, lease_seconds: float) -> list[Payout]:
    """Write the intent to tell this rail, or to ask it again, of up to `limit` due instructions, the oldest first.

    Whoever dies after the commit leaves them to be asked about, never to be told again, once the lease is over.
    """
    asked = {"rail": rail, "limit": limit, "lease_seconds": lease_seconds, "forsaken_seconds": FORSAKEN_SECONDS}
    rows = connection.exec_driver_sql(CLAIM, asked)
    return [Payout._make((row[0], int(row[1]), *row[2:])) for row in rows]


class BankResult(NamedTuple):
    """The bank's last word about a payment."""

    payment_id: str
    is_confirmed: bool
    reason: str | None = None
    bank_reference: str | None = None

    @property
    def answer(self) -> str:
        """As the table knows it."""
        return "confirmed" if self.is_confirmed else "rejected"


LOCK = """
SELECT id::text FROM payments WHERE id = ANY(%s::uuid[]) AND state = 'AUTHORIZED' ORDER BY payments.id
FOR NO KEY UPDATE
"""
"""Payments before their instructions, as whoever revives them does."""

LOCK_INSTRUCTIONS = """
SELECT FROM instructions WHERE payment_id = ANY(%s::uuid[]) ORDER BY payment_id FOR NO KEY UPDATE
"""
"""Two workers may have the same one in hand, when a lease ran out."""

ANSWER = """
WITH told AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(answers)s::text[], %(reasons)s::text[], %(references)s::text[],
                         %(command_ids)s::uuid[], %(kinds)s::text[])
        AS told (payment_id, answer, reason, bank_reference, command_id, kind)
), answered AS (
    UPDATE instructions i
    SET answer = told.answer, answered_at = now(), reason = told.reason, bank_reference = told.bank_reference,
        due_at = NULL, last_error = NULL
    FROM told WHERE i.payment_id = told.payment_id AND i.answer IS NULL
    RETURNING i.payment_id
), revived AS (
    UPDATE payments p SET parked_at = NULL, attempts = 0, last_error = NULL, due_at = now()
    FROM answered WHERE p.id = answered.payment_id AND p.id = ANY(%(ids)s::uuid[]) AND p.parked_at IS NOT NULL
)
INSERT INTO commands (id, kind, payment_id, reason)
SELECT told.command_id, told.kind, told.payment_id, told.reason FROM told JOIN answered USING (payment_id)
RETURNING payment_id::text
"""


def answer(connection: Connection, told: Sequence[BankResult]) -> set[str]:
    """Keep the bank's answers, each with the command that ends its payment; one set aside for a person goes on.

    Returns the payments that had no answer before, and wait for one: the first is final.
    """
    waiting = pg_arrays.plain(one.payment_id for one in told)
    locked = {row[0] for row in connection.exec_driver_sql(LOCK, (waiting,))} if told else set()
    told = [one for one in told if one.payment_id in locked]
    if not told:
        return set()
    ids = pg_arrays.plain(one.payment_id for one in told)
    connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))
    rows = connection.exec_driver_sql(
        ANSWER,
        {
            "ids": ids,
            "answers": pg_arrays.plain(one.answer for one in told),
            "reasons": pg_arrays.quoted(one.reason for one in told),
            "references": pg_arrays.quoted(one.bank_reference for one in told),
            "command_ids": pg_arrays.plain(uuid7() for _ in told),
            "kinds": pg_arrays.plain(
                (PaymentAction.CONFIRM if one.is_confirmed else PaymentAction.REJECT).value for one in told
            ),
        },
    )
    return {row[0] for row in rows}


def answers(connection: Connection, payment_ids: Iterable[str]) -> dict[str, str | None]:
    """The answer, None if there is none yet, of each of the payments that has an instruction."""
    rows = connection.exec_driver_sql(
        "SELECT payment_id::text, answer FROM instructions WHERE payment_id = ANY(%s::uuid[])",
        (pg_arrays.plain(payment_ids),),
    )
    return {row[0]: row[1] for row in rows}


def amounts(connection: Connection, payment_ids: Iterable[str]) -> dict[str, int]:
    """What is to arrive of each of the payments, in minor units."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, (amount - commission)::text FROM payments WHERE id = ANY(%s::uuid[])",
        (pg_arrays.plain(payment_ids),),
    )
    return {row[0]: int(row[1]) for row in rows}


class Retry(NamedTuple):
    """When to ask again about an instruction that had been claimed with `tried` attempts, and why not now.

    `attempts` is what counts from now on. `is_unknown_there` if the bank surely has not been told, `is_known_there` if
    it says that it has.
    """

    payment_id: str
    tried: int
    attempts: int
    seconds: float
    error: str | None
    is_unknown_there: bool = False
    is_known_there: bool = False


WAIT = """
WITH waiting AS (
    UPDATE instructions i
    SET attempts = wait.attempts, due_at = now() + make_interval(secs => wait.seconds), last_error = wait.error,
        submitted_at = CASE WHEN NOT wait.is_unknown_there THEN i.submitted_at END,
        rail = CASE WHEN NOT wait.is_unknown_there THEN i.rail END,
        pending_at = coalesce(i.pending_at, CASE WHEN wait.is_known_there THEN now() END)
    FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::float[], %s::text[], %s::boolean[], %s::boolean[])
        AS wait (payment_id, tried, attempts, seconds, error, is_unknown_there, is_known_there)
        JOIN instructions before USING (payment_id)
    WHERE i.payment_id = wait.payment_id AND i.answer IS NULL AND i.due_at IS NOT NULL AND i.attempts = wait.tried
    RETURNING i.payment_id, wait.tried, i.last_error, i.due_at,
              wait.attempts = wait.tried OR before.last_error IS DISTINCT FROM i.last_error AS is_news
)
INSERT INTO payment_attempts (payment_id, actor, attempt, error, next_attempt_at)
SELECT payment_id, 'bank', tried, last_error, due_at FROM waiting WHERE is_news
"""
"""What costs no attempt, a bank that is away or has it for days, is noted once and not each time that it says so."""


def postpone(connection: Connection, waits: Sequence[Retry]) -> None:
    """Ask again later; what has been answered or claimed anew meanwhile stays as it is."""
    if waits:
        connection.exec_driver_sql(LOCK_INSTRUCTIONS, (pg_arrays.plain(wait.payment_id for wait in waits),))
        connection.exec_driver_sql(WAIT, _columns(waits))


PARK = """
WITH given_up AS (
    UPDATE instructions i
    SET due_at = NULL, last_error = wait.error,
        submitted_at = CASE WHEN NOT wait.is_unknown_there THEN i.submitted_at END,
        rail = CASE WHEN NOT wait.is_unknown_there THEN i.rail END
    FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::float[], %s::text[], %s::boolean[], %s::boolean[])
        AS wait (payment_id, tried, attempts, seconds, error, is_unknown_there, is_known_there)
    WHERE i.payment_id = wait.payment_id AND i.answer IS NULL AND i.due_at IS NOT NULL AND i.attempts = wait.tried
    RETURNING i.payment_id, i.last_error, i.attempts
), noted AS (
    INSERT INTO payment_attempts (payment_id, actor, attempt, error)
    SELECT payment_id, 'bank', attempts, last_error FROM given_up
)
UPDATE payments p SET parked_at = now(), last_error = given_up.last_error, attempts = given_up.attempts
FROM given_up WHERE p.id = given_up.payment_id AND p.id = ANY(%s::uuid[]) AND p.state = 'AUTHORIZED'
"""


def park(connection: Connection, waits: Sequence[Retry]) -> None:
    """Set the payments aside for a person; a late answer, or a retry, brings them back."""
    if waits:
        ids = pg_arrays.plain(wait.payment_id for wait in waits)
        connection.exec_driver_sql(LOCK, (ids,))
        connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))
        connection.exec_driver_sql(PARK, (*_columns(waits), ids))


def _columns(waits: Sequence[Retry]) -> tuple[str, ...]:
    *numbers, errors, unknown, known = zip(*waits, strict=True)
    return (*map(pg_arrays.plain, numbers), pg_arrays.quoted(errors), pg_arrays.plain(unknown), pg_arrays.plain(known))


def position(connection: Connection, rail: str) -> str:
    """How far the rail's news have been read; empty at the beginning."""
    row = connection.exec_driver_sql("SELECT position FROM rail_positions WHERE rail = %s", (rail,)).first()
    return row[0] if row else ""


def move_position(connection: Connection, rail: str, position: str) -> None:
    """Keep how far the rail's news have been read, with what was read."""
    connection.exec_driver_sql(
        "INSERT INTO rail_positions (rail, position) VALUES (%s, %s)"
        " ON CONFLICT (rail) DO UPDATE SET position = excluded.position, updated_at = now()",
        (rail, position),
    )
