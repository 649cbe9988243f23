"""Claiming due payments, except those that are paused: these are set aside until their pause is over.

A payment set aside is due at `infinity`, or when it expires, so that the poster does not read it again and again.
Payments are set aside and released by who posts alone: of two at once one could end the pause that the other uses.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.pause import IS_OVER
from models.payment import CLAIMED, claimed
from models.prepared_statement import PreparedStatement
from models.rules.commission import NO_SCHEDULES, Schedules
from models.rules.types import ClaimedPayment

CLAIM = PreparedStatement(
    "claim",
    f"""{CLAIMED}, CASE WHEN expires_at <= statement_timestamp() THEN 'expire' END, NULL, NULL, false,
       (SELECT array_agg(ARRAY[q.id::text, q.type, q.merchant_id::text, q.currency, {IS_OVER}::text] ORDER BY q.id)
        FROM pauses q WHERE q.released_at IS NULL AND q.rail IS NULL)
FROM claim_due(%(limit)s) p
ORDER BY p.due_at, p.id
""",
)
"""The pauses, read once a statement, are in each row: a query of their own would cost every batch a round trip."""

ROUNDS_MAX = 40
"""Batches of paused payments that are set aside before the posting lock is given back: about a second of work."""

ROUND_MIN = 500
"""Payments that are looked through in a round, however small the batch is."""

RELEASED_MAX = 5_000
"""Payments that are made due again by one statement, within a fraction of a second."""


class UnreleasedPause(NamedTuple):
    """A pause of posting, whose payments are set aside until it is over and they are released."""

    id: str
    type: str | None
    merchant_id: str | None
    currency: str | None

    def holds(self, payment: ClaimedPayment) -> bool:
        """Whether it keeps the payment from being posted; what has expired is ended all the same."""
        return payment.action is None and (
            payment.type == self.type
            or payment.user_id == self.merchant_id
            or self.currency in (payment.currency, payment.received_currency)
        )


def claim(connection: Connection, limit: int, schedules: Schedules = NO_SCHEDULES) -> list[ClaimedPayment]:
    """Lock up to `limit` due payments that are not paused, oldest first, skipping those locked by others.

    Due by the time of the statement: the transaction may be older, having lingered. Each payment gets the terms of
    `schedules` that were in force when it was accepted.
    """
    rows = CLAIM.run(connection, limit=limit)
    if not rows or rows[0][-1] is None:
        return [claimed(row[:-1], schedules) for row in rows]
    return _claim_around_pauses(connection, limit, schedules)


def claim_unpaused(
    connection: Connection, limit: int, schedules: Schedules = NO_SCHEDULES
) -> list[ClaimedPayment] | None:
    """As `claim`, beside others who post; None if a pause that is not released holds one of the payments."""
    rows = CLAIM.run(connection, limit=limit)
    payments = [claimed(row[:-1], schedules) for row in rows]
    pauses = _pauses(rows[0][-1]) if rows else ()
    return None if any(pause.holds(payment) for pause, _ in pauses for payment in payments) else payments


def _claim_around_pauses(connection: Connection, limit: int, schedules: Schedules) -> list[ClaimedPayment]:
    """Release what pauses that are over hold, then claim, and set aside what is paused, until something is not."""
    release(connection)
    for _ in range(ROUNDS_MAX):
        rows = CLAIM.run(connection, limit=max(limit, ROUND_MIN))
        pauses = [pause for pause, is_over in _pauses(rows[0][-1]) if not is_over] if rows else []
        open, paused = [], {}
        for payment in (claimed(row[:-1], schedules) for row in rows):
            holding = next((pause.id for pause in pauses if pause.holds(payment)), None)
            if holding is None:
                open.append(payment)
            else:
                paused[payment.id] = holding
        _set_aside(connection, paused)
        if open or not paused:
            return open[:limit]
    return []


def _pauses(pauses: Sequence[Sequence[str | None]] | None) -> list[tuple[UnreleasedPause, bool]]:
    """The pauses of a row of CLAIM, and whether each is over."""
    return [
        (UnreleasedPause(id or "", type, merchant_id, currency), is_over == "true")
        for id, type, merchant_id, currency, is_over in pauses or ()
    ]


PAUSED = pg_arrays.Columns("paused", "payment_id uuid, pause_id uuid")

SET_ASIDE = f"""
WITH kept AS (
    INSERT INTO paused_payments (payment_id, pause_id, due_at)
    SELECT paused.payment_id, paused.pause_id, p.due_at
    FROM {PAUSED.unnest} JOIN payments p ON p.id = paused.payment_id AND p.id = ANY({PAUSED.array("payment_id")})
    ON CONFLICT (payment_id) DO UPDATE SET pause_id = excluded.pause_id
)
UPDATE payments SET due_at = coalesce(expires_at, 'infinity') WHERE id = ANY({PAUSED.array("payment_id")})
"""
"""A payment that ops retried while it was set aside keeps its place."""


def _set_aside(connection: Connection, paused: dict[str, str]) -> None:
    """Set locked payments aside, each with the id of its pause."""
    if paused:
        connection.exec_driver_sql(SET_ASIDE, PAUSED.parameters(payment_id=paused, pause_id=paused.values()))


TAKE_BACK = f"""
DELETE FROM paused_payments WHERE payment_id IN (
    SELECT s.payment_id FROM paused_payments s JOIN pauses q ON q.id = s.pause_id
    WHERE q.released_at IS NULL AND {IS_OVER} ORDER BY s.due_at, s.payment_id LIMIT {RELEASED_MAX})
