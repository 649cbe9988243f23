"""What became final and what it moved, summed up behind the posters: by the day (UTC) and by the quarter of an hour.

A final payment never changes, and one event of the feed says that it is final: each is summed once, for good.
"""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection

from models import final_count
from models.final_count import FINAL

PAGE = 5_000
"""Events summed by one transaction."""

NEWER_MAX = 50_000
"""Events after the summed ones that are read beside the sums; the task leaves fewer behind."""

CUSTOMER = "customer"
"""The code under which all wallets are summed."""

_NAMES = ", ".join(f"'{name}'" for name in FINAL.values())

_PAGE_OF_FINAL = f"""
SELECT subject_id FROM events
WHERE (xact, sequence) > (%(xact)s::xid8, %(sequence)s) AND (xact, sequence) <= (%(to_xact)s::xid8, %(to_sequence)s)
  AND name IN ({_NAMES}) OFFSET 0
"""

_NEWER = """
SELECT xact, sequence, name, subject_id FROM events
WHERE (xact, sequence) > ((SELECT xact FROM event_positions WHERE reader = 'sums'),
                          (SELECT sequence FROM event_positions WHERE reader = 'sums'))
"""

_NEWER_FINAL = f"SELECT subject_id FROM ({_NEWER} OFFSET 0) AS newer WHERE name IN ({_NAMES})"
"""As many as there are: `is_near` tells before whether that is few."""

_QUARTER = "date_bin('15 minutes', {}, '2000-01-01T00:00:00Z')"

ENTERED = f"""
SELECT {_QUARTER.format("s.moment")} AS period, p.type, s.state, p.currency,
       sum(s.number) AS number, sum(s.number * s.amount) AS amount
FROM ({{final}}) AS e CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = e.subject_id OFFSET 0) AS p
CROSS JOIN LATERAL (
    SELECT {_QUARTER.format("p.created_at")} < {_QUARTER.format("p.finalized_at")} AS is_long OFFSET 0) AS of
LEFT JOIN LATERAL (
    SELECT least(greatest(a.created_at, p.created_at), p.finalized_at) AS moment FROM events a
    WHERE a.subject_id = p.id AND a.name = 'payment.authorized' AND of.is_long OFFSET 0) AS a ON true
CROSS JOIN LATERAL (VALUES
    (p.finalized_at, p.state, 1, coalesce(p.captured_amount, p.amount), true),
    (p.created_at, 'INITIATED', 1, p.amount, of.is_long),
    (a.moment, 'INITIATED', -1, p.amount, of.is_long AND a.moment IS NOT NULL),
    (a.moment, 'AUTHORIZED', 1, p.amount, of.is_long AND a.moment IS NOT NULL),
    (p.finalized_at, CASE WHEN a.moment IS NULL THEN 'INITIATED' ELSE 'AUTHORIZED' END, -1, p.amount, of.is_long)
) AS s (moment, state, number, amount, is_one)
WHERE s.is_one GROUP BY 1, 2, 3, 4
"""
"""How many payments came into a state in a quarter of an hour, and how many left one that they were in at the end of an
earlier one. OFFSET 0: each is looked up in its month alone."""

MOVED = f"""
SELECT period, code, type, u.id AS merchant_id, kind, currency,
       sum(debits) AS debits, sum(credits) AS credits, count(*) AS payments
FROM (
    SELECT {_QUARTER.format("o.created_at")} AS period, coalesce(a.code, '{CUSTOMER}') AS code, p.type,
           CASE WHEN a.code = 'commission' AND o.kind = 'commission' THEN p.user_id END AS maker_id, o.kind, o.currency,
           sum(greatest(-o.amount, 0)) AS debits, sum(greatest(o.amount, 0)) AS credits
    FROM ({{final}}) AS e CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = e.subject_id OFFSET 0) AS p
    CROSS JOIN LATERAL (SELECT * FROM operations WHERE payment_id = e.subject_id OFFSET 0) AS o
    LEFT JOIN (SELECT id, code FROM accounts WHERE code IS NOT NULL OFFSET 0) AS a ON a.id = o.account_id
    GROUP BY p.id, 1, 2, 3, 4, 5, 6
) AS moved LEFT JOIN LATERAL (SELECT id FROM users WHERE id = maker_id AND role = 'merchant' OFFSET 0) AS u ON true
GROUP BY 1, 2, 3, 4, 5, 6
"""
"""What was moved in each quarter of an hour; of commission also the merchant who ordered it."""

