"""Bank statements with a verdict per line, given at upload and corrected by people later."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset
from models.keyset import START, Cursor
from models.records import record


class StatementRecord(NamedTuple):
    """A statement in the format `form`, and its number of lines per verdict; those matched by a person are matched.

    `set_aside` are the errors of the lines that could not be read.
    """

    id: str
    form: str
    account: str | None
    begins_on: date
    ends_on: date
    uploaded_by: str
    created_at: datetime
    set_aside: Sequence[Mapping[str, str]]
    counts: Mapping[str, int]


class StatementLine(NamedTuple):
    """A line of a statement, or a payment that it lacks (`missing_there`), and its verdict with the `difference`.

    The amount is in minor units, `digits` those of its currency, `id` the line number as text.
    """

    id: str
    line: int
    account: str | None
    booked_on: date
    direction: str
    amount: int
    currency: str
    digits: int
    end_to_end_id: str | None
    bank_reference: str | None
    description: str | None
    verdict: str
    difference: str | None
    payment_id: str | None
    matched_payment_id: str | None
    match_reason: str | None
    matched_by: str | None
    matched_at: datetime | None


VERDICT = "CASE WHEN l.matched_by IS NULL THEN l.verdict ELSE 'matched' END"

STATEMENT = f"""
SELECT s.id::text, s.form, s.account, s.begins_on, s.ends_on, s.uploaded_by::text, s.created_at, s.set_aside,
       (SELECT coalesce(jsonb_object_agg(verdict, lines), '{{}}')
        FROM (SELECT {VERDICT} AS verdict, count(*) AS lines FROM bank_statement_lines l
              WHERE l.statement_id = s.id GROUP BY 1) counted) AS counts
FROM bank_statements s
"""


def by_id(connection: Connection, id: str) -> StatementRecord | None:
    """The statement, or None."""
    return record(StatementRecord, connection.exec_driver_sql(f"{STATEMENT} WHERE s.id = %s", (id,)))


def by_hash(connection: Connection, hash: bytes) -> StatementRecord | None:
    """The statement of the file with this hash, or None."""
    return record(StatementRecord, connection.exec_driver_sql(f"{STATEMENT} WHERE s.hash = %s", (hash,)))


LINE = f"""
SELECT l.line::text AS id, l.line, l.account, l.booked_on, l.direction, l.amount, l.currency, c.digits, l.end_to_end_id,
       l.bank_reference, l.description, {VERDICT} AS verdict, l.difference, l.payment_id::text,
       l.matched_payment_id::text, l.match_reason, l.matched_by::text, l.matched_at
FROM bank_statement_lines l JOIN currencies c ON c.code = l.currency
"""


def page(
    connection: Connection, id: str, limit: int, at: Cursor = START, *, verdicts: list[str] | None = None
) -> list[StatementLine]:
    """Lines of a statement in order; payments that it lacks come last."""
    conditions = {"l.statement_id = %s": id, f"{VERDICT} = ANY(%s)": verdicts}
    return keyset.page(
        connection, StatementLine, LINE, conditions, limit, at, key="l.line", kind="integer", is_ascending=True
    )


def line(connection: Connection, id: str, number: int) -> StatementLine | None:
    """One line of a statement, or None."""
    query = f"{LINE} WHERE l.statement_id = %s AND l.line = %s"
    return record(StatementLine, connection.exec_driver_sql(query, (id, number)))


MATCH = """
UPDATE bank_statement_lines l
SET matched_payment_id = %(payment_id)s, match_reason = %(reason)s, matched_by = %(user_id)s, matched_at = now()
WHERE l.statement_id = %(id)s AND l.matched_by IS NULL AND l.verdict <> 'matched'
"""


def match(connection: Connection, id: str, number: int, payment_id: str, reason: str, user_id: str) -> bool:
    """Record the payment that a person assigns to a line; False if there is no such unmatched line.

    A line of the same statement that reports this payment as missing is matched too.
    """
    parameters = {"id": id, "line": number, "payment_id": payment_id, "reason": reason, "user_id": user_id}
    if not connection.exec_driver_sql(f"{MATCH} AND l.line = %(line)s", parameters).rowcount:
        return False
    connection.exec_driver_sql(f"{MATCH} AND l.verdict = 'missing_there' AND l.payment_id = %(payment_id)s", parameters)
    return True
