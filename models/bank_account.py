"""Bank accounts of organisations: the name a merchant pays out under, and the wallet that pays."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset
from models.keyset import START, Cursor
from models.records import record


class BankAccount(NamedTuple):
    """A bank account as it was registered, and the wallet that pays; `is_payable` if that and its owner are active."""

    id: str
    merchant_id: str
    organization_name: str
    iban: str
    bic: str | None
    account_id: str
    token: str
    currency: str
    is_payable: bool
    is_active: bool
    version: int
    created_at: datetime


BANK_ACCOUNT = """
SELECT b.id::text, b.merchant_id::text, b.organization_name, b.iban, b.bic, b.account_id::text, a.token, a.currency,
       a.is_active AND u.is_active AS is_payable, b.is_active, b.version, b.created_at
FROM bank_accounts b JOIN accounts a ON a.id = b.account_id JOIN users u ON u.id = b.merchant_id
"""


def register(
    connection: Connection, id: str, merchant_id: str, name: str, iban: str, bic: str | None, account_id: str
) -> BankAccount | None:
    """Store a bank account; None if the merchant has registered this IBAN already."""
    stored = connection.exec_driver_sql(
        "INSERT INTO bank_accounts (id, merchant_id, organization_name, iban, bic, account_id)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (merchant_id, iban) DO NOTHING",
        (id, merchant_id, name, iban, bic, account_id),
    )
    return by_id(connection, id) if stored.rowcount else None


def by_id(connection: Connection, id: str) -> BankAccount | None:
    """The bank account, or None."""
    return record(BankAccount, connection.exec_driver_sql(f"{BANK_ACCOUNT} WHERE b.id = %s", (id,)))


def by_iban(connection: Connection, merchant_id: str, iban: str) -> BankAccount | None:
    """The merchant's bank account with this IBAN, or None."""
    found = f"{BANK_ACCOUNT} WHERE b.merchant_id = %s AND b.iban = %s"
    return record(BankAccount, connection.exec_driver_sql(found, (merchant_id, iban)))


def page(connection: Connection, limit: int, at: Cursor = START, *, merchant_id: str | None) -> list[BankAccount]:
    """A merchant's (None: everybody's), newest first."""
    conditions = {"b.merchant_id = %s": merchant_id}
    return keyset.page(connection, BankAccount, BANK_ACCOUNT, conditions, limit, at, key="b.id")


def change(connection: Connection, id: str, version: int, is_active: bool) -> BankAccount | None:
    """Activate or deactivate it, if it is still at this version; None if it is not."""
    changed = connection.exec_driver_sql(
        "UPDATE bank_accounts SET is_active = %s, version = version + 1 WHERE id = %s AND version = %s",
        (is_active, id, version),
    )
    return by_id(connection, id) if changed.rowcount else None
