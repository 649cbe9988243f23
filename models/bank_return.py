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


def keep(connection: Connection, rail: str, returns: Sequence[Return]) -> None:
    """Store the returns, each once however often the bank reports it."""
    connection.exec_driver_sql(
        "INSERT INTO returns (rail, bank_id, parent_id, amount, reason)"
        " SELECT %s, * FROM unnest(%s::text[], %s::uuid[], %s::numeric[], %s::text[]) ON CONFLICT DO NOTHING",
        (
            rail,
            pg_arrays.quoted(item.bank_id for item in returns),
            pg_arrays.plain(item.payment_id for item in returns),
            pg_arrays.plain(item.amount for item in returns),
            pg_arrays.quoted(item.reason for item in returns),
        ),
    )


OPEN_RETURNS = """
SELECT r.rail, r.bank_id, r.amount::text, r.reason, p.id::text, p.user_id::text, p.target_id::text, p.source_id::text,
       p.currency
FROM returns r JOIN payments p ON p.id = r.parent_id
WHERE r.payment_id IS NULL AND p.state = 'COMPLETED'
ORDER BY p.id LIMIT %s FOR NO KEY UPDATE OF r SKIP LOCKED
"""

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
        "UPDATE returns r SET payment_id = made.payment_id"
        " FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::uuid[]) AS made (rail, bank_id, parent_id, payment_id)"
        " WHERE (r.rail, r.bank_id, r.parent_id) = (made.rail, made.bank_id, made.parent_id)",
        (
            pg_arrays.quoted(row[0] for row in rows),
            pg_arrays.quoted(row[1] for row in rows),
            pg_arrays.plain(new.parent_id for new in payments),
            pg_arrays.plain(new.id for new in payments),
        ),
    )
    return len(payments)
