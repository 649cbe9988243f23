"""Balances of accounts at several times: what a chart of them needs, found without reading their history."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import payment, pg_arrays
from models.rules.money import render

POINTS = 61
"""Times of a curve, its two ends included: as many as its steps can be told apart."""

DAYS_MAX = 366
ACCOUNTS_MAX = 20
"""Accounts of one answer: those of a user as ops see them on one page."""

BALANCES = """
SELECT a.place, m.place, found.balance::text
FROM unnest(%(accounts)s::uuid[]) WITH ORDINALITY AS a (id, place)
CROSS JOIN unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS m (moment, place)
CROSS JOIN LATERAL (
    WITH RECURSIVE search (low, high) AS (
        SELECT 0::bigint, last_seq FROM accounts WHERE id = a.id
        UNION ALL
        SELECT CASE WHEN is_before THEN middle ELSE low END, CASE WHEN is_before THEN high ELSE middle - 1 END
        FROM search
        CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle) AS half
        CROSS JOIN LATERAL (SELECT (SELECT o.created_at < m.moment FROM operations o
                                    WHERE o.account_id = a.id AND o.account_seq = middle) AS is_before) AS tried
        WHERE low < high
    )
    SELECT coalesce((SELECT o.balance_after FROM operations o WHERE o.account_id = a.id AND o.account_seq = low), 0)
           AS balance
    FROM search WHERE low = high
) AS found
"""
"""As POSITION in account_history.py, for each account and moment: operations are numbered in the order of time."""


def balances(connection: Connection, account_ids: Sequence[str], moments: Sequence[datetime]) -> list[list[int]]:
    """The balances right before each of these times, in minor units, of each account that exists; none for others."""
    found: list[list[int]] = [[0] * len(moments) for _ in account_ids]
    times = pg_arrays.quoted(map(datetime.isoformat, moments))
    parameters = {"accounts": pg_arrays.plain(account_ids), "moments": times}
    for account, moment, balance in connection.exec_driver_sql(BALANCES, parameters):
        found[account - 1][moment - 1] = int(balance)
    return found


class BalanceCurve(NamedTuple):
    """Balances of an account at times that are equally far from each other, in minor units; the last is now."""

    account_id: str
    currency: str
    digits: int
    points: list[tuple[datetime, int]]


KNOWN = """
SELECT a.id::text, a.currency, c.digits
FROM unnest(%s::uuid[]) WITH ORDINALITY AS asked (id, place)
JOIN accounts a ON a.id = asked.id JOIN currencies c ON c.code = a.currency ORDER BY asked.place
"""


def curves(connection: Connection, account_ids: Sequence[str], days: int) -> list[BalanceCurve]:
    """The curves of the accounts that exist, over so many days until now."""
    known = connection.exec_driver_sql(KNOWN, (pg_arrays.plain(account_ids),)).all()
    until, step = payment.clock(connection), timedelta(days=days) / (POINTS - 1)
    moments = [until - step * (POINTS - 1 - number) for number in range(POINTS)]
    found = balances(connection, [row.id for row in known], moments)
    return [
        BalanceCurve(row.id, row.currency, row.digits, list(zip(moments, of_account, strict=True)))
        for row, of_account in zip(known, found, strict=True)
    ]


def body(curve: BalanceCurve) -> dict[str, Any]:
    """The JSON of a curve."""
    points = [{"at": at.isoformat(), "balance": render(balance, curve.digits)} for at, balance in curve.points]
    return {"account": curve.account_id, "currency": curve.currency, "points": points}
