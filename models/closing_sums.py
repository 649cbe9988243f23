"""What became final in a month and what it moved: from sums of days and quarters of an hour, and what came after these.

Until these are near, as after an upgrade, the payments of the month are read: a day at a time.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from models import closing_events, period_sum, pg_arrays
from models.closing_events import CLOCK_SLACK
from models.period_sum import CUSTOMER

DAY = timedelta(days=1)

OF_IDS = "{} = ANY(%(ids)s::uuid[])"
ACCEPTED = "{0} >= uuid_floor(%(first)s) AND {0} < uuid_floor(%(next)s)"
"""Which payments, by their ids, which begin with the time of acceptance."""

OUTCOMES = """
SELECT p.type, p.state, p.currency, count(*), sum(coalesce(p.captured_amount, p.amount))::text
FROM payments p WHERE {p} AND p.finalized_at >= %(start)s AND p.finalized_at < %(end)s
GROUP BY p.type, p.state, p.currency
"""

TECHNICAL = pg_arrays.Columns("a", "id uuid, code text")

MOVED = f"""
WITH moved AS (
    SELECT coalesce(a.code, '{CUSTOMER}') AS code, p.type, o.kind, o.currency,
           CASE WHEN a.code = 'commission' AND o.kind = 'commission' THEN p.user_id END AS user_id,
           coalesce(-sum(o.amount) FILTER (WHERE o.amount < 0 AND {{during}}), 0) AS debits,
           coalesce(sum(o.amount) FILTER (WHERE o.amount > 0 AND {{during}}), 0) AS credits
    FROM payments p JOIN operations o ON o.payment_id = p.id LEFT JOIN {TECHNICAL.unnest} ON a.id = o.account_id
    WHERE {{o}} AND {{p}} GROUP BY 1, 2, 3, 4, 5
)
SELECT m.code, m.type, u.id::text AS merchant, m.kind, m.currency, sum(m.debits)::text, sum(m.credits)::text
FROM moved m LEFT JOIN users u ON u.id = m.user_id AND u.role = 'merchant' GROUP BY 1, 2, u.id, 4, 5
"""
"""The times are no condition: PostgreSQL would expect few rows of the first ones, and compare all ids with each."""

DURING = "o.created_at >= %(start)s AND o.created_at < %(end)s"

STORED = f"""
SELECT code, type, merchant_id::text, kind, currency, sum(debits)::text, sum(credits)::text
FROM ({period_sum.MOVEMENTS}) AS movements GROUP BY code, type, merchant_id, kind, currency
"""


class Sums:
    """What became final from `start` to `end`, and what was moved then, in minor units.

    `outcomes` are number and amount of payments by type, state and currency; `moved` debits and credits by code of
    account, type, merchant (of commission alone), kind and currency.
    """

    def __init__(self, connection: Connection, start: datetime, end: datetime, *, is_summed_up: bool) -> None:
        self.outcomes: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.moved: dict[tuple[str, str, str | None, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._connection = connection
        if is_summed_up:
            self._take(start, end)
        else:
            self._read(start, end)

    def _take(self, start: datetime, end: datetime) -> None:
        """What is summed up, and what came after."""
        period = period_sum.between(start, end)
        final = {**period, "is_final": True}
        for *outcome, count, amount in self._connection.exec_driver_sql(period_sum.PAYMENTS, final):
            add(self.outcomes[tuple(outcome)], count, amount)
        for *moved, debits, credits in self._connection.exec_driver_sql(STORED, period):
            add(self.moved[tuple(moved)], debits, credits)

    def _read(self, start: datetime, end: datetime) -> None:
        """The payments themselves: by the events of the month those accepted before it, by their ids all others."""
        accounts = self._connection.exec_driver_sql("SELECT id, code FROM accounts WHERE owner_id IS NULL").all()
        self._values = {"start": start, "end": end, **TECHNICAL.parameters(accounts)}
        first, last = start - CLOCK_SLACK, end + CLOCK_SLACK
        for ids in closing_events.became_final(self._connection, start, end, ids_before=first):
            self._sum(OF_IDS, ids=ids)
        while first < last:
            self._sum(ACCEPTED, first=first, next=min(first + DAY, last))
            first += DAY

    def _sum(self, which: str, **values: object) -> None:
        parameters = {**self._values, **values}
        payments, operations = which.format("p.id"), which.format("o.payment_id")
        for *outcome, count, amount in self._connection.exec_driver_sql(OUTCOMES.format(p=payments), parameters):
            add(self.outcomes[tuple(outcome)], count, amount)
        statement = MOVED.format(p=payments, o=operations, during=DURING)
        for *moved, debits, credits in self._connection.exec_driver_sql(statement, parameters):
            add(self.moved[tuple(moved)], debits, credits)


def add(total: list[int], first: int | str, second: int | str) -> None:
    """Add both to the total."""
    total[0] += int(first)
    total[1] += int(second)
