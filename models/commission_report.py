"""Daily report of commission taken and given back: from sums of days and what came after, else from the operations."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from models import account_history, period_sum

DAY = timedelta(days=1)

SLACK = timedelta(hours=1)
"""Operations are numbered in time order, except for their transactions' wait for the posting lock, which is seconds."""


class DailyCommission(NamedTuple):
    """One day (UTC) in one currency; amounts in minor units, `payments` counts those that took or gave back."""

    date: date
    currency: str
    digits: int
    taken: int
    given_back: int
    payments: int

    @property
    def net(self) -> int:
        """Taken minus given back, in minor units; negative on a day of many refunds."""
        return self.taken - self.given_back


COMMISSION_ACCOUNTS = """
SELECT a.id::text, a.currency, c.digits FROM accounts a JOIN currencies c ON c.code = a.currency
WHERE a.code = 'commission' AND a.last_seq > 0 AND (%(currency)s IS NULL OR a.currency = %(currency)s)
"""

DAILY_COMMISSION = """
SELECT (created_at AT TIME ZONE 'UTC')::date AS day,
       coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::text,
       coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::text, count(DISTINCT payment_id)
FROM operations
WHERE account_id = %(account_id)s AND account_seq > %(low)s AND account_seq <= %(high)s AND kind = 'commission'
  AND created_at >= %(start)s AND created_at < %(end)s
GROUP BY day
"""


SUMMED_UP = f"""
SELECT (period AT TIME ZONE 'UTC')::date AS day, currency, c.digits, sum(credits)::text, sum(debits)::text,
       sum(payments)::bigint
FROM ({period_sum.MOVEMENTS}) AS movements JOIN currencies c ON c.code = currency
WHERE movements.code = 'commission' AND movements.kind = 'commission'
  AND (%(currency)s IS NULL OR currency = %(currency)s)
GROUP BY day, currency, c.digits
"""


def by_day(connection: Connection, since: date, until: date, currency: str | None = None) -> list[DailyCommission]:
    """Commission of these days, both included, by day and currency; days without any are left out.

    Until it is summed up, the cost depends on the operations of these days, not on the whole history.
    """
    start, end = (datetime.combine(day, time.min, UTC) for day in (since, until + DAY))
    if period_sum.is_near(connection):
        parameters = {**period_sum.between(start, end), "currency": currency}
        report = [
            DailyCommission(day, code, digits, int(taken), int(given_back), payments)
            for day, code, digits, taken, given_back, payments in connection.exec_driver_sql(SUMMED_UP, parameters)
        ]
    else:
        report = _of_operations(connection, start, end, currency)
    return sorted(report)


def _of_operations(
    connection: Connection, start: datetime, end: datetime, currency: str | None
) -> list[DailyCommission]:
    """The same, read from the operations of the commission accounts."""
    report = []
    for account_id, code, digits in connection.exec_driver_sql(COMMISSION_ACCOUNTS, {"currency": currency}).all():
        low = account_history.position(connection, account_id, start - SLACK).account_seq
        high = account_history.position(connection, account_id, end + SLACK).account_seq
        bounds = {"account_id": account_id, "low": low, "high": high, "start": start, "end": end}
        for day, taken, given_back, payments in connection.exec_driver_sql(DAILY_COMMISSION, bounds):
            report.append(DailyCommission(day, code, digits, int(taken), int(given_back), payments))
    return report
