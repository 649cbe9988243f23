"""The operations of one account, technical ones included, newest first."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import keyset
from models.keyset import START, Cursor
from models.rules.money import render


class AccountOperation(NamedTuple):
    """An operation as its account sees it; amounts in minor units, negative where money left the account.

    `id` is its number on the account.
    """

    id: str
    payment_id: str
    payment_type: str
    kind: str
    amount: int
    currency: str
    digits: int
    balance_after: int
    created_at: datetime


OPERATIONS = """
SELECT o.account_seq::text AS id, o.payment_id::text,
       (SELECT p.type FROM payments p WHERE p.id = o.payment_id) AS payment_type, o.kind, o.amount, o.currency,
       (SELECT c.digits FROM currencies c WHERE c.code = o.currency) AS digits, o.balance_after, o.created_at
FROM operations o
"""


def page(connection: Connection, limit: int, at: Cursor = START, *, account_id: str) -> list[AccountOperation]:
    """Operations of the account, newest first."""
    of_account = {"o.account_id = %s": account_id}
    return keyset.page(
        connection, AccountOperation, OPERATIONS, of_account, limit, at, key="o.account_seq", kind="bigint"
    )


def body(row: AccountOperation) -> dict[str, Any]:
    """The JSON of an operation of an account."""
    return {
        "account_seq": int(row.id),
        "payment": row.payment_id,
        "type": row.payment_type,
        "kind": row.kind,
        "amount": render(row.amount, row.digits),
        "currency": row.currency,
        "balance_after": render(row.balance_after, row.digits),
        "created_at": row.created_at.isoformat(),
    }
