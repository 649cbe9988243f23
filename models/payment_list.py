"""Pages of payments: which ones a viewer sees, and with which values."""

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from models.account import Party
from models.keyset import START, Cursor
from models.payment_search import Column, Filter, Keyset, ListQuery, Page, search
from models.payment_view import by_ids


class Viewer(NamedTuple):
    """The user who reads, and whether they may read everything; without an id it is the system itself."""

    id: str | None = None
    reads_all: bool = False


_READS_ALL = "%(reads_all)s"
_IS_INITIATOR = "p.user_id = %(user_id)s"


def _account(side: str, shown: str) -> str:
    return f"(SELECT {shown} FROM accounts a WHERE a.id = p.{side}_id)"


def _owns(side: str) -> str:
    return f"EXISTS (SELECT FROM accounts a WHERE a.id = p.{side}_id AND a.owner_id = %(user_id)s)"


def _token(side: str) -> str:
    """Token of one side: visible to its owner, and to the initiator unless the account got another token since."""
    return f"""(SELECT a.token FROM accounts a WHERE a.id = p.{side}_id AND (
        a.owner_id = %(user_id)s OR ({_IS_INITIATOR} AND p.type <> 'adjustment'
                                     AND (p.created_at < a.token_since) IS NOT TRUE
                                     AND (a.token_since IS NULL OR p.parent_id IS NULL))))"""


def _name(side: str) -> str:
    name = "coalesce((SELECT u.name FROM users u WHERE u.id = a.owner_id), a.code)"
    return f"coalesce({_account(side, name)}, '')"


def _payee(shown: str) -> str:
    """A value of the payee of a bank payout."""
    return f"(SELECT {shown} FROM instructions i WHERE i.payment_id = p.id)"


def _balance(side: str) -> str:
    return f"""(SELECT o.balance_after FROM operations o WHERE o.payment_id = p.id AND o.account_id = p.{side}_id
                ORDER BY o.line DESC LIMIT 1)"""


_SEES_COMMISSION = f"""({_READS_ALL} OR CASE WHEN p.type = 'charge' OR {_account("source", "a.owner_id")} IS NULL
                                THEN {_owns("target")} ELSE {_owns("source")} END)"""
_IS_OPEN = f"p.type = 'transfer' AND p.finalized_at IS NULL AND p.target_amount IS NULL AND NOT {_SEES_COMMISSION}"
_MOVED = "coalesce(p.captured_amount, p.amount)"
_ARRIVED = f"CASE p.type WHEN 'refund' THEN {_MOVED} ELSE {_MOVED} - p.commission END"
_IS_PLAIN = "p.commission = 0 AND coalesce(p.captured_amount, p.target_amount) IS NULL"
_REFUNDED = "coalesce((SELECT t.refunded FROM refund_totals t WHERE t.payment_id = p.id), 0)"