RETURNING payment_id::text, due_at
"""

DUE = pg_arrays.Columns("due", "payment_id uuid, due_at timestamptz")

MAKE_DUE = f"""
UPDATE payments p SET due_at = due.due_at FROM {DUE.unnest}
WHERE p.id = due.payment_id AND p.id = ANY({DUE.array("payment_id")}) AND p.state = 'INITIATED'
"""

END = f"""
UPDATE pauses q SET released_at = now() WHERE q.released_at IS NULL AND {IS_OVER}
AND NOT EXISTS (SELECT FROM paused_payments s WHERE s.pause_id = q.id)
"""


def release(connection: Connection) -> bool:
    """Make the payments of pauses that are over due again as they were, the oldest first; True if more remain.

    The caller holds the posting lock. A payment that another pause holds too is set aside again when it is claimed.
    """
    taken = connection.exec_driver_sql(TAKE_BACK).all()
    if taken:
        connection.exec_driver_sql(MAKE_DUE, DUE.parameters(taken))
    connection.exec_driver_sql(END)
    return len(taken) == RELEASED_MAX


class PausedPayment(NamedTuple):
    """Since when a payment is set aside, and until when at the latest, if that is known; the reason is for ops."""

    since: datetime
    until: datetime | None
    reason: str


def paused(connection: Connection, payment_ids: Sequence[str]) -> dict[str, PausedPayment]:
    """Those of the payments that are set aside."""
    rows = connection.exec_driver_sql(
        "SELECT s.payment_id::text, s.since, q.until, q.reason"
        " FROM paused_payments s JOIN pauses q ON q.id = s.pause_id WHERE s.payment_id = ANY(%s::uuid[])",
        (pg_arrays.plain(payment_ids),),
    )
    return {id: PausedPayment(*members) for id, *members in rows}


COUNTED_MAX = 10_000
"""Counting stops here: readers need no exact number."""


def count(connection: Connection) -> int:
    """Number of payments set aside, counted up to 10,000."""
    return connection.exec_driver_sql(
        f"SELECT count(*) FROM (SELECT FROM paused_payments LIMIT {COUNTED_MAX}) AS counted"
    ).scalar_one()
