"""Returns of banks: stored once by the bank's id, and credited to the wallet by payments of type return."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import payment, pg_arrays
from models.payment import NewPayment
from models.rules.types import PaymentType


class Return(NamedTuple):
    """Money that a bank sent back of a payment, with the bank's id (1 to 100 characters); amount in minor units."""

    bank_id: str
    payment_id: str
    amount: int
    reason: str | None = None


RETURNED = pg_arrays.Columns("returned", "bank_id text, payment_id uuid, amount numeric, reason text")


def keep(connection: Connection, rail: str, returns: Sequence[Return]) -> None:
    """Store the returns, each once however often the bank reports it."""
    connection.exec_driver_sql(
        "INSERT INTO returns (rail, bank_id, parent_id, amount, reason)"
        f" SELECT %(rail)s, * FROM {RETURNED.unnest} ON CONFLICT DO NOTHING",
        {"rail": rail, **RETURNED.parameters(returns)},
    )


OPEN_RETURNS = """
SELECT r.rail, r.bank_id, r.amount::text, r.reason, p.id::text AS parent_id, p.user_id::text, p.target_id::text,
       p.source_id::text, p.currency
FROM returns r JOIN payments p ON p.id = r.parent_id
WHERE r.payment_id IS NULL AND p.state = 'COMPLETED'
ORDER BY p.id LIMIT %s FOR NO KEY UPDATE OF r SKIP LOCKED
"""

MADE = pg_arrays.Columns("made", "rail text, bank_id text, parent_id uuid, payment_id uuid")

RETURNED_SUMMARY_LENGTH_MAX = 70


def give_back(connection: Connection, limit: int) -> int:
    """Order the payments that credit returns of COMPLETED withdrawals; returns their number."""
    rows = connection.exec_driver_sql(OPEN_RETURNS, (limit,)).all()
    payments = []
    for _, _, amount, reason, parent_id, user_id, wire_id, wallet_id, currency in rows:
        id = str(uuid7())
        key = f"return {id}"  # no client can send a key with a space, and the random id is never used twice
        payments.append(
            NewPayment(
                id=id,
                type=PaymentType.RETURN.value,
                user_id=user_id,
                source_id=wire_id,
                target_id=wallet_id,
                amount=int(amount),
                currency=currency,
                key=key,
                fingerprint=hashlib.sha256(key.encode()).digest(),
                summary=(reason or "Returned by the bank")[:RETURNED_SUMMARY_LENGTH_MAX],
                parent_id=parent_id,
            )
        )
    if not payments:
        return 0
    payment.accept(connection, payments)
    connection.exec_driver_sql(
        f"UPDATE returns r SET payment_id = made.payment_id FROM {MADE.unnest}"
        " WHERE (r.rail, r.bank_id, r.parent_id) = (made.rail, made.bank_id, made.parent_id)",
        MADE.parameters(rows, payment_id=[new.id for new in payments]),
    )
    return len(payments)
