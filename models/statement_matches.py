"""Matches many lines of a statement to payments, as one file says: each line is matched, or refused by itself."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import bank_statement, match_file, pg_arrays
from models.audit import Actor
from models.bank_statement import StatementLine
from models.match_file import UnreadMatch, WantedMatch
from models.rules.reconciliation import DETAILS, MatchProblem, MatchVerdict


class MatchOutcome(StrEnum):
    """What became of a line of the file."""

    MATCHED = "matched"
    """The line of the statement was matched to the payment."""
    UNCHANGED = "unchanged"
    """It was matched to this payment before."""
    REFUSED = "refused"
    """It was left as it was."""


class LineMatch(NamedTuple):
    """A line of the file, numbered from 1, and what became of it.

    One that is refused has a code, a sentence, and the pointer of the member at fault.
    """

    number: int
    line: int | None
    payment: str | None
    outcome: MatchOutcome
    code: str | None = None
    pointer: str | None = None
    detail: str | None = None


LOCK = """
SELECT FROM bank_statement_lines l
WHERE l.statement_id = %s AND (l.line = ANY(%s::integer[])
    OR (l.payment_id = ANY(%s::uuid[]) AND l.verdict IN ('missing_there', 'expected')))
ORDER BY l.line FOR NO KEY UPDATE
"""
"""Two files, or a file and a person, that match the same lines wait for each other."""


def match_all(
    connection: Connection, id: str, lines: Sequence[WantedMatch | UnreadMatch], actor: Actor
) -> list[LineMatch]:
    """Match lines of a statement, each recorded in the audit log; the same file again leaves all as it is."""
    read = list(match_file.wanted(lines))
    numbers, payments = pg_arrays.plain(one.line for one in read), pg_arrays.plain(one.payment_id for one in read)
    connection.exec_driver_sql(LOCK, (id, numbers, payments))
    return [_unread(one) if isinstance(one, UnreadMatch) else _match(connection, id, one, actor) for one in lines]


def _match(connection: Connection, id: str, wanted: WantedMatch, actor: Actor) -> LineMatch:
    before = bank_statement.line(connection, id, wanted.line)
    if before is None:
        return _refused(wanted, "not_found", "line", "The statement has no such line.")
    if before.verdict == MatchVerdict.MATCHED and wanted.payment_id in (before.matched_payment_id, before.payment_id):
        return LineMatch(wanted.number, wanted.line, wanted.payment_id, MatchOutcome.UNCHANGED)
    after = bank_statement.match(connection, id, before, wanted.payment_id, actor, wanted.reason)
    if isinstance(after, StatementLine):
        return LineMatch(wanted.number, wanted.line, wanted.payment_id, MatchOutcome.MATCHED)
    return _refused(wanted, after.value, "payment" if isinstance(after, MatchProblem) else "line", DETAILS[after])


def _refused(wanted: WantedMatch, code: str, member: str, detail: str) -> LineMatch:
    pointer = f"/lines/{wanted.number}/{member}"
    return LineMatch(
        wanted.number, wanted.line, wanted.payment_id, MatchOutcome.REFUSED, code=code, pointer=pointer, detail=detail
    )


def _unread(line: UnreadMatch) -> LineMatch:
    pointer = f"/lines/{line.number}/{line.member}".rstrip("/")
    return LineMatch(line.number, None, None, MatchOutcome.REFUSED, code=line.code, pointer=pointer, detail=line.detail)


def body(id: str, done: Sequence[LineMatch], *, dry_run: bool) -> dict[str, Any]:
    """The JSON of what became of a file."""
    outcomes = [one.outcome for one in done]
    counts = {outcome.value: outcomes.count(outcome) for outcome in MatchOutcome}
    return {"statement": id, "dry_run": dry_run, **counts, "lines": [one._asdict() for one in done]}
