"""Sums that are kept beside payments, and what they must be: what there is, with what is archived."""

from typing import NamedTuple

from models.archive import UNTIL

SUMMED_UP = """(
    event_positions r JOIN events e ON (e.xact, e.sequence) <= (r.xact, r.sequence) AND r.reader = 'sums'
        AND e.name IN ('payment.completed', 'payment.failed')
    JOIN payments p ON p.id = e.subject_id)"""
SPANS = "(VALUES ('day', interval '1 day'), ('quarter', interval '15 minutes')) AS spans (span, length)"


class KeptSum(NamedTuple):
    """A table of sums: numbers by key and, if there is one, by period; `there` is what they must be."""

    table: str
    keys: tuple[str, ...]
    period: str | None
    numbers: tuple[str, ...]
    there: str

    @property
    def _columns(self) -> str:
        key = f"ARRAY[{', '.join(f'{name}::text' for name in self.keys)}] AS key"
        period = self.period or "'-infinity'::timestamptz"
        return f"{key}, {period} AS period, {', '.join(self.numbers)}"

    def _grouped(self, rows: str) -> str:
        sums = ", ".join(f"sum({name}) AS {name}" for name in self.numbers)
        return f"SELECT key, greatest(period, {UNTIL}) AS period, {sums} FROM ({rows}) AS one GROUP BY 1, 2"

    @property
    def violations(self) -> str:
        """The query that finds sums that differ; all periods before the end of what is archived are one."""
        archived = ", ".join(f"numbers[{place}]" for place in range(1, len(self.numbers) + 1))
        kept = self._grouped(f"SELECT {self._columns} FROM {self.table}")
        there = self._grouped(
            f"SELECT {self._columns} FROM ({self.there}) AS there"
            f" UNION ALL SELECT key, period, {archived} FROM archived_sums WHERE kept = '{self.table}'"
        )
        names = [f"key[{place}] AS {name}" for place, name in enumerate(self.keys, 1)]
        shown = [*names, *([f"period AS {self.period}"] if self.period else ())]
        shown += [
            f"{side}.{name} AS {name}{word}" for side, word in (("k", ""), ("t", "_there")) for name in self.numbers
        ]
        compared = [f"({', '.join(f'{side}.{name}' for name in self.numbers)})" for side in "kt"]
        if len(self.numbers) == 1:
            compared = [f"{side}.{self.numbers[0]}" for side in "kt"]
        return (
            f"SELECT {', '.join(shown)} FROM ({kept}) AS k FULL JOIN ({there}) AS t USING (key, period)"
            f" WHERE {' IS DISTINCT FROM '.join(compared)}"
        )

    @property
    def archive(self) -> str:
        """The statement that keeps what payments of a month are summed up as; parameters: month, first, next."""
        sums = ", ".join(f"sum({name})" for name in self.numbers)
        return f"""
            INSERT INTO archived_sums (month, kept, period, key, numbers)
            WITH payments AS (SELECT * FROM payments WHERE id >= %(first)s AND id < %(next)s),
                 operations AS (SELECT * FROM operations WHERE payment_id >= %(first)s AND payment_id < %(next)s)
            SELECT %(month)s::date, '{self.table}',
                   greatest(period, (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC'), key, ARRAY[{sums}]
            FROM (SELECT {self._columns} FROM ({self.there}) AS there) AS one GROUP BY 3, 4"""


MERCHANTS = KeptSum(
    "merchant_sums",
    ("account_id",),
    "quarter",
    ("gross", "commission", "refunds"),
    """
    SELECT m.account_id, date_bin('15 minutes', o.created_at, '2000-01-01T00:00:00Z') AS quarter,
           coalesce(sum(o.amount) FILTER (WHERE o.kind <> 'commission' AND p.type = 'charge'), 0) AS gross,
           coalesce(-sum(o.amount) FILTER (WHERE o.kind = 'commission'), 0) AS commission,
           coalesce(-sum(o.amount) FILTER (WHERE o.kind <> 'commission' AND p.type = 'refund'), 0) AS refunds
    FROM merchant_sum_positions m JOIN accounts a ON a.id = m.account_id
    JOIN operations o ON o.account_id = m.account_id AND o.account_seq <= m.account_seq
    JOIN payments p ON p.id = o.payment_id AND p.user_id = a.owner_id AND p.type IN ('charge', 'refund')
    GROUP BY 1, 2""",
)

