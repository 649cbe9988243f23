"""Pages of payments: who sees which, in which order, and of which they are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from models import arrays
from models.keyset import CREATED_BEFORE, CREATED_FROM, OPERATORS, applying
from models.payment_view import PaymentView, by_ids


@dataclass(frozen=True)
class Filter:
    """Which payments a page is of; None and empty mean any. Times: created_at from (inclusive) and before.

    `bounds` are triples of a word of BOUNDED, a word of OPERATORS and a value; amounts in minor units. `metadata`
    finds those alone that he ordered himself: nobody else sees it. `by_amount` is the largest first.
    """

    states: Sequence[str] = ()
    types: Sequence[str] = ()
    account_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    currencies: Sequence[str] = ()
    parents: Sequence[str] = ()
    reasons: Sequence[str] = ()
    failures: Sequence[str] = ()
    reference: str | None = None
    summary: str | None = None
    metadata: Mapping[str, str] | None = None
    bounds: Sequence[tuple[str, str, object]] = ()
    by_amount: bool = False


_OWNS = "EXISTS (SELECT FROM accounts a WHERE a.id = {side}_id AND a.owner_id = %(user_id)s)"
_IS_TOLD = f"""CASE WHEN {{p}}.type = 'charge'
                    OR (SELECT a.owner_id FROM accounts a WHERE a.id = {{p}}.source_id) IS NULL
               THEN {_OWNS.format(side="{p}.target")} ELSE {_OWNS.format(side="{p}.source")} END"""
_MOVED = "coalesce({p}.captured_amount, {p}.amount)"
AMOUNT = f"""CASE
    WHEN {{p}}.commission = 0 AND coalesce({{p}}.captured_amount, {{p}}.target_amount) IS NULL THEN {{p}}.amount
    WHEN %(user_id)s IS NULL OR {_IS_TOLD} THEN {{p}}.amount
    WHEN NOT {_OWNS.format(side="{p}.target")} THEN {_MOVED}
    WHEN {{p}}.type = 'refund' THEN {_MOVED}
    ELSE coalesce({{p}}.target_amount, {_MOVED} - {{p}}.commission) END"""
CURRENCY = f"""CASE WHEN {{p}}.target_currency IS NULL OR %(user_id)s IS NULL OR {_IS_TOLD}
    OR NOT {_OWNS.format(side="{p}.target")} THEN {{p}}.currency ELSE {{p}}.target_currency END"""
"""What the payment `p` shows to whoever reads: another amount would tell the commission to who may not see it."""

BOUNDED = {
    "amount": AMOUNT.format(p="p"),
    "finalized_at": "p.finalized_at",
    "scheduled_at": "p.scheduled_at",
    "expires_at": "p.expires_at",
}
"""What a filter may bound, beside created_at."""


def page(
    connection: Connection,
    user_id: str | None,
    where: Filter,
    limit: int,
    *,
    before: str | None = None,
    after: str | None = None,
) -> list[PaymentView]:
    """Payments visible to `user_id` (None: all), newest first: those before id `before`.

    With `after` instead, oldest first, those after that id. Three keysets (ordered by him, out of his accounts, into
    his accounts), each bounded by `limit`, so that the page costs the same however long the history is.
    """
    conditions = _conditions(where, before, after)
    direction = "ASC" if after is not None else "DESC"
    rank, order = "NULL", f"p.id {direction}"
    if where.by_amount:
        rank, order = BOUNDED["amount"], f"rank {direction}, p.id {direction}"
    keyset = f"SELECT p.id, {rank} AS rank FROM payments p WHERE {{}} AND {conditions} ORDER BY {order} LIMIT %(limit)s"
    accounts = "SELECT k.id, k.rank FROM accounts a CROSS JOIN LATERAL"
    if where.account_id is not None:
        visible = (
            "TRUE"
            if user_id is None
            else "(p.user_id = %(user_id)s"
            " OR EXISTS (SELECT FROM accounts a WHERE a.id IN (p.source_id, p.target_id) AND a.owner_id = %(user_id)s))"
        )
        branches = [
            keyset.format(f"{visible} AND p.source_id = %(account_id)s"),
            keyset.format(f"{visible} AND p.target_id = %(account_id)s"),
        ]
    elif user_id is not None:
        branches = [
            keyset.format("p.user_id = %(user_id)s"),
            f"{accounts} ({keyset.format('p.source_id = a.id')}) k WHERE a.owner_id = %(user_id)s",
            f"{accounts} ({keyset.format('p.target_id = a.id')}) k WHERE a.owner_id = %(user_id)s",
        ]
    else:
        branches = [keyset.format("TRUE")]
    union = " UNION ".join(f"({branch})" for branch in branches)
    rows = connection.exec_driver_sql(
        f"SELECT p.id::text FROM ({union}) AS p ORDER BY {order} LIMIT %(limit)s",
        {
            "user_id": user_id,
            "limit": limit,
            "edge": after or before,
            "account_id": where.account_id,
            "states": arrays.plain(where.states),
            "types": arrays.plain(where.types),
            "created_from": where.created_from,
            "created_before": where.created_before,
            "currencies": arrays.plain(where.currencies),
            "parents": arrays.plain(where.parents),
            "reasons": arrays.plain(where.reasons),
            "failures": arrays.plain(where.failures),
            "reference": where.reference,
            "summary": where.summary,
            "metadata": json.dumps(where.metadata),
            **{f"bound_{number}": value for number, (_, _, value) in enumerate(where.bounds)},
        },
    )
    ids = [row[0] for row in rows]
    views = by_ids(connection, ids)
    return [views[id] for id in ids]


def _conditions(where: Filter, before: str | None, after: str | None) -> str:
    """The fixed fragments that apply."""
    edge = "p.id {} %(edge)s"
    if where.by_amount:
        last = f"SELECT {AMOUNT.format(p='e')}, e.id FROM payments e WHERE e.id = %(edge)s"
        edge = f"({BOUNDED['amount']}, p.id) {{}} ({last})"
    return applying(
        {
            edge.format("<"): before is not None and after is None,
            edge.format(">"): after is not None,
            "p.state = ANY(%(states)s::text[])": bool(where.states),
            "p.type = ANY(%(types)s::text[])": bool(where.types),
            f"{CURRENCY.format(p='p')} = ANY(%(currencies)s::text[])": bool(where.currencies),
            "p.parent_id = ANY(%(parents)s::uuid[])": bool(where.parents),
            "p.reason = ANY(%(reasons)s::text[])": bool(where.reasons),
            "p.failure_code = ANY(%(failures)s::text[])": bool(where.failures),
            "p.reference = %(reference)s": where.reference is not None,
            "p.summary = %(summary)s": where.summary is not None,
            "p.metadata @> %(metadata)s::jsonb AND coalesce(p.user_id = %(user_id)s, true)": bool(where.metadata),
            CREATED_FROM: where.created_from is not None,
            CREATED_BEFORE: where.created_before is not None,
            **{
                f"{BOUNDED[name]} {OPERATORS[word]} %(bound_{number})s": True
                for number, (name, word, _) in enumerate(where.bounds)
            },
        }
    )
