"""A wallet's history: what each decided payment did to it, what it held at a time, and what happened between."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import arrays, keyset
from models.keyset import OPERATORS


class HistoryRow(NamedTuple):
    """What a payment, by its `id`, did to one wallet; amounts in minor units, negative where money left.

    `amount` has the commission folded in. Of a FAILED payment it is what was ordered, in the order's currency, and no
    balance is left. `commission` is None if the other side bears it.
    """

    id: str
    type: str
    is_success: bool
    amount: int
    currency: str
    digits: int
    commission: int | None
    balance_after: int | None
    counterparty_name: str
    counterparty_token: str | None
    summary: str | None
    reference: str | None
    failure_code: str | None
    created_at: datetime
    finalized_at: datetime


@dataclass(frozen=True)
class HistoryFilter:
    """Which rows of a wallet; None and empty mean any. Times as in payment_view.Filter.

    `amounts` bounds what the row shows, whatever its sign: pairs of a word of OPERATORS and minor units.
    """

    types: Sequence[str] = ()
    is_success: bool | None = None
    is_incoming: bool | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    amounts: Sequence[tuple[str, int]] = ()


ROWS = """
SELECT p.id::text, p.type, p.state = 'COMPLETED', p.target_id = %(account_id)s::uuid, p.amount::text, p.currency,
       (SELECT digits FROM currencies WHERE code = p.currency), p.target_amount::text, p.target_currency,
       (SELECT digits FROM currencies WHERE code = p.target_currency), p.commission::text,
       (SELECT ARRAY[sum(o.amount)::text, (array_agg(o.balance_after ORDER BY o.account_seq DESC))[1]::text,
                     min(o.currency), (SELECT digits FROM currencies WHERE code = min(o.currency))::text]
        FROM operations o
        WHERE o.payment_id = p.id AND o.payment_id = ANY(%(ids)s::uuid[]) AND o.account_id = %(account_id)s
        GROUP BY o.payment_id),
       (SELECT ARRAY[coalesce((SELECT name FROM users WHERE id = a.owner_id), a.code), a.token]
        FROM accounts a WHERE a.id = CASE p.source_id WHEN %(account_id)s::uuid THEN p.target_id ELSE p.source_id END),
       p.summary, p.reference, p.failure_code, p.created_at, p.finalized_at
