"""A merchant's month: what charges brought, the commission on them, what was refunded, and what is left, by day."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from models import account_history
from models.closing_events import SLACK
from models.closing_month import ClosingMonth
from models.merchant_sum import PAGE, TAKINGS


class MerchantDay(NamedTuple):
    """A day of the time zone in one currency, in minor units; `commission` is what was taken less what was returned."""

    date: date
    currency: str
    gross: int
    commission: int
    refunds: int

    @property
    def net(self) -> int:
        """What is left of the charges."""
        return self.gross - self.commission - self.refunds


SUMS = """
SELECT a.id::text, a.currency, s.account_seq, a.last_seq, d.day, d.gross::text, d.commission::text, d.refunds::text
FROM accounts a JOIN merchant_sum_positions s ON s.account_id = a.id
LEFT JOIN LATERAL (
    SELECT (m.quarter AT TIME ZONE %(timezone)s)::date AS day,
           sum(m.gross) AS gross, sum(m.commission) AS commission, sum(m.refunds) AS refunds
    FROM merchant_sums m WHERE m.account_id = a.id AND m.quarter >= %(start)s AND m.quarter < %(end)s GROUP BY 1
) AS d ON true
WHERE a.owner_id = %(merchant_id)s AND a.last_seq > 0
"""
"""One statement: the sums and how far they go are of the same moment."""

REST = f"""
SELECT (created_at AT TIME ZONE %(timezone)s)::date, sum(gross)::text, sum(commission)::text, sum(refunds)::text
FROM ({TAKINGS}) AS takings WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY 1
"""


def by_day(connection: Connection, merchant_id: str, of: ClosingMonth, timezone: str) -> list[MerchantDay]:
    """The days of the month on which charges of the merchant were posted or refunded, by day and currency.

    They are read from the sums of quarters of an hour, and what is not summed up yet from the operations.
    """
    days: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    period = {"start": of.start, "end": of.end, "timezone": timezone, "merchant_id": merchant_id}

    def add(day: date, currency: str, sums: Sequence[str]) -> None:
        days[day, currency] = [total + int(more) for total, more in zip(days[day, currency], sums, strict=True)]

    wallets: dict[str, tuple[str, int, int]] = {}
    for account_id, currency, summed, last, day, *sums in connection.exec_driver_sql(SUMS, period):
        wallets[account_id] = currency, summed, last
        if day is not None:
            add(day, currency, sums)
    for account_id, (currency, summed, last) in wallets.items():
        for first, high in _rest(connection, account_id, summed, last, of):
            page = {"account_id": account_id, "low": first, "high": high}
            for day, *sums in connection.exec_driver_sql(REST, page | period):
                add(day, currency, sums)
    return [MerchantDay(*key, *sums) for key, sums in sorted(days.items())]


def _rest(
    connection: Connection, account_id: str, summed: int, last: int, of: ClosingMonth
) -> Iterator[tuple[int, int]]:
    """Operations that are not summed up and may be of the month, in pages: after a number, and up to another."""
    if summed < last:
        low = max(summed, account_history.position(connection, account_id, of.start - SLACK).account_seq)
        high = min(last, account_history.position(connection, account_id, of.end + SLACK).account_seq)
        for first in range(low, high, PAGE):
            yield first, min(first + PAGE, high)
