"""Balances of accounts at several times: what a chart of them needs, found without reading their history."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import payment, pg_arrays
from models.account_history import SEARCH
from models.archive import HistoryArchived
from models.rules.money import render

POINTS = 61
"""Times of a curve, its two ends included: as many as its steps can be told apart."""

DAYS_MAX = 366
ACCOUNTS_MAX = 20
"""Accounts of one answer: those of a user as ops see them on one page."""

BALANCES = f"""
SELECT a.place, m.place, found.balance::text, found.is_archived
FROM unnest(%(accounts)s::uuid[]) WITH ORDINALITY AS a (id, place)
CROSS JOIN unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS m (moment, place)
CROSS JOIN LATERAL ({SEARCH.format(account="a.id", moment="m.moment")}) AS found
"""


def balances(connection: Connection, account_ids: Sequence[str], moments: Sequence[datetime]) -> list[list[int]]:
    """The balances right before each of these times, in minor units, of each account that exists; none for others.

    Raises HistoryArchived if one is within an archived month.
    """
    found: list[list[int]] = [[0] * len(moments) for _ in account_ids]
    times = pg_arrays.quoted(map(datetime.isoformat, moments))
    parameters = {"accounts": pg_arrays.plain(account_ids), "moments": times}
    for account, moment, balance, is_archived in connection.exec_driver_sql(BALANCES, parameters):
        if is_archived:
            raise HistoryArchived(moments[moment - 1])
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
