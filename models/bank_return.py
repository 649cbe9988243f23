"""What banks send back: kept once under their own number, and given back by payments of type return."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import payment, pg_arrays
from models.payment import NewPayment
from models.rules.types import PaymentType


class Return(NamedTuple):
    """Money that a bank sent back of a payment, under the bank's own id (of 1 to 100 characters); minor units."""

    bank_id: str
    payment_id: str
    amount: int
    reason: str | None = None


def keep(connection: Connection, rail: str, returns: Sequence[Return]) -> None:
    """Keep what came back, each once however often it is told."""
    connection.exec_driver_sql(
        "INSERT INTO returns (rail, bank_id, parent_id, amount, reason)"
        " SELECT %s, * FROM unnest(%s::text[], %s::uuid[], %s::numeric[], %s::text[]) ON CONFLICT DO NOTHING",
        (
            rail,
            pg_arrays.quoted(one.bank_id for one in returns),
            pg_arrays.plain(one.payment_id for one in returns),
            pg_arrays.plain(one.amount for one in returns),
            pg_arrays.quoted(one.reason for one in returns),
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
    """Order the payments that give back what came back of COMPLETED withdrawals; returns how many."""
    rows = connection.exec_driver_sql(OPEN_RETURNS, (limit,)).all()
    wishes = []
    for _, _, amount, reason, parent_id, user_id, wire_id, wallet_id, currency in rows:
        id = str(uuid7())
        key = f"return {id}"  # with a space nobody can send it, and by chance not even the gateway can take it first
        wishes.append(
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
    if not wishes:
        return 0
    payment.accept(connection, wishes)
    connection.exec_driver_sql(
        "UPDATE returns r SET payment_id = made.payment_id"
        " FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::uuid[]) AS made (rail, bank_id, parent_id, payment_id)"
        " WHERE (r.rail, r.bank_id, r.parent_id) = (made.rail, made.bank_id, made.parent_id)",
        (
            pg_arrays.quoted(row[0] for row in rows),
            pg_arrays.quoted(row[1] for row in rows),
            pg_arrays.plain(wish.parent_id for wish in wishes),
            pg_arrays.plain(wish.id for wish in wishes),
        ),
    )
    return len(wishes)
