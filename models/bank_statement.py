"""Bank statements with a verdict per line, given at upload and corrected by people later."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import audit, keyset, payment
from models.audit import Actor
from models.keyset import START, Cursor
from models.records import record
from models.rules.money import render
from models.rules.reconciliation import (
    AGES,
    EXCEPTIONS,
    AgeBucket,
    DismissCategory,
    LineProblem,
    MatchProblem,
    MatchVerdict,
)


class StatementRecord(NamedTuple):
    """A statement in the format `form`, and its number of lines per verdict; those matched by a person are matched.

    `ages` are the numbers of its exceptions by age. `set_aside` are the errors of the lines that could not be read.
    """

    id: str
    form: str
    account: str | None
    begins_on: date
    ends_on: date
    uploaded_by: str | None
    created_at: datetime
    set_aside: Sequence[Mapping[str, str]]
    counts: Mapping[str, int]
    ages: Mapping[str, int]


class StatementLine(NamedTuple):
    """A line of a statement, or a payment that it lacks, and its verdict with the `difference`.

    `value_date` is when the bank books a payment of ours at the latest; `age_days` of an exception since then, or since
    it was booked. The amount is in minor units, `digits` those of its currency, `id` the line number as text.
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
    value_date: date | None
    age_days: int | None
    dismiss_category: str | None
    dismiss_reason: str | None
    dismissed_by: str | None
    dismissed_at: datetime | None


VERDICT = """CASE WHEN l.matched_at IS NOT NULL THEN 'matched' WHEN l.dismissed_at IS NOT NULL THEN 'dismissed'
    ELSE l.verdict END"""
NEED_A_PERSON = ", ".join(repr(verdict.value) for verdict in EXCEPTIONS)
IS_EXCEPTION = f"{VERDICT} IN ({NEED_A_PERSON})"


def _age(day: str) -> str:
    """SQL of the days since a day."""
    return f"greatest((statement_timestamp() AT TIME ZONE 'UTC')::date - {day}, 0)"


def _bucket(day: str) -> str:
    """SQL of the age bucket of an exception of this day."""
    return f"""CASE WHEN {_age(day)} <= {AGES[AgeBucket.FRESH]} THEN '{AgeBucket.FRESH}'
    WHEN {_age(day)} <= {AGES[AgeBucket.RECENT]} THEN '{AgeBucket.RECENT}' ELSE '{AgeBucket.OLD}' END"""


DATED_ON = "coalesce(l.value_date, l.booked_on)"

STATEMENT = f"""
SELECT s.id::text, s.form, s.account, s.begins_on, s.ends_on, s.uploaded_by::text, s.created_at, s.set_aside,
       (SELECT coalesce(jsonb_object_agg(verdict, lines), '{{}}')
        FROM (SELECT verdict, sum(lines) AS lines FROM bank_statement_counts l
              WHERE l.statement_id = s.id GROUP BY 1) counted) AS counts,
       (SELECT coalesce(jsonb_object_agg(bucket, lines), '{{}}')
        FROM (SELECT {_bucket("l.dated_on")} AS bucket, sum(lines) AS lines FROM bank_statement_counts l
              WHERE l.statement_id = s.id AND l.verdict IN ({NEED_A_PERSON}) GROUP BY 1) counted) AS ages
FROM bank_statements s
"""
"""A trigger counts the lines by verdict and day when they change: a list of statements reads no line."""


def by_id(connection: Connection, id: str) -> StatementRecord | None:
    """The statement, or None."""
    return record(StatementRecord, connection.exec_driver_sql(f"{STATEMENT} WHERE s.id = %s", (id,)))


def by_hash(connection: Connection, hash: bytes) -> StatementRecord | None:
    """The statement of the file with this hash, or None."""
    return record(StatementRecord, connection.exec_driver_sql(f"{STATEMENT} WHERE s.hash = %s", (hash,)))


LINE = f"""
SELECT l.line::text AS id, l.line, l.account, l.booked_on, l.direction, l.amount, l.currency, c.digits, l.end_to_end_id,
       l.bank_reference, l.description, {VERDICT} AS verdict, l.difference, l.payment_id::text,
       l.matched_payment_id::text, l.match_reason, l.matched_by::text, l.matched_at, l.value_date,
       CASE WHEN {IS_EXCEPTION} THEN {_age(DATED_ON)} END AS age_days, l.dismiss_category, l.dismiss_reason,
       l.dismissed_by::text, l.dismissed_at
FROM bank_statement_lines l JOIN currencies c ON c.code = l.currency
"""


def statements(connection: Connection, limit: int, at: Cursor = START) -> list[StatementRecord]:
    """All statements, newest first."""
    return keyset.page(connection, StatementRecord, STATEMENT, {}, limit, at, key="s.id")