COUNTS = KeptSum(
    "final_payment_counts",
    ("type", "state", "currency", "failure_code"),
    None,
    ("number",),
    """
    SELECT p.type, p.state, p.currency, coalesce(p.failure_code, '') AS failure_code, count(*) AS number
    FROM event_positions r JOIN events e ON (e.xact, e.sequence) <= (r.xact, r.sequence)
        AND e.name IN ('payment.completed', 'payment.failed')
    JOIN payments p ON p.id = e.subject_id WHERE r.reader = 'counts' GROUP BY 1, 2, 3, 4""",
)

PAYMENTS = KeptSum(
    "payment_sums",
    ("span", "type", "state", "currency"),
    "period",
    ("number", "amount"),
    f"""
    SELECT span, date_bin(length, moment, '2000-01-01T00:00:00Z') AS period, type, s.state, currency,
           sum(s.number) AS number, sum(s.number * s.amount) AS amount
    FROM (SELECT *, date_bin('15 minutes', created_at, '2000-01-01T00:00:00Z')
                    < date_bin('15 minutes', finalized_at, '2000-01-01T00:00:00Z') AS is_long FROM (
        SELECT p.*, (SELECT max(a.created_at) FROM events a
                     WHERE a.subject_id = p.id AND a.name = 'payment.authorized') AS authorized_at
        FROM {SUMMED_UP}) AS p) AS p
    CROSS JOIN LATERAL (
        SELECT finalized_at, state, 1, coalesce(captured_amount, p.amount)
        UNION ALL SELECT created_at, 'INITIATED', 1, p.amount WHERE is_long
        UNION ALL SELECT finalized_at, 'INITIATED', -1, p.amount WHERE is_long AND authorized_at IS NULL
        UNION ALL SELECT least(greatest(created_at, authorized_at), finalized_at), state, number, p.amount
        FROM (VALUES ('INITIATED', -1), ('AUTHORIZED', 1)) AS held (state, number)
        WHERE is_long AND authorized_at IS NOT NULL
        UNION ALL SELECT finalized_at, 'AUTHORIZED', -1, p.amount WHERE is_long AND authorized_at IS NOT NULL
    ) AS s (moment, state, number, amount) CROSS JOIN {SPANS} GROUP BY 1, 2, 3, 4, 5""",
)

MOVEMENTS = KeptSum(
    "movement_sums",
    ("span", "code", "type", "merchant_id", "kind", "currency"),
    "period",
    ("debits", "credits", "payments"),
    f"""
    SELECT span, date_bin(length, o.created_at, '2000-01-01T00:00:00Z') AS period,
           coalesce(a.code, 'customer') AS code, p.type, u.id AS merchant_id, o.kind, o.currency,
           coalesce(-sum(o.amount) FILTER (WHERE o.amount < 0), 0) AS debits,
           coalesce(sum(o.amount) FILTER (WHERE o.amount > 0), 0) AS credits,
           count(DISTINCT o.payment_id) AS payments
    FROM {SUMMED_UP} JOIN operations o ON o.payment_id = p.id JOIN accounts a ON a.id = o.account_id
    LEFT JOIN users u ON a.code = 'commission' AND o.kind = 'commission' AND u.id = p.user_id AND u.role = 'merchant'
    CROSS JOIN {SPANS} GROUP BY 1, 2, 3, 4, 5, 6, 7""",
)

KEPT = (MERCHANTS, COUNTS, PAYMENTS, MOVEMENTS)
