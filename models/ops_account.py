"""Accounts as ops see them: wallets without their tokens, and technical accounts; with the balance at a time."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from models import balance_curve, charge_limit, keyset
from models.keyset import START, Cursor
from models.representations import amount_or_none, limit_body
from models.rules.charge_limits import ChargeLimit
from models.rules.money import render

CODES = ("internal", "commission", "wire", "wallet", "crypto", "exchange")
"""Codes of technical accounts: one of each in each currency."""


class OpsAccount(NamedTuple):
    """An account, amounts in minor units: of a user, or technical with a `code`.

    `balance_before` is the balance right before a time, None if none was asked for.
    """

    id: str
    owner_id: str | None
    code: str | None
    last4: str | None
    label: str | None
    currency: str
    digits: int
    balance: int
    held: int
    is_active: bool
    is_frozen: bool
    created_at: datetime
    charge_limits: tuple[ChargeLimit, ...]
    blocked_merchants: tuple[str, ...]
    balance_before: int | None = None


ACCOUNT = f"""
SELECT a.id::text, a.owner_id::text, a.code, right(a.token, 4) AS last4, a.label, a.currency, c.digits, a.balance,
       a.held, a.is_active, a.is_frozen, a.created_at, {charge_limit.LIMITS} AS charge_limits,
       {charge_limit.BLOCKED} AS blocked_merchants
FROM accounts a JOIN currencies c ON c.code = a.currency
"""


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    id: str | None = None,
    owner_id: str | None = None,
    codes: list[str] | None = None,
    currency: str | None = None,
    is_active: bool | None = True,
    has_moved: bool = False,
    before: datetime | None = None,
) -> list[OpsAccount]:
    """Wallets, newest first; or technical accounts of these codes; or the account of this id, whatever it is.

    With `has_moved` only those with operations: every currency has technical accounts, most of which have none.
    """
    conditions = {
        "a.owner_id IS NOT NULL": True if id is None and not codes else None,
        "a.last_seq > 0": has_moved or None,
        **{"a.id = %s": id, "a.owner_id = %s": owner_id, "a.code = ANY(%s)": codes or None},
        **{"a.is_active = %s": is_active, "a.currency = %s": currency},
    }
    rows = keyset.page(connection, _account, ACCOUNT, conditions, limit, at, key="a.id")
    if before is None:
        return rows
    found = balance_curve.balances(connection, [row.id for row in rows], [before])
    return [row._replace(balance_before=balance) for row, [balance] in zip(rows, found, strict=True)]


def _account(row: Row[Any]) -> OpsAccount:
    limits, blocked = charge_limit.limits_of(row.charge_limits), tuple(row.blocked_merchants or ())
    return OpsAccount._make((*row[:-2], limits, blocked, None))


def body(row: OpsAccount) -> dict[str, Any]:
    """The JSON of the account."""
    return {
        "id": row.id,
        "owner": row.owner_id,
        "code": row.code,
        "last4": row.last4,
        "label": row.label,
        "currency": row.currency,
        "balance": render(row.balance, row.digits),
        "held": render(row.held, row.digits),
        "available": render(row.balance - row.held, row.digits),
        "balance_at": amount_or_none(row.balance_before, row.digits),
        "is_active": row.is_active,
        "is_frozen": row.is_frozen,
        "charge_limits": [limit_body(limit, row.digits) for limit in row.charge_limits],
        "blocked_merchants": list(row.blocked_merchants),
        "created_at": row.created_at.isoformat(),
    }