def page(
    connection: Connection,
    id: str,
    limit: int,
    at: Cursor = START,
    *,
    verdicts: list[str] | None = None,
    ages: list[str] | None = None,
) -> list[StatementLine]:
    """Lines of a statement in order; payments that it lacks come last. With `ages` only exceptions of these ages."""
    conditions = {
        "l.statement_id = %s": id,
        f"{VERDICT} = ANY(%s)": verdicts,
        f"{IS_EXCEPTION} AND {_bucket(DATED_ON)} = ANY(%s)": ages,
    }
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
WHERE l.statement_id = %(id)s AND l.matched_at IS NULL AND l.dismissed_at IS NULL AND l.verdict <> 'matched'
"""


LACKING = (MatchVerdict.MISSING_THERE, MatchVerdict.EXPECTED)
DECIDED = {MatchVerdict.MATCHED: LineProblem.MATCHED, MatchVerdict.DISMISSED: LineProblem.DISMISSED}


def match(
    connection: Connection, id: str, before: StatementLine, payment_id: str, actor: Actor, reason: str
) -> StatementLine | LineProblem | MatchProblem:
    """Record the payment that a person assigns to a line, in the audit log too; returns the line, or why it cannot be.

    A line of the same statement that reports this payment as missing is matched too.
    """
    if before.verdict in DECIDED:
        return DECIDED[MatchVerdict(before.verdict)]
    if before.verdict in LACKING and before.payment_id != payment_id:
        return MatchProblem.ANOTHER
    if not payment.states(connection, [payment_id]):
        return MatchProblem.UNKNOWN
    parameters = {"id": id, "line": before.line, "payment_id": payment_id, "reason": reason, "user_id": actor.user_id}
    matched = connection.exec_driver_sql(f"{MATCH} AND l.line = %(line)s", parameters).rowcount
    if matched:
        is_lacked = "l.verdict IN ('missing_there', 'expected') AND l.payment_id = %(payment_id)s"
        connection.exec_driver_sql(f"{MATCH} AND {is_lacked}", parameters)
    after = line(connection, id, before.line) or before
    if not matched:
        return DECIDED[MatchVerdict(after.verdict)]
    note = (line_body(before), line_body(after))
    audit.note(connection, actor, "reconciliations.match", f"{id}/{before.line}", reason, *note)
    return after


DISMISS = """
UPDATE bank_statement_lines l
SET dismiss_category = %s, dismiss_reason = %s, dismissed_by = %s, dismissed_at = now()
WHERE l.statement_id = %s AND l.line = %s AND l.matched_at IS NULL AND l.dismissed_at IS NULL
  AND l.verdict IN ('mismatched', 'missing_here')
"""


def problem(before: StatementLine, category: str) -> LineProblem | None:
    """Why the line cannot be put aside with this category; None also if it was, with the same."""
    if before.verdict == MatchVerdict.MATCHED:
        return LineProblem.MATCHED
    if before.verdict == MatchVerdict.DISMISSED:
        return None if before.dismiss_category == category else LineProblem.DISMISSED
    return None if before.verdict in (MatchVerdict.MISMATCHED, MatchVerdict.MISSING_HERE) else LineProblem.NOT_BOOKED


def dismiss(
    connection: Connection, id: str, before: StatementLine, category: DismissCategory, actor: Actor, reason: str
) -> StatementLine | LineProblem:
    """Put a line aside, recorded in the audit log; returns the line as it is then, or why it cannot be.

    A line that was put aside with the same category stays as it is.
    """
    stored = connection.exec_driver_sql(DISMISS, (category.value, reason, actor.user_id, id, before.line))
    after = line(connection, id, before.line) or before
    if stored.rowcount:
        note = (line_body(before), line_body(after))
        audit.note(connection, actor, "reconciliations.dismiss", f"{id}/{before.line}", reason, *note)
    return problem(after, category) or after


def body(statement: StatementRecord) -> dict[str, Any]:
    """The JSON of a statement."""
    return {
        "id": statement.id,
        "form": statement.form,
        "account": statement.account,
        "begins_on": statement.begins_on.isoformat(),
        "ends_on": statement.ends_on.isoformat(),
        "set_aside": statement.set_aside,
        "counts": {verdict.value: statement.counts.get(verdict, 0) for verdict in MatchVerdict},
        "ages": [{"days": bucket.value, "count": statement.ages.get(bucket, 0)} for bucket in AgeBucket],
        "uploaded_by": statement.uploaded_by,
        "created_at": statement.created_at.isoformat(),
    }


def line_body(line: StatementLine) -> dict[str, Any]:
    """The JSON of a line."""
    return {
        "line": line.line,
        "account": line.account,
        "booked_on": line.booked_on.isoformat(),
        "value_date": line.value_date and line.value_date.isoformat(),
        "direction": line.direction,
        "amount": render(line.amount, line.digits),
        "currency": line.currency,
        "end_to_end_id": line.end_to_end_id,
        "bank_reference": line.bank_reference,
        "description": line.description,
        "verdict": line.verdict,
        "age_days": line.age_days,
        "difference": line.difference,
        "payment": line.payment_id,
        "match": line.matched_at
        and {
            "payment": line.matched_payment_id,
            "reason": line.match_reason,
            "matched_by": line.matched_by,
            "matched_at": line.matched_at.isoformat(),
        },
        "dismissal": line.dismissed_at
        and {
            "category": line.dismiss_category,
            "reason": line.dismiss_reason,
            "dismissed_by": line.dismissed_by,
            "dismissed_at": line.dismissed_at.isoformat(),
        },
    }