_SPANS = "(VALUES ('day', interval '1 day'), ('quarter', interval '15 minutes')) AS spans (span, length)"
_PERIOD = "date_bin(spans.length, period, '2000-01-01T00:00:00Z')"

ADD_PAYMENTS = f"""
INSERT INTO payment_sums AS kept (span, period, type, state, currency, number, amount)
SELECT span, {_PERIOD}, type, state, currency, sum(number), sum(amount)
FROM ({ENTERED.format(final=_PAGE_OF_FINAL)}) AS entered CROSS JOIN {_SPANS} GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (span, period, type, state, currency) DO UPDATE
SET number = kept.number + excluded.number, amount = kept.amount + excluded.amount
"""

ADD_MOVEMENTS = f"""
INSERT INTO movement_sums AS kept (span, period, code, type, merchant_id, kind, currency, debits, credits, payments)
SELECT span, {_PERIOD}, code, type, merchant_id, kind, currency, sum(debits), sum(credits), sum(payments)
FROM ({MOVED.format(final=_PAGE_OF_FINAL)}) AS moved CROSS JOIN {_SPANS} GROUP BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (span, period, code, type, merchant_id, kind, currency) DO UPDATE
SET debits = kept.debits + excluded.debits, credits = kept.credits + excluded.credits,
    payments = kept.payments + excluded.payments
"""


def add(connection: Connection) -> bool:
    """Sum up the payments of the next PAGE of settled events; True if there may be more."""
    page = final_count.next_page(connection, "sums", PAGE)
    if page is None:
        return False
    connection.exec_driver_sql(ADD_PAYMENTS, page.bounds)
    connection.exec_driver_sql(ADD_MOVEMENTS, page.bounds)
    return page.is_full


def is_near(connection: Connection) -> bool:
    """Whether no more than NEWER_MAX events are not summed up."""
    newer = connection.exec_driver_sql(f"SELECT count(*) FROM ({_NEWER} LIMIT {NEWER_MAX + 1}) AS newer")
    return bool(newer.scalar_one() <= NEWER_MAX)


_OF_PERIODS = """
(span = 'day' AND period >= %(first_day)s AND period < %(last_day)s
 OR span = 'quarter' AND period >= %(start)s AND period < %(first_day)s
 OR span = 'quarter' AND period >= %(last_day)s AND period < %(end)s)
"""
_DURING = "period >= %(start)s AND period < %(end)s"

PAYMENTS = f"""
SELECT type, state, currency, sum(number)::bigint, sum(amount)::text FROM (
    SELECT type, state, currency, number, amount FROM payment_sums WHERE {_OF_PERIODS}
    UNION ALL
    SELECT type, state, currency, number, amount FROM ({ENTERED.format(final=_NEWER_FINAL)}) AS newer WHERE {_DURING}
) AS sums WHERE (state IN ({", ".join(f"'{state}'" for state in FINAL)})) = %(is_final)s
GROUP BY type, state, currency HAVING sum(number) <> 0
"""

MOVEMENTS = f"""
SELECT span, period, code, type, merchant_id, kind, currency, debits, credits, payments
FROM movement_sums WHERE {_OF_PERIODS}
UNION ALL
SELECT 'day', date_bin('1 day', period, '2000-01-01T00:00:00Z'), code, type, merchant_id, kind, currency,
       sum(debits), sum(credits), sum(payments)
FROM ({MOVED.format(final=_NEWER_FINAL)}) AS newer WHERE {_DURING} GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
"""What was moved between two times: one statement, so that sums and what came after are of the same moment."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""After any payment."""


def between(start: datetime, end: datetime) -> dict[str, datetime]:
    """The parameters of PAYMENTS and MOVEMENTS: the whole days (UTC) between two quarters of an hour, and these."""
    first = datetime.combine(start.astimezone(UTC), time.min, UTC)
    last = datetime.combine(end.astimezone(UTC), time.min, UTC)
    if first < start:
        first += timedelta(days=1)
    if first > last:  # within one day
        first = last = end
    return {"start": start, "first_day": first, "last_day": last, "end": end}
