"""Reconciliation: compares a bank's statement with our payouts and returns, line by line; no money moves."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays, unbooked_payment
from models.rules.reconciliation import Booking, Expected, MatchResult, MatchVerdict, judge
from models.unbooked_payment import BANK_AMOUNT, ROWS_AT_ONCE, Period

DESCRIPTION_LENGTH_MAX = 140

MISSING_THERE_MAX = 50_000
"""The bound on lines of a file: more missing payments mean the statement of another account."""


class ReportedLine(NamedTuple):
    """A line as the bank reports it; `payment_id` if its end-to-end id may be one of ours, amount in minor units.

    Its number is that in the file. `amount` None: a part of the next line, without an amount of its own.
    """

    line: int
    account: str | None
    booked_on: date
    direction: str
    amount: int | None
    currency: str
    end_to_end_id: str | None
    bank_reference: str | None
    description: str | None
    payment_id: str | None

    @property
    def booking(self) -> Booking:
        """The members that are compared."""
        return Booking(self.direction, self.amount or 0, self.currency, self.bank_reference)


class Upload(NamedTuple):
    """A statement file about to be stored: its SHA-256, its format `form` and the days that it covers.

    `set_aside` are the errors of the lines that could not be read, as JSON; the shell uploads in nobody's name.
    """

    id: str
    hash: bytes
    form: str
    account: str | None
    begins_on: date
    ends_on: date
    set_aside: str
    uploaded_by: str | None


class StatementTooLarge(Exception):
    """Raised if more than MISSING_THERE_MAX payments of the statement's days are missing in it."""


def add(connection: Connection, upload: Upload, lines: Sequence[ReportedLine], periods: Iterable[Period]) -> bool:
    """Store a statement with a verdict for each line; False if the file is stored already.

    After its lines come our payments that the bank answered within a period, in its currencies, but did not book.
    Raises StatementTooLarge.
    """
    is_new = connection.exec_driver_sql(
        "INSERT INTO bank_statements (id, hash, form, account, begins_on, ends_on, set_aside,"
        " uploaded_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (hash) DO NOTHING",
        tuple(upload),
    ).rowcount
    if not is_new:
        return False
    seen: set[str] = set()
    last_reported = last_line = max((line.line for line in lines), default=0)
    lines = _with_amounts(connection, lines)
    for start in range(0, len(lines), ROWS_AT_ONCE):
        batch = lines[start : start + ROWS_AT_ONCE]
        _store(connection, upload.id, batch, list(_judged(connection, batch, seen)))
    for period in periods:
        for rows in unbooked_payment.batches(connection, upload.id, period):
            last_line += unbooked_payment.store(connection, upload.id, last_line, rows, period)
            if last_line - last_reported > MISSING_THERE_MAX:
                raise StatementTooLarge
    return True


def _with_amounts(connection: Connection, lines: Sequence[ReportedLine]) -> Sequence[ReportedLine]:
    """The lines with amounts filled in: a part of an entry without one gets the amount we expect, if that is left.

    A single remaining part gets the whole rest; of several, the ids are listed in the line of the rest.
    """
    unknown = [line for line in lines if line.amount is None]
    if not unknown:
        return lines
    expected: dict[str | None, list[Expected]] = {}
    for start in range(0, len(unknown), ROWS_AT_ONCE):
        for by_key in _expected(connection, unknown[start : start + ROWS_AT_ONCE]):
            expected.update(by_key)
    result: list[ReportedLine] = []
    parts: list[ReportedLine] = []
    for line in lines:
        if line.amount is None:
            parts.append(line)
        elif parts:
            result += _split_rest(line, line.amount, parts, expected)
            parts = []
        else:
            result.append(line)
    return result


def _split_rest(
    rest: ReportedLine, amount: int, parts: Iterable[ReportedLine], expected: Mapping[str | None, Sequence[Expected]]
) -> Iterator[ReportedLine]:
    """The parts of an entry's rest with their amounts, and the final rest."""
    unmatched = []
    for part in parts:
        candidates = expected.get(part.payment_id) or expected.get(part.bank_reference) or ()
        amounts = [c.amount for c in candidates if (c.direction, c.currency) == (part.direction, part.currency)]
        if amounts and amounts[0] <= amount:
            amount -= amounts[0]
            yield part._replace(amount=amounts[0])
        else:
            unmatched.append(part)
    if amount and len(unmatched) == 1:
        yield unmatched[0]._replace(amount=amount)
    elif amount:
        ids = ", ".join(filter(None, (part.end_to_end_id or part.bank_reference for part in unmatched)))
        yield rest._replace(amount=amount, description=(ids or rest.description or "")[:DESCRIPTION_LENGTH_MAX] or None)


