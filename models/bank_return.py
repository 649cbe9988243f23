"""Returns of banks: stored once by the bank's id, and credited to the wallet by payments of type return."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

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

NEW_PAYMENT = pg_arrays.Columns("new_payment", "rail text, bank_id text, parent_id uuid, payment_id uuid")

RETURNED_SUMMARY_LENGTH_MAX = 70


def give_back(connection: Connection, limit: int) -> int:
    """Order the payments that credit returns of COMPLETED withdrawals; returns their number."""
    rows = connection.exec_driver_sql(OPEN_RETURNS, (limit,)).all()
    payments = [
        NewPayment.internal(
            PaymentType.RETURN,
            row.user_id,
            (row.target_id, row.source_id),
            int(row.amount),
            row.currency,
            summary=(row.reason or "Returned by the bank")[:RETURNED_SUMMARY_LENGTH_MAX],
            parent_id=row.parent_id,
        )
        for row in rows
    ]
    if not payments:
        return 0
    payment.accept(connection, payments)
    connection.exec_driver_sql(
        f"UPDATE returns r SET payment_id = new_payment.payment_id FROM {NEW_PAYMENT.unnest}"
        " WHERE (r.rail, r.bank_id, r.parent_id) = (new_payment.rail, new_payment.bank_id, new_payment.parent_id)",
        NEW_PAYMENT.parameters(rows, payment_id=[new.id for new in payments]),
    )
    return len(payments)