FROM payments p WHERE p.id = ANY(%(ids)s::uuid[])
"""

BATCH_MAX = 500
"""Each row looks through the ids of its batch, so that partitions prune: ten thousand at once would take seconds."""

EFFECT = """CASE p.state WHEN 'COMPLETED' THEN abs((
    SELECT sum(o.amount) FROM operations o WHERE o.payment_id = p.id AND o.account_id = %(account_id)s))
    ELSE (SELECT CASE a.currency WHEN p.target_currency THEN p.target_amount WHEN p.currency THEN p.amount END
          FROM accounts a WHERE a.id = %(account_id)s) END"""
"""How much a row shows, without its sign; of a payment FAILED in another currency nothing that could be compared."""


def page(
    connection: Connection,
    account_id: str,
    where: HistoryFilter,
    limit: int,
    *,
    before: str | None = None,
    after: str | None = None,
) -> list[HistoryRow]:
    """What decided payments did to the account, newest order first: those before payment id `before`.

    With `after` instead, oldest first, those after it. Two keysets, out of the account and into it.
    """
    edge, order = keyset.edge(before, after, "p.id")
    conditions = keyset.applying(
        {
            edge: True,
            "p.state IN ('COMPLETED', 'FAILED')": where.is_success is None,
            "p.state = 'COMPLETED'": where.is_success is True,
            "p.state = 'FAILED'": where.is_success is False,
            "p.type = ANY(%(types)s::text[])": bool(where.types),
            keyset.CREATED_FROM: where.created_from is not None,
            keyset.CREATED_BEFORE: where.created_before is not None,
            **{f"{EFFECT} {OPERATORS[word]} %(amount_{word})s": True for word, _ in where.amounts},
        }
    )
    sides = {"source": where.is_incoming is not True, "target": where.is_incoming is not False}
    union = " UNION ALL ".join(
        f"(SELECT p.id FROM payments p WHERE p.{side}_id = %(account_id)s AND {conditions}"
        f" ORDER BY {order} LIMIT %(limit)s)"
        for side, applies in sides.items()
        if applies
    )
    ids = connection.exec_driver_sql(
        f"SELECT p.id::text FROM ({union}) AS p ORDER BY {order} LIMIT %(limit)s",
        {
            "account_id": account_id,
            "limit": limit,
            "edge": after or before,
            "types": arrays.plain(where.types),
            "created_from": where.created_from,
            "created_before": where.created_before,
            **{f"amount_{word}": amount for word, amount in where.amounts},
        },
    )
    return _rows(connection, account_id, [row[0] for row in ids])


def _rows(connection: Connection, account_id: str, ids: Sequence[str]) -> list[HistoryRow]:
    """The rows of these payments, in the order of the ids."""
    by_id = {}
    for at in range(0, len(ids), BATCH_MAX):
        batch = {"account_id": account_id, "ids": arrays.plain(ids[at : at + BATCH_MAX])}
        by_id.update({row[0]: _row(row) for row in connection.exec_driver_sql(ROWS, batch)})
    return [by_id[id] for id in ids]


def _row(row: Row) -> HistoryRow:
    id, type, is_success, is_incoming, *ordered, commission, effect, counterparty = row[:13]
    name, token = counterparty or ("", None)
    balance, (amount, currency, digits) = None, ordered[:3]
    if is_success:
        amount, balance, currency, digits = effect
    elif is_incoming and ordered[3]:
        amount, currency, digits = ordered[3:]
    elif not is_incoming:
        amount = f"-{amount}"
    # The merchant bears the commission of a charge, the owner that of what comes from outside, otherwise the payer.
    is_borne_by_target = type == "charge" or (is_incoming and token is None)
    return HistoryRow(
        id,
        type,
        is_success,
        int(amount),
        currency,
        int(digits),
        int(commission) if is_incoming is is_borne_by_target else None,
        None if balance is None else int(balance),
        name,
        token,
        *row[13:],
    )


class Position(NamedTuple):
    """How far an account had come at a time: the account_seq of its newest operation, 0 if none, and its balance."""

    account_seq: int
    balance: int


POSITION = """
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, last_seq FROM accounts WHERE id = %(account_id)s
    UNION ALL
    SELECT CASE WHEN is_before THEN middle ELSE low END, CASE WHEN is_before THEN high ELSE middle - 1 END
    FROM search
    CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle) AS half
    CROSS JOIN LATERAL (SELECT (SELECT o.created_at < %(moment)s FROM operations o
                                WHERE o.account_id = %(account_id)s AND o.account_seq = middle) AS is_before) AS tried
    WHERE low < high
)
SELECT low, coalesce((SELECT o.balance_after FROM operations o
                      WHERE o.account_id = %(account_id)s AND o.account_seq = low), 0)::text
FROM search WHERE low = high
"""
"""The operations of an account are numbered densely and in time: halving finds one of a million in twenty looks."""


def position(connection: Connection, account_id: str, before: datetime) -> Position:
    """Where the account stood right before that time."""
    parameters = {"account_id": account_id, "moment": before}
    seq, balance = connection.exec_driver_sql(POSITION, parameters).one()
    return Position(seq, int(balance))


def between(connection: Connection, account_id: str, start: Position, end: Position, limit: int) -> list[HistoryRow]:
    """What COMPLETED payments did to the account between two positions, oldest first."""
    ids = connection.exec_driver_sql(
        "SELECT payment_id::text FROM operations WHERE account_id = %s AND account_seq > %s AND account_seq <= %s "
        "GROUP BY payment_id ORDER BY max(account_seq) LIMIT %s",
        (account_id, start.account_seq, end.account_seq, limit),
    )
    return _rows(connection, account_id, [row[0] for row in ids])
