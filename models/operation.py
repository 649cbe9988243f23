"""Reads operations, the double entry; only `models/ledger.py` writes them."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models.records import records


class OperationView(NamedTuple):
    """One side of the double entry; amounts in minor units, negative where money left the account."""

    line: int
    account_id: str
    token: str | None
    owner_id: str | None
    name: str
    amount: int
    currency: str
    digits: int
    kind: str
    balance_after: int
    account_seq: int
    created_at: datetime


def of_payment(connection: Connection, payment_id: str) -> list[OperationView]:
    """The payment's operations by line; none unless it is COMPLETED."""
    rows = connection.exec_driver_sql(
        "SELECT o.line, a.id::text AS account_id, a.token, a.owner_id::text, coalesce(u.name, a.code) AS name,"
        " o.amount, o.currency, c.digits, o.kind, o.balance_after, o.account_seq, o.created_at "
        "FROM operations o JOIN accounts a ON a.id = o.account_id JOIN currencies c ON c.code = o.currency "
        "LEFT JOIN users u ON u.id = a.owner_id WHERE o.payment_id = %s ORDER BY o.line",
        (payment_id,),
    )
    return records(OperationView, rows)
