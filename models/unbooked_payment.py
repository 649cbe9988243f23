"""Payments that the bank answered and no statement booked: expected until their value date, and missing after it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import pg_arrays
from models.rules.reconciliation import lack_verdict, value_date

ROWS_AT_ONCE = 5_000
"""Lines compared and stored by one set of statements: each stays far below the role's statement_timeout."""


class Period(NamedTuple):
    """Days for which a bank reported all its bookings in these currencies."""

    begins_on: date
    ends_on: date
    currencies: frozenset[str]


BANK_AMOUNT = "p.amount - CASE p.type WHEN 'withdrawal' THEN coalesce(p.commission, 0) ELSE 0 END"
"""SQL of the amount that the bank books: of a withdrawal it pays out what the commission leaves."""


CARRIED_DAYS = 31
"""An earlier statement's expected payment, and one whose booking was put aside, are looked for in the statements of a
month: by then they were missing."""

UNBOOKED = f"""
SELECT id::text, sent_id, direction, bank_reference, at, told FROM (
    SELECT payment_id AS id, payment_id::text AS sent_id, 'debit' AS direction, bank_reference, answered_at AS at,
           (SELECT value_date FROM resolutions WHERE id = resolution_id) AS told
    FROM instructions WHERE answer = 'confirmed' AND answered_at >= %(begins_on)s::date::timestamp AT TIME ZONE 'UTC'
    UNION ALL
    SELECT payment_id, parent_id::text, 'credit', bank_id, created_at, NULL
    FROM returns WHERE payment_id IS NOT NULL AND created_at >= %(begins_on)s::date::timestamp AT TIME ZONE 'UTC'
    UNION ALL (
        SELECT DISTINCT ON (e.payment_id, e.direction) e.payment_id, e.end_to_end_id, e.direction, e.bank_reference,
               e.booked_on::timestamp AT TIME ZONE 'UTC', e.value_date
        FROM bank_statement_lines e
        WHERE e.verdict = 'expected' AND e.booked_on < %(begins_on)s::date
          AND e.value_date BETWEEN %(begins_on)s::date - {CARRIED_DAYS} AND %(ends_on)s::date
          AND NOT EXISTS (SELECT FROM bank_statement_lines l WHERE l.payment_id = e.payment_id
                              AND l.direction = e.direction AND l.verdict = 'missing_there'))
    UNION ALL (
        SELECT DISTINCT ON (e.payment_id, e.direction) e.payment_id, e.end_to_end_id, e.direction, e.bank_reference,
               e.booked_on::timestamp AT TIME ZONE 'UTC', NULL::date
        FROM bank_statement_lines e
        WHERE e.verdict = 'mismatched' AND e.dismissed_at IS NOT NULL AND e.difference <> 'direction'
          AND e.booked_on BETWEEN %(begins_on)s::date - {CARRIED_DAYS} AND %(begins_on)s::date - 1
          AND NOT EXISTS (SELECT FROM bank_statement_lines l WHERE l.payment_id = e.payment_id
                              AND l.direction = e.direction AND l.verdict = 'missing_there'))
) unbooked
WHERE at < (%(ends_on)s::date + 1)::timestamp AT TIME ZONE 'UTC'
  AND at >= %(at)s::timestamptz AND (at, id) > (%(at)s::timestamptz, %(after)s::uuid)
  AND NOT EXISTS (SELECT FROM bank_statement_lines l
                  WHERE l.payment_id = unbooked.id AND l.direction = unbooked.direction AND l.dismissed_at IS NULL
                    AND (l.verdict NOT IN ('missing_there', 'expected') OR l.statement_id = %(id)s::uuid))
  AND NOT EXISTS (SELECT FROM bank_statement_lines l WHERE l.matched_payment_id = unbooked.id)
ORDER BY at, unbooked.id LIMIT %(limit)s
"""
"""Payments booked by an earlier statement, or matched by a person, are not missing; those that an earlier one expected
are, once they should be booked, and those whose only booking was put aside as something else."""

START = {"at": "-infinity", "after": "00000000-0000-0000-0000-000000000000"}

EXPECTED = pg_arrays.Columns(
    "expected",
    "id uuid, sent_id text, direction text, bank_reference text, at timestamptz, value_date date, verdict text",
)

KEEP_MISSING = f"""
INSERT INTO bank_statement_lines (statement_id, line, booked_on, direction, amount, currency, end_to_end_id,
                                  bank_reference, verdict, payment_id, value_date)
SELECT %(id)s::uuid, %(last_line)s + row_number() OVER (ORDER BY expected.at, p.id),
       (expected.at AT TIME ZONE 'UTC')::date, expected.direction, {BANK_AMOUNT}, p.currency,
       replace(expected.sent_id, '-', ''), expected.bank_reference, expected.verdict, p.id, expected.value_date
FROM payments p JOIN {EXPECTED.unnest} ON expected.id = p.id
WHERE p.id = ANY({EXPECTED.array("id")}) AND p.state = 'COMPLETED' AND p.currency = ANY(%(currencies)s::text[])
"""


def batches(connection: Connection, id: str, period: Period) -> Iterator[Sequence[Row]]:
    """Payments that the bank should have booked within the period and no statement has, in batches."""
    position: Mapping[str, object] = START
    while True:
        days = {"begins_on": period.begins_on, "ends_on": period.ends_on}
        parameters = {"id": id, **days, "limit": ROWS_AT_ONCE, **position}
        rows = connection.exec_driver_sql(UNBOOKED, parameters).all()
        yield rows
        if len(rows) < ROWS_AT_ONCE:
            return
        position = {"at": rows[-1].at, "after": rows[-1].id}


def store(connection: Connection, id: str, last_line: int, rows: Sequence[Row], period: Period) -> int:
    """Store the rows that are COMPLETED payments in the period's currencies, after the last line; their number."""
    codes = pg_arrays.quoted(sorted(period.currencies))
    dates = [value_date(row.at.astimezone(UTC).date(), row.told) for row in rows]
    verdicts = [lack_verdict(date, period.ends_on) for date in dates]
    parameters = EXPECTED.parameters(rows, value_date=dates, verdict=verdicts)
    return connection.exec_driver_sql(
        KEEP_MISSING, {"id": id, "last_line": last_line, "currencies": codes, **parameters}
    ).rowcount
