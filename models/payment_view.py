"""How a payment is read: with its parties and what it left on their accounts; one, or a page of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import arrays
from models.account import Party


class PaymentView(NamedTuple):
    """A payment with its parties; amounts in minor units, `digits` those of its currency."""

    id: str
    type: str
    state: str
    user_id: str
    amount: int
    currency: str
    digits: int
    commission: int
    summary: str | None
    reference: str | None
    metadata: dict[str, object] | None
    failure_code: str | None
    attempts: int
    due_at: datetime
    parked_at: datetime | None
    created_at: datetime
    finalized_at: datetime | None
    version: int
    source: Party
    target: Party
    source_balance_after: int | None
    target_balance_after: int | None


@dataclass(frozen=True)
class Filter:
    """Which payments a page is of; None and empty mean any. Times: created_at from (inclusive) and before."""

    states: Sequence[str] = ()
    types: Sequence[str] = ()
    account_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


def _party(side: str) -> str:
    return f"""(
        SELECT ARRAY[a.token, a.owner_id::text, a.currency,
                     coalesce((SELECT name FROM users WHERE id = a.owner_id), a.code)]
        FROM accounts a WHERE a.id = p.{side}_id)"""


VIEWS = f"""
SELECT p.id::text, p.type, p.state, p.user_id::text, p.amount::text, p.currency,
       (SELECT digits FROM currencies WHERE code = p.currency), p.commission::text,
       p.summary, p.reference, p.metadata, p.failure_code, p.attempts, p.due_at, p.parked_at, p.created_at,
       p.finalized_at, p.version,
       p.source_id::text, p.target_id::text, {_party("source")}, {_party("target")},
       (SELECT array_agg(ARRAY[o.account_id::text, o.balance_after::text] ORDER BY o.line) FROM operations o
        WHERE o.payment_id = p.id AND o.payment_id = ANY(%(ids)s::uuid[]))
FROM payments p WHERE p.id = ANY(%(ids)s::uuid[])
"""
"""Sub-selects, not joins: planning one join of all these tables costs more than everything else."""


def by_id(connection: Connection, id: str) -> PaymentView | None:
    """The payment, or None."""
    return by_ids(connection, [id]).get(id)


def by_ids(connection: Connection, ids: Sequence[str]) -> dict[str, PaymentView]:
    """Several payments by id; unknown ones are left out."""
    return {row[0]: _view(row) for row in connection.exec_driver_sql(VIEWS, {"ids": arrays.plain(ids)})}


def _view(row: Row) -> PaymentView:
    source_id, target_id, source, target, operations = row[18:23]
    after = {account_id: int(balance) for account_id, balance in operations or ()}
    unknown = (None, None, row[5], "")
    return PaymentView._make(
        (
            *row[:4],
            int(row[4]),
            *row[5:7],
            int(row[7]),
            *row[8:18],
            Party(source_id, *(source or unknown)),
            Party(target_id, *(target or unknown)),
            after.get(source_id),
            after.get(target_id),
        )
    )


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
    conditions, order = _conditions(where, before, after)
    keyset = f"SELECT p.id FROM payments p WHERE {{}} AND {conditions} ORDER BY p.id {order} LIMIT %(limit)s"
    accounts = "FROM accounts a CROSS JOIN LATERAL"
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
            f"SELECT k.id {accounts} ({keyset.format('p.source_id = a.id')}) k WHERE a.owner_id = %(user_id)s",
            f"SELECT k.id {accounts} ({keyset.format('p.target_id = a.id')}) k WHERE a.owner_id = %(user_id)s",
        ]
    else:
        branches = [keyset.format("TRUE")]
    union = " UNION ".join(f"({branch})" for branch in branches)
    rows = connection.exec_driver_sql(
        f"SELECT id::text FROM ({union}) AS page ORDER BY id {order} LIMIT %(limit)s",
        {
            "user_id": user_id,
            "limit": limit,
            "edge": after or before,
            "account_id": where.account_id,
            "states": arrays.plain(where.states),
            "types": arrays.plain(where.types),
            "created_from": where.created_from,
            "created_before": where.created_before,
        },
    )
    ids = [row[0] for row in rows]
    views = by_ids(connection, ids)
    return [views[id] for id in ids]


def _conditions(where: Filter, before: str | None, after: str | None) -> tuple[str, str]:
    """The fixed fragments that apply, and the order. Times bound the ids too, a day wide, so that partitions prune."""
    fragments = {
        "p.id < %(edge)s": before is not None and after is None,
        "p.id > %(edge)s": after is not None,
        "p.state = ANY(%(states)s::text[])": bool(where.states),
        "p.type = ANY(%(types)s::text[])": bool(where.types),
        "p.created_at >= %(created_from)s AND p.id >= uuid_floor(%(created_from)s - interval '1 day')": (
            where.created_from is not None
        ),
        "p.created_at < %(created_before)s AND p.id < uuid_floor(%(created_before)s + interval '1 day')": (
            where.created_before is not None
        ),
    }
    applying = [fragment for fragment, applies in fragments.items() if applies]
    return " AND ".join(applying) or "TRUE", "ASC" if after is not None else "DESC"