COLUMNS = {
    "id": Column("p.id", "uuid", is_keyed=True),
    "type": Column("p.type"),
    "state": Column("p.state"),
    "source": Column(_token("source")),
    "source[name]": Column(_name("source")),
    "source[last4]": Column(_account("source", "right(a.token, 4)")),
    "target": Column(_token("target")),
    "target[name]": Column(f"coalesce({_payee('i.name')}, {_name('target')})"),
    "target[last4]": Column(f"coalesce({_payee('right(i.iban, 4)')}, {_account('target', 'right(a.token, 4)')})"),
    "amount": Column(
        f"""CASE WHEN {_IS_OPEN} THEN NULL WHEN {_IS_PLAIN} OR {_SEES_COMMISSION} THEN p.amount
            WHEN NOT {_owns("target")} THEN {_MOVED} ELSE coalesce(p.target_amount, {_ARRIVED}) END""",
        "numeric",
        "currency",
    ),
    "currency": Column(
        f"""CASE WHEN p.target_currency IS NULL OR {_SEES_COMMISSION} OR NOT {_owns("target")}
            THEN p.currency ELSE p.target_currency END"""
    ),
    "commission": Column(f"CASE WHEN {_SEES_COMMISSION} THEN p.commission END", "numeric", "currency"),
    "target_amount": Column(
        f"""CASE WHEN {_IS_OPEN} THEN NULL WHEN {_IS_PLAIN} THEN p.amount
            WHEN p.target_amount IS NOT NULL THEN p.target_amount
            WHEN {_SEES_COMMISSION} OR {_owns("target")} THEN {_ARRIVED} ELSE {_MOVED} END""",
        "numeric",
        "target_currency",
    ),
    "target_currency": Column("coalesce(p.target_currency, p.currency)"),
    "rate": Column("(p.rate * 1e18)::numeric(38,0)", "numeric"),
    "summary": Column("p.summary"),
    "reference": Column("p.reference"),
    "reason": Column("p.reason"),
    "metadata": Column(f"CASE WHEN {_READS_ALL} OR {_IS_INITIATOR} THEN p.metadata END", "jsonb"),
    "failure": Column("p.failure_code"),
    "attempts": Column("p.attempts", "integer"),
    "next_attempt_at": Column(
        "CASE WHEN p.state = 'INITIATED' AND p.parked_at IS NULL THEN p.due_at END", "timestamptz"
    ),
    "captured_amount": Column(
        f"CASE WHEN p.type = 'charge' THEN CASE p.state WHEN 'COMPLETED' THEN {_MOVED} ELSE 0 END END",
        "numeric",
        "currency",
    ),
    "refunded_amount": Column(f"CASE WHEN p.type = 'charge' THEN {_REFUNDED} END", "numeric", "currency"),
    "merchant": Column("CASE WHEN p.type = 'charge' THEN p.user_id END", "uuid"),
    "balance_after": Column(
        f"""CASE WHEN {_owns("source")} THEN {_balance("source")}
            WHEN {_owns("target")} THEN {_balance("target")} END""",
        "numeric",
        "currency",
    ),
    "parent": Column("p.parent_id", "uuid", is_keyed=True),
    "bulk": Column("p.bulk_id", "uuid", is_keyed=True),
    "scheduled_at": Column("p.scheduled_at", "timestamptz"),
    "expires_at": Column("p.expires_at", "timestamptz"),
    "created_at": Column("p.created_at", "timestamptz"),
    "finalized_at": Column("p.finalized_at", "timestamptz"),
}
"""Columns of payment `p`, as `models/representations.py` shows them to the viewer: hidden values are not searched."""


_OF_ACCOUNT = {"of account": Column("%(account_id)s IN (p.source_id, p.target_id)", "boolean")}


def page(
    connection: Connection,
    viewer: Viewer,
    query: ListQuery,
    limit: int,
    at: Cursor = START,
    *,
    of: Party | None = None,
) -> Page:
    """Payments visible to the viewer, as PaymentView, limited to the account `of` if given; raises TooMany.

    Three keysets: ordered by the viewer, out of their accounts, and into their accounts. For an account of someone
    else the viewer's own payments are scanned, so that neither time nor size tells how many others there are.
    """
    own = [Keyset(_IS_INITIATOR), *(Keyset(f"p.{side}_id = a.id", each_own=True) for side in ("source", "target"))]
    keysets = [Keyset("TRUE")] if viewer.reads_all else own
    if of is not None and (viewer.reads_all or of.owner_id == viewer.id):
        keysets = [Keyset(f"p.{side}_id = %(account_id)s") for side in ("source", "target")]
    elif of is not None:
        query = replace(query, filters=[*query.filters, Filter("of account", "is", ["true"])])
    parameters = {"user_id": viewer.id, "reads_all": viewer.reads_all, "account_id": of and of.id}
    result = search(connection, COLUMNS | _OF_ACCOUNT, keysets, query, limit, at, parameters)
    views = by_ids(connection, [key.id for key in result.keys])
    return result._replace(rows=[views[key.id] for key in result.keys])
