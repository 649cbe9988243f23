"""History of a wallet: the effect of each decided payment, the balance at a time, and totals between two times."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import pg_arrays
from models.keyset import START, Cursor
from models.payment_search import Column, Keyset, ListQuery, Page, search


class HistoryRow(NamedTuple):
    """Effect of the payment `id` on one wallet; amounts in minor units, negative where money left.

    `amount` includes the commission. For a FAILED payment it is the ordered amount in the order's currency, without a
    balance. `commission` is None if the other side bears it.
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
"""Each row scans the ids of its batch, so that partitions are pruned: ten thousand at once would take seconds."""

_IS_INCOMING = "(p.target_id = %(account_id)s::uuid)"
_OTHER_ID = f"CASE WHEN {_IS_INCOMING} THEN p.source_id ELSE p.target_id END"
_OWN_CURRENCY = "(SELECT a.currency FROM accounts a WHERE a.id = %(account_id)s)"
_CURRENCY = f"""CASE WHEN p.state = 'COMPLETED' THEN {_OWN_CURRENCY}
    WHEN {_IS_INCOMING} THEN coalesce(p.target_currency, p.currency) ELSE p.currency END"""
_EFFECT = "(SELECT sum(o.amount) FROM operations o WHERE o.payment_id = p.id AND o.account_id = %(account_id)s)"
_BALANCE = """(SELECT o.balance_after FROM operations o WHERE o.payment_id = p.id AND o.account_id = %(account_id)s
               ORDER BY o.account_seq DESC LIMIT 1)"""


def _other(shown: str) -> str:
    return f"(SELECT {shown} FROM accounts a WHERE a.id = {_OTHER_ID})"


def _of_own_currency(amount: str) -> Column:
    """Column of an amount, NULL if it is in another currency than the account's and so cannot be compared."""
    return Column(f"CASE WHEN {_CURRENCY} = {_OWN_CURRENCY} THEN {amount} END", "numeric", "currency")


COLUMNS = {
    "payment": Column("p.id", "uuid", is_keyed=True),
    "type": Column("p.type"),
    "success": Column("p.state = 'COMPLETED'", "boolean"),
    "amount": _of_own_currency(
        f"""CASE WHEN p.state = 'COMPLETED' THEN abs({_EFFECT})
            WHEN {_IS_INCOMING} THEN coalesce(p.target_amount, p.amount) ELSE p.amount END"""
    ),
    "currency": Column(_CURRENCY),
    "commission": _of_own_currency(
        f"""CASE WHEN {_IS_INCOMING} = (p.type = 'charge' OR ({_IS_INCOMING} AND {_other("a.token")} IS NULL))
            THEN p.commission END"""
    ),
    "balance_after": _of_own_currency(_BALANCE),
    "counterparty[name]": Column(
        f"coalesce({_other('coalesce((SELECT u.name FROM users u WHERE u.id = a.owner_id), a.code)')}, '')"
    ),
    "counterparty[last4]": Column(_other("right(a.token, 4)")),
    "summary": Column("p.summary"),
    "reference": Column("p.reference"),
    "failure": Column("p.failure_code"),
    "created_at": Column("p.created_at", "timestamptz"),
    "finalized_at": Column("p.finalized_at", "timestamptz"),
}
"""Columns of a row for payment `p`, equal to those of `_row`; amounts without their sign."""


def page(
    connection: Connection,
    account_id: str,
    query: ListQuery,
    limit: int,
    at: Cursor = START,
    *,
    is_incoming: bool | None = None,
) -> Page:
    """A page of the effects of decided payments on the account, as HistoryRow, by time of acceptance; raises TooMany.

    Two keysets, out of the account and into it.
    """
    sides = {"source": is_incoming is not True, "target": is_incoming is not False}
    keysets = [
        Keyset(f"p.{side}_id = %(account_id)s AND p.state IN ('COMPLETED', 'FAILED')")
        for side, applies in sides.items()
        if applies
    ]
    result = search(connection, COLUMNS, keysets, query, limit, at, {"account_id": account_id})
    return result._replace(rows=_rows(connection, account_id, [key.id for key in result.keys]))


def _rows(connection: Connection, account_id: str, ids: Sequence[str]) -> list[HistoryRow]:
    """Rows of these payments, in the order of the ids."""
    by_id = {}
    for at in range(0, len(ids), BATCH_MAX):
        batch = {"account_id": account_id, "ids": pg_arrays.plain(ids[at : at + BATCH_MAX])}
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


class HistoryPosition(NamedTuple):
    """State of an account at a time: the account_seq of its newest operation (0 if none), and its balance."""

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
"""Operations of an account are numbered without gaps in time order: bisection finds one of a million in 20 steps."""


def position(connection: Connection, account_id: str, before: datetime) -> HistoryPosition:
    """Position of the account right before that time."""
    parameters = {"account_id": account_id, "moment": before}
    seq, balance = connection.exec_driver_sql(POSITION, parameters).one()
    return HistoryPosition(seq, int(balance))


_OPERATIONS = """
WITH scanned AS MATERIALIZED (
    SELECT payment_id, account_seq, amount FROM operations
    WHERE account_id = %(account_id)s AND account_seq > %(start)s AND account_seq <= %(end)s
    ORDER BY account_seq LIMIT %(limit)s
), lines AS (
    SELECT payment_id, sum(amount) AS amount, max(account_seq) AS last FROM scanned GROUP BY payment_id
), complete_lines AS (
    SELECT * FROM lines
    WHERE (SELECT count(*) FROM scanned) < %(limit)s OR last < (SELECT max(account_seq) FROM scanned)
)
"""
"""Effect of each payment on the account. The last payment of a full page may continue, so it is left to the next page:
the operations of a payment on an account are consecutive."""

OPERATIONS_PER_PAYMENT_MAX = 10
"""On one account; a page must be larger than this to make progress."""

TOTALS_PAGE = 20_000
"""Operations summed by one statement, within a few hundredths of a second."""


def between(
    connection: Connection, account_id: str, start: int, end: int, limit: int = BATCH_MAX
) -> tuple[list[HistoryRow], int]:
    """Effects of COMPLETED payments after operation number `start`, oldest first, and the number reached.

    `limit` bounds the operations read; `end` is the number of the last one wanted.
    """
    payments = connection.exec_driver_sql(
        f"{_OPERATIONS} SELECT payment_id::text AS id, last FROM complete_lines ORDER BY last",
        {"account_id": account_id, "start": start, "end": end, "limit": max(limit, OPERATIONS_PER_PAYMENT_MAX)},
    ).all()
    return _rows(connection, account_id, [row.id for row in payments]), payments[-1].last if payments else end


class Totals(NamedTuple):
    """Number of lines, and the sums received and paid, in minor units."""

    lines: int
    received: int
    paid: int


def totals(connection: Connection, account_id: str, start: int, end: int, limit: int = TOTALS_PAGE) -> Totals:
    """Sums over the rows of `between`, page by page."""
    sums = Totals(0, 0, 0)
    while start < end:
        window = {"account_id": account_id, "start": start, "end": end, "limit": max(limit, OPERATIONS_PER_PAYMENT_MAX)}
        count, received, paid, last = connection.exec_driver_sql(
            f"{_OPERATIONS} SELECT count(*), coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::text,"
            " coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::text, max(last) FROM complete_lines",
            window,
        ).one()
        sums = Totals(sums.lines + count, sums.received + int(received), sums.paid + int(paid))
        start = end if last is None else last
    return sums
