"""Accounts: a customer's account is shown as a wallet and addressed by its token; technical ones have no owner."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import charge_limit, keyset, pg_arrays
from models.keyset import START, Cursor
from models.prepared_statement import PreparedStatement
from models.records import records
from models.rules.charge_limits import ChargeLimit

WALLET_TOKEN_BYTES = 24
"""192 random bits: any merchant that has the token may charge the wallet."""


def new_wallet_token() -> str:
    """Generate a wallet token."""
    return f"wal_{secrets.token_urlsafe(WALLET_TOKEN_BYTES)}"


class Party(NamedTuple):
    """One side of a payment; `is_active` if both account and owner are.

    `is_token_newer` if the account got its token after the payment was ordered, so that its initiator used another.
    """

    id: str
    token: str | None
    owner_id: str | None
    currency: str
    name: str
    is_active: bool = True
    is_token_newer: bool = False


class Wallet(NamedTuple):
    """A customer's account as its owner sees it; amounts in minor units."""

    id: str
    token: str
    owner_id: str
    label: str | None
    currency: str
    digits: int
    balance: int
    held: int
    is_active: bool
    is_frozen: bool
    version: int
    created_at: datetime
    charge_limits: tuple[ChargeLimit, ...] = ()
    blocked_merchants: tuple[str, ...] = ()

    @property
    def available(self) -> int:
        """Balance that may be spent, in minor units."""
        return self.balance - self.held


PARTY = """
SELECT a.id::text, a.token, a.owner_id::text, a.currency, coalesce(u.name, a.code) AS name,
       a.is_active AND coalesce(u.is_active, true) AS is_active
FROM accounts a LEFT JOIN users u ON u.id = a.owner_id
"""


BY_TOKEN = PreparedStatement("parties_by_token", f"{PARTY} WHERE a.token = ANY(%(tokens)s::text[])")


def parties_by_token(connection: Connection, tokens: Iterable[str]) -> dict[str, Party]:
    """The accounts behind wallet tokens; unknown tokens are left out."""
    rows = BY_TOKEN.run(connection, tokens=pg_arrays.quoted(tokens))
    return {party.token: party for party in records(Party, rows) if party.token}


def technical_parties(connection: Connection) -> dict[tuple[str, str], Party]:
    """All technical accounts by (code, currency); there are few, and they never change."""
    rows = connection.exec_driver_sql(f"{PARTY} WHERE a.owner_id IS NULL")
    return {(party.name, party.currency): party for party in records(Party, rows)}


WANTED = pg_arrays.Columns("wanted", "owner_id uuid, currency text")

OLDEST = PreparedStatement(
    "oldest_wallets",
    f"""
SELECT DISTINCT ON (a.owner_id, a.currency) a.id::text, a.token, a.owner_id::text, a.currency, u.name
FROM {WANTED.unnest}
JOIN accounts a USING (owner_id, currency) JOIN users u ON u.id = a.owner_id
WHERE a.is_active ORDER BY a.owner_id, a.currency, a.created_at, a.id
""",
)


def oldest_wallets(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Party]:
    """The oldest active wallet of each (owner, currency), to which charges go."""
    pairs = list(wanted)
    parameters = WANTED.parameters(owner_id=[owner for owner, _ in pairs], currency=[code for _, code in pairs])
    rows = OLDEST.run(connection, **parameters)
    return {(party.owner_id or "", party.currency): party for party in records(Party, rows)}


WALLET = f"""
SELECT a.id::text, a.token, a.owner_id::text, a.label, a.currency, c.digits, a.balance, a.held,
       a.is_active, a.is_frozen, a.version, a.created_at, {charge_limit.LIMITS} AS charge_limits,
       {charge_limit.BLOCKED} AS blocked_merchants
FROM accounts a JOIN currencies c ON c.code = a.currency
"""


def open_wallet(connection: Connection, id: str, token: str, owner_id: str, currency: str, label: str | None) -> Wallet:
    """Open a customer's account with a balance of 0."""
    connection.exec_driver_sql(
        "INSERT INTO accounts (id, token, owner_id, currency, label) VALUES (%s, %s, %s, %s, %s)",
        (id, token, owner_id, currency, label),
    )
    return _wallet(connection.exec_driver_sql(f"{WALLET} WHERE a.id = %s", (id,)).one())


def wallet_by_id(connection: Connection, id: str) -> Wallet | None:
    """The wallet, or None."""
    row = connection.exec_driver_sql(f"{WALLET} WHERE a.id = %s AND a.owner_id IS NOT NULL", (id,)).first()
    return _wallet(row) if row else None


def wallet_by_token(connection: Connection, token: str) -> Wallet | None:
    """The wallet behind a token, or None."""
    row = connection.exec_driver_sql(f"{WALLET} WHERE a.token = %s", (token,)).first()
    return _wallet(row) if row else None


def count_wallets(connection: Connection, owner_id: str) -> int:
    """Number of the owner's wallets, inactive ones included; call `user.lock` first to decide by it."""
    return connection.exec_driver_sql("SELECT count(*) FROM accounts WHERE owner_id = %s", (owner_id,)).scalar_one()


def change_wallet(connection: Connection, wallet: Wallet) -> Wallet | None:
    """Store the members of `wallet` that its owner may change, if its version is still current; None if it is not."""
    changed = connection.exec_driver_sql(
        "UPDATE accounts SET label = %s, is_active = %s, version = version + 1 WHERE id = %s AND version = %s",
        (wallet.label, wallet.is_active, wallet.id, wallet.version),
    )
    if not changed.rowcount:
        return None
    charge_limit.replace(connection, wallet.id, wallet.charge_limits, wallet.blocked_merchants)
    return wallet_by_id(connection, wallet.id)


def rotate_token(connection: Connection, id: str, old: str, new: str) -> Wallet | None:
    """Replace the wallet's token, if it is still `old`; None if it is not."""
    rotated = connection.exec_driver_sql(
        "UPDATE accounts SET token = %s, version = version + 1 WHERE id = %s AND token = %s", (new, id, old)
    )
    return wallet_by_id(connection, id) if rotated.rowcount else None


def wallets(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    owner_id: str,
    is_active: bool | None = True,
    currency: str | None = None,
) -> list[Wallet]:
    """Wallets of an owner, newest first."""
    conditions = {
        **{"a.owner_id IS NOT NULL": True, "a.owner_id = %s": owner_id},
        **{"a.is_active = %s": is_active, "a.currency = %s": currency},
    }
    return keyset.page(connection, _wallet, WALLET, conditions, limit, at, key="a.id")


def _wallet(row: Row) -> Wallet:
    limits, blocked = charge_limit.limits_of(row.charge_limits), tuple(row.blocked_merchants or ())
    return Wallet(*row)._replace(charge_limits=limits, blocked_merchants=blocked)
