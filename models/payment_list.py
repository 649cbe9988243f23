"""Pages of payments: which ones a viewer sees, and with which values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from models.account import Party
from models.keyset import START, Cursor, all_of
from models.payment_search import OF_USER, SCANNED_MAX, Column, Filter, Keyset, ListQuery, Page, search
from models.payment_view import by_ids
from models.rules.visibility import SEES_COMMISSION, VISIBLE, Rule


class Viewer(NamedTuple):
    """The user who reads, and whether they may read everything; without an id it is the system itself."""

    id: str | None = None
    reads_all: bool = False


def _account(side: str, shown: str) -> str:
    """A value of one side; no EXISTS, for which all accounts might be read."""
    return f"(SELECT {shown} FROM accounts a WHERE a.id = p.{side}_id)"


def _gave(side: str) -> str:
    """Whether the initiator knows the token of one side: they gave it, and the account got no other since."""
    is_older = "(p.created_at < a.token_since) IS NOT TRUE AND (a.token_since IS NULL OR p.parent_id IS NULL)"
    return f"p.user_id = %(user_id)s AND p.type <> 'adjustment' AND {_account(side, is_older)}"


def _name(side: str) -> str:
    name = "coalesce((SELECT u.name FROM users u WHERE u.id = a.owner_id), a.code)"
    return f"coalesce({_account(side, name)}, '')"


def _payee(shown: str) -> str:
    """A value of the payee of a bank payout."""
    return f"(SELECT {shown} FROM instructions i WHERE i.payment_id = p.id)"


def _balance(side: str) -> str:
    return f"""(SELECT o.balance_after FROM operations o WHERE o.payment_id = p.id AND o.account_id = p.{side}_id
                ORDER BY o.line DESC LIMIT 1)"""


_MOVED = "coalesce(p.captured_amount, p.amount)"

FACTS = {
    "is_initiator": "p.user_id = %(user_id)s",
    "owns_source": _account("source", "a.owner_id = %(user_id)s"),
    "owns_target": _account("target", "a.owner_id = %(user_id)s"),
    "is_borne_by_target": f"p.type = 'charge' OR {_account('source', 'a.owner_id')} IS NULL",
    "is_exchanged": "p.target_amount IS NOT NULL",
    "is_undecided": "p.type = 'transfer' AND p.finalized_at IS NULL AND p.target_amount IS NULL",
    "gave_source": _gave("source"),
    "gave_target": _gave("target"),
    "source_token": _account("source", "a.token"),
    "target_token": _account("target", "a.token"),
    "moved": _MOVED,
    "arrived": f"coalesce(p.target_amount, {_MOVED} - CASE p.type WHEN 'refund' THEN 0 ELSE p.commission END)",
    "arrived_currency": "coalesce(p.target_currency, p.currency)",
    "source_balance": _balance("source"),
    "target_balance": _balance("target"),
}
"""Facts about payment `p` and its viewer, by which `models/rules/visibility.py` decides, besides stored columns."""


def _case(rule: Rule) -> str:
    """SQL of what the rule decides."""
    names = {"always": "TRUE", "nothing": "NULL", "reads_all": "%(reads_all)s"}
    if rule is not SEES_COMMISSION:
        names["sees_commission"] = _case(SEES_COMMISSION)
    parts = [f"WHEN {names.get(when, f'p.{when}')} THEN {names.get(value, f'p.{value}')}" for when, value in rule]
    return f"CASE {' '.join(parts)} END"


COLUMNS = {
    "id": Column("p.id", "uuid", is_keyed=True),
    "type": Column("p.type"),
    "state": Column("p.state"),
    "source": Column(_case(VISIBLE["source"])),
    "source[name]": Column(_name("source")),
    "source[last4]": Column(_account("source", "right(a.token, 4)")),
    "target": Column(_case(VISIBLE["target"])),
    "target[name]": Column(f"coalesce({_payee('i.name')}, {_name('target')})"),
    "target[last4]": Column(f"coalesce({_payee('right(i.iban, 4)')}, {_account('target', 'right(a.token, 4)')})"),
    "amount": Column(_case(VISIBLE["amount"]), "numeric", "currency"),
    "currency": Column(_case(VISIBLE["currency"])),
    "commission": Column(_case(VISIBLE["commission"]), "numeric", "currency"),
    "target_amount": Column(_case(VISIBLE["target_amount"]), "numeric", "target_currency"),
    "target_currency": Column("p.arrived_currency"),
    "rate": Column("(p.rate * 1e18)::numeric(38,0)", "numeric"),
    "summary": Column("p.summary"),
    "reference": Column("p.reference"),
    "reason": Column("p.reason"),
    "metadata": Column(_case(VISIBLE["metadata"]), "jsonb"),
    "failure": Column("p.failure_code"),
    "attempts": Column("p.attempts", "integer"),
    "next_attempt_at": Column(
        "CASE WHEN p.state = 'INITIATED' AND p.parked_at IS NULL AND p.due_at < 'infinity' THEN p.due_at END",
        "timestamptz",
    ),
    "captured_amount": Column(
        "CASE WHEN p.type = 'charge' THEN CASE p.state WHEN 'COMPLETED' THEN p.moved ELSE 0 END END",
        "numeric",
        "currency",
    ),
    "refunded_amount": Column(
        """CASE WHEN p.type = 'charge'
            THEN coalesce((SELECT t.refunded FROM refund_totals t WHERE t.payment_id = p.id), 0) END""",
        "numeric",
        "currency",
    ),
    "merchant": Column("CASE WHEN p.type = 'charge' THEN p.user_id END", "uuid"),
    "balance_after": Column(_case(VISIBLE["balance_after"]), "numeric", "currency"),
    "parent": Column("p.parent_id", "uuid", is_keyed=True),
    "bulk": Column("p.bulk_id", "uuid", is_keyed=True),
    "scheduled_at": Column("p.scheduled_at", "timestamptz"),
    "expires_at": Column("p.expires_at", "timestamptz"),
    "created_at": Column("p.created_at", "timestamptz"),
    "finalized_at": Column("p.finalized_at", "timestamptz"),
}
"""Columns of payment `p` with its FACTS, as the viewer is shown them: hidden values are not searched."""


_OF_ACCOUNT = {"of account": Column("%(account_id)s IN (p.source_id, p.target_id)", "boolean")}


def page(
    connection: Connection,
    viewer: Viewer,
    query: ListQuery,
    limit: int,
    at: Cursor = START,
    *,
    of: Party | None = None,
    key: str | None = None,
) -> Page:
    """Payments visible to the viewer, as PaymentView, limited to the account `of` if given; raises TooMany.

    With an idempotency `key` those that it ordered or acted on: the viewer's own key, or that of anybody for who reads
    all.

    For an account of someone else the viewer's own payments are scanned, so that neither time nor size tells how many
    others there are.
    """
    keysets = [Keyset("TRUE")] if viewer.reads_all else OF_USER
    if of is not None and (viewer.reads_all or of.owner_id == viewer.id):
        keysets = [Keyset(f"p.{side}_id = %(account_id)s") for side in ("source", "target")]
    elif of is not None:
        query = replace(query, filters=[*query.filters, Filter("of account", "is", ["true"])])
    parameters = {"user_id": viewer.id, "reads_all": viewer.reads_all, "account_id": of and of.id}
    named = [("key", key)] if key is not None else []
    for name, value in [*named, *((filter.column, filter.value) for filter in query.filters)]:
        if name in IDS:
            ids = _ids(connection, name, {**parameters, "value": value}, query, at)
            query = replace(query, filters=[*query.filters, Filter("id", "is", ids)])
    result = search(connection, COLUMNS | _OF_ACCOUNT, FACTS, keysets, query, limit, at, parameters)
    views = by_ids(connection, [key.id for key in result.keys])
    return result._replace(rows=[views[key.id] for key in result.keys])


IDS = {
    "key": "SELECT payment_id AS id FROM idempotency_keys WHERE key = %(value)s AND payment_id IS NOT NULL"
    " AND (%(reads_all)s OR user_id = %(user_id)s::uuid)",
    "parent": "SELECT child_id AS id FROM payment_children WHERE parent_id = ANY(%(value)s::uuid[])",
}
"""Ids that are read before the payments: with them in its conditions a statement is planned for their months alone."""


def _ids(
    connection: Connection, name: str, parameters: Mapping[str, object], query: ListQuery, at: Cursor
) -> list[str]:
    """Ids of IDS, the nearest to the cursor: many users may have the same key, and a charge many refunds."""
    is_ascending = not query.is_sorted and query.is_ascending is (at.after is None)
    order, compared = ("ASC", ">") if is_ascending else ("DESC", "<")
    bounds = {
        "p.id >= uuid_floor(%(created_from)s - interval '1 day')": query.created_from is not None,
        "p.id < uuid_floor(%(created_before)s + interval '1 day')": query.created_before is not None,
        f"p.id {compared} %(edge)s::uuid": at != START and not query.is_sorted,
    }
    applying = all_of(condition for condition, applies in bounds.items() if applies)
    times = {"created_from": query.created_from, "created_before": query.created_before}
    rows = connection.exec_driver_sql(
        f"SELECT p.id::text FROM ({IDS[name]}) AS p WHERE {applying} ORDER BY p.id {order} LIMIT {SCANNED_MAX}",
        {**parameters, **times, "edge": at.after or at.before},
    )
    return [row.id for row in rows]