def _judged(connection: Connection, lines: Sequence[ReportedLine], seen: set[str]) -> Iterator[MatchResult]:
    """The verdicts, in the order of the lines; adds to `seen` the payments that are matched."""
    by_id, by_reference = _expected(connection, lines)
    for line in lines:
        candidates = by_id.get(line.payment_id) or by_reference.get(line.bank_reference) or []
        result = judge(line.booking, candidates, seen)
        if result.verdict == MatchVerdict.MATCHED and result.payment_id is not None:
            seen.add(result.payment_id)
        yield result


CANDIDATES = """
SELECT payment_id::text, 'debit', payment_id::text, bank_reference FROM instructions
WHERE payment_id = ANY(%(ids)s::uuid[])
UNION
SELECT payment_id::text, 'debit', payment_id::text, bank_reference FROM instructions
WHERE bank_reference = ANY(%(references)s::text[])
UNION
SELECT payment_id::text, 'credit', parent_id::text, bank_id FROM returns
WHERE payment_id IS NOT NULL AND parent_id = ANY(%(ids)s::uuid[])
UNION
SELECT payment_id::text, 'credit', parent_id::text, bank_id FROM returns
WHERE payment_id IS NOT NULL AND bank_id = ANY(%(references)s::text[])
"""
"""Payments that lines may refer to, as the bank knows them. The payments themselves are read separately by id: a join
would read all partitions."""


def _expected(
    connection: Connection, lines: Iterable[ReportedLine]
) -> tuple[Mapping[str | None, list[Expected]], Mapping[str | None, list[Expected]]]:
    """Our payments that these lines may refer to: by the id sent to the bank, and by the bank's reference."""
    ids, references = ({getattr(line, name) for line in lines} - {None} for name in ("payment_id", "bank_reference"))
    keys = {"ids": pg_arrays.plain(ids), "references": pg_arrays.quoted(references)}
    candidates = connection.exec_driver_sql(CANDIDATES, keys).all()
    payment_ids = pg_arrays.plain(row[0] for row in candidates)
    rows = connection.exec_driver_sql(
        f"SELECT p.id::text, ({BANK_AMOUNT})::text, p.currency, p.state FROM payments p WHERE p.id = ANY(%s::uuid[])",
        (payment_ids,),
    )
    payments: dict[str, tuple[int, str, str]] = {row[0]: (int(row[1]), row[2], row[3]) for row in rows}
    booked: defaultdict[str, list[str | None]] = defaultdict(list)
    for payment_id, reference in connection.exec_driver_sql(
        "SELECT payment_id::text, bank_reference FROM bank_statement_lines"
        " WHERE payment_id = ANY(%s::uuid[]) AND verdict = 'matched'",
        (payment_ids,),
    ):
        booked[payment_id].append(reference)
    by_id: defaultdict[str | None, list[Expected]] = defaultdict(list)
    by_reference: defaultdict[str | None, list[Expected]] = defaultdict(list)
    for id, direction, sent_id, reference in candidates:
        if id not in payments:  # of a month that is detached
            continue
        expected = Expected(id, direction, *payments[id], reference, tuple(booked[id]))
        by_id[sent_id].append(expected)
        if reference is not None:
            by_reference[reference].append(expected)
    return by_id, by_reference


LINE = pg_arrays.Columns(
    "line",
    "line integer, account text, booked_on date, direction text, amount numeric, currency text, end_to_end_id text,"
    " bank_reference text, description text, verdict text, difference text, payment_id uuid",
)

KEEP = f"""
INSERT INTO bank_statement_lines (statement_id, {LINE.names})
SELECT %(id)s::uuid, * FROM {LINE.unnest}
"""


def _store(connection: Connection, id: str, lines: Sequence[ReportedLine], results: Sequence[MatchResult]) -> None:
    matches = pg_arrays.attributes(results, "verdict", "difference", "payment_id")
    connection.exec_driver_sql(KEEP, {"id": id, **LINE.parameters(lines, **matches)})
