"""History of a wallet: the effect of each decided payment, the balance at a time, and totals between two times."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import pg_arrays
from models.archive import HistoryArchived
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


FACTS = {
    "is_incoming": "p.target_id = %(account_id)s::uuid",
    "own_currency": "SELECT a.currency FROM accounts a WHERE a.id = %(account_id)s",
    "effect": """SELECT ARRAY[sum(o.amount), (array_agg(o.balance_after ORDER BY o.account_seq DESC))[1]]
        FROM operations o WHERE o.payment_id = p.id AND o.account_id = %(account_id)s
            AND (%(ids)s::uuid[] IS NULL OR o.payment_id = ANY(%(ids)s::uuid[]))""",
    "other": """SELECT ARRAY[coalesce((SELECT u.name FROM users u WHERE u.id = a.owner_id), a.code), a.token]
        FROM accounts a
        WHERE a.id = CASE p.source_id WHEN %(account_id)s::uuid THEN p.target_id ELSE p.source_id END""",
}
"""Facts about payment `p` and the account: sum of its amounts there, and balance after it; name and token of the other
side."""

_CURRENCY = """CASE WHEN p.state = 'COMPLETED' THEN p.own_currency
    WHEN p.is_incoming THEN coalesce(p.target_currency, p.currency) ELSE p.currency END"""
_AMOUNT = """CASE WHEN p.state = 'COMPLETED' THEN p.effect[1]
    WHEN p.is_incoming THEN coalesce(p.target_amount, p.amount) ELSE -p.amount END"""
_COMMISSION = """CASE WHEN p.is_incoming = (p.type = 'charge' OR (p.is_incoming AND p.other[2] IS NULL))
    THEN p.commission END"""
"""The merchant bears that of a charge, the owner that of what comes from outside, otherwise the payer."""

ROWS = f"""
SELECT p.id::text, p.type, p.state = 'COMPLETED', ({_AMOUNT})::text, {_CURRENCY},
       (SELECT digits FROM currencies WHERE code = {_CURRENCY}), ({_COMMISSION})::text, p.effect[2]::text,
       coalesce(p.other[1], ''), p.other[2], p.summary, p.reference, p.failure_code, p.created_at, p.finalized_at
FROM (SELECT p.*, {", ".join(f"({sql}) AS {name}" for name, sql in FACTS.items())}
      FROM payments p WHERE p.id = ANY(%(ids)s::uuid[]) OFFSET 0) AS p
"""
"""OFFSET 0 reads each fact once; the ids prune the partitions of operations."""

BATCH_MAX = 500
"""Each row scans the ids of its batch, so that partitions are pruned: ten thousand at once would take seconds."""


def _of_own_currency(amount: str) -> Column:
    """Column of an amount, NULL if it is in another currency than the account's and so cannot be compared."""
    return Column(f"CASE WHEN {_CURRENCY} = p.own_currency THEN {amount} END", "numeric", "currency")


COLUMNS = {
    "payment": Column("p.id", "uuid", is_keyed=True),
    "type": Column("p.type"),
    "success": Column("p.state = 'COMPLETED'", "boolean"),
    "amount": _of_own_currency(f"abs({_AMOUNT})"),
    "currency": Column(_CURRENCY),
    "commission": _of_own_currency(_COMMISSION),
    "balance_after": _of_own_currency("p.effect[2]"),
    "counterparty[name]": Column("coalesce(p.other[1], '')"),
    "counterparty[last4]": Column("right(p.other[2], 4)"),
    "summary": Column("p.summary"),
    "reference": Column("p.reference"),
    "failure": Column("p.failure_code"),
    "created_at": Column("p.created_at", "timestamptz"),
    "finalized_at": Column("p.finalized_at", "timestamptz"),
}
"""Columns of a row for payment `p` with its FACTS, equal to those of ROWS; amounts without their sign."""


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
    result = search(connection, COLUMNS, FACTS, keysets, query, limit, at, {"account_id": account_id, "ids": None})
    return result._replace(rows=_rows(connection, account_id, [key.id for key in result.keys]))


def _rows(connection: Connection, account_id: str, ids: Sequence[str]) -> list[HistoryRow]:
    """Rows of these payments, in the order of the ids."""
    by_id = {}
    for at in range(0, len(ids), BATCH_MAX):
        batch = {"account_id": account_id, "ids": pg_arrays.plain(ids[at : at + BATCH_MAX])}
        by_id.update({row[0]: _row(row) for row in connection.exec_driver_sql(ROWS, batch)})
    return [by_id[id] for id in ids]


def _row(row: Row) -> HistoryRow:
    amount, currency, digits, commission, balance = row[3:8]
    minor = (None if value is None else int(value) for value in (commission, balance))
    return HistoryRow._make((*row[:3], int(amount), currency, digits, *minor, *row[8:]))


class HistoryPosition(NamedTuple):
    """State of an account at a time: the account_seq of its newest operation (0 if none), and its balance."""

    account_seq: int
    balance: int


SEARCH = """
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, last_seq FROM accounts WHERE id = {account}
    UNION ALL
    SELECT CASE WHEN is_before THEN middle ELSE low END, CASE WHEN is_before THEN high ELSE middle - 1 END
    FROM search
    CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle) AS half
    CROSS JOIN LATERAL (SELECT coalesce(
        (SELECT o.created_at < {moment} FROM operations o WHERE o.account_id = {account} AND o.account_seq = middle),
        (SELECT r.began_at < {moment} FROM archived_runs r WHERE r.account_id = {account} AND r.first_seq <= middle
         ORDER BY r.first_seq DESC LIMIT 1)) AS is_before) AS tried
    WHERE low < high
)
SELECT low, coalesce(
    (SELECT o.balance_after FROM operations o WHERE o.account_id = {account} AND o.account_seq = low),
    (SELECT r.balance_after FROM archived_runs r WHERE r.account_id = {account} AND r.last_seq = low), 0) AS balance,
    EXISTS (SELECT FROM archived_runs r WHERE r.account_id = {account} AND r.began_at < {moment}
                                          AND r.ended_at >= {moment}) AS is_archived
FROM search WHERE low = high
"""
"""Operations of an account are numbered without gaps in time order: bisection finds one of a million in 20 steps. Of
runs that are archived only the ends are known."""

POSITION = SEARCH.format(account="%(account_id)s", moment="%(moment)s")


def position(connection: Connection, account_id: str, before: datetime) -> HistoryPosition:
    """Position of the account right before that time; raises HistoryArchived if it is within an archived month."""
    parameters = {"account_id": account_id, "moment": before}
    seq, balance, is_archived = connection.exec_driver_sql(POSITION, parameters).one()
    if is_archived:
        raise HistoryArchived(before)
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


def archived(connection: Connection, account_id: str, start: int, end: int) -> Totals:
    """What is archived of the operations after number `start`, up to `end`: the ends of months (UTC)."""
    row = connection.exec_driver_sql(
        "SELECT coalesce(sum(lines), 0)::bigint, coalesce(sum(received), 0), coalesce(sum(paid), 0) FROM archived_runs"
        " WHERE account_id = %s AND first_seq > %s AND last_seq <= %s",
        (account_id, start, end),
    ).one()
    return Totals(row[0], int(row[1]), int(row[2]))


def totals(connection: Connection, account_id: str, start: int, end: int, limit: int = TOTALS_PAGE) -> Totals:
    """Sums over the rows of `between`, page by page, and over what is archived."""
    sums = archived(connection, account_id, start, end)
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
