"""A merchant's month: what charges brought, the commission on them, what was refunded, and what is left, by day."""

from collections import defaultdict
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from models import account_history
from models.closing_events import SLACK
from models.closing_month import ClosingMonth

PAGE = 5_000
"""Operations summed by one statement."""


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


WALLETS = "SELECT id::text, currency FROM accounts WHERE owner_id = %s AND last_seq > 0"

DAYS = """
WITH page AS MATERIALIZED (
    SELECT payment_id, kind, amount, created_at FROM operations
    WHERE account_id = %(account_id)s AND account_seq > %(low)s AND account_seq <= %(high)s
      AND created_at >= %(start)s AND created_at < %(end)s
)
SELECT (created_at AT TIME ZONE %(timezone)s)::date, kind,
       (SELECT p.type FROM payments p WHERE p.id = page.payment_id AND p.user_id = %(merchant_id)s) AS type,
       sum(amount)::text
FROM page GROUP BY 1, kind, type
"""


def by_day(connection: Connection, merchant_id: str, of: ClosingMonth, timezone: str) -> list[MerchantDay]:
    """The days of the month on which charges of the merchant were posted or refunded, by day and currency.

    Its cost depends on the operations of that month in the merchant's wallets.
    """
    days: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: {"gross": 0, "commission": 0, "refunds": 0})
    for account_id, currency in connection.exec_driver_sql(WALLETS, (merchant_id,)).all():
        low = account_history.position(connection, account_id, of.start - SLACK).account_seq
        high = account_history.position(connection, account_id, of.end + SLACK).account_seq
        for first in range(low, high, PAGE):
            window = {"account_id": account_id, "low": first, "high": min(first + PAGE, high), "timezone": timezone}
            period = {"start": of.start, "end": of.end, "merchant_id": merchant_id}
            rows = connection.exec_driver_sql(DAYS, {**window, **period})
            for day, kind, type, amount in rows:
                if type not in ("charge", "refund"):
                    continue
                sums = days[day, currency]
                if kind == "commission":
                    sums["commission"] -= int(amount)
                elif type == "charge":
                    sums["gross"] += int(amount)
                else:
                    sums["refunds"] -= int(amount)
    return [MerchantDay(*key, *sums.values()) for key, sums in sorted(days.items())]
