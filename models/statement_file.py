"""Parses bank statements, CSV or camt.053, into the same lines."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from models import csv_lines
from models.camt053 import STATEMENTS, TEXT_LENGTH_MAX, payment_id, statements
from models.currency import Currency
from models.iso20022 import InvalidFile, document
from models.reconciliation import ReportedLine
from models.rules import money
from models.rules.blanks import fold_blanks
from models.rules.calendar import YEAR_MAX, YEAR_MIN
from models.rules.text import TextError, free_text
from models.unbooked_payment import Period

BYTES_MAX = 4 * 1024 * 1024

LINES_MAX = 50_000
"""At about eighty bytes each; longer statements are split into several files."""

DAYS_MAX = 366

SET_ASIDE_MAX = 1_000
"""A file with more unreadable lines is probably not a statement."""

POINTER_LENGTH_MAX = 120
"""As in the errors of the API."""

REQUIRED = ("booked_on", "direction", "amount", "currency")
OPTIONAL = ("end_to_end_id", "bank_reference", "description")
"""The columns of a CSV, in any order."""

IDS = ("end_to_end_id", "bank_reference")
"""Spaces around these are ignored."""

DIRECTIONS = ("credit", "debit")
"""Money that came in, and money that went out."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

StatementErrors = list[tuple[str, str, str]]
"""Position, code and a sentence of each."""

Currencies = Mapping[str, Currency]


class InvalidStatement(Exception):
    """Raised for a file that is not read: its errors, and the code and detail of the whole file unless they say it."""

    def __init__(self, errors: StatementErrors, code: str | None = None, detail: str = "") -> None:
        super().__init__(detail or "; ".join(f"{pointer}: {text}" for pointer, _, text in errors[:3]))
        self.errors = errors
        self.code = code
        self.detail = detail


class _InvalidLine(Exception):
    """Raised for a line that is set aside: the member at fault ("" for all of it), a code and a sentence."""

    def __init__(self, member: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.error = (member, code, detail)


class ParsedStatement(NamedTuple):
    """A statement in the format `form`, csv or camt.053; `account` is None if it has several.

    `set_aside` are the errors of the lines that could not be read and were skipped.
    """

    form: str
    account: str | None
    begins_on: date
    ends_on: date
    periods: list[Period]
    lines: list[ReportedLine]
    set_aside: list[dict[str, str]]


class RawLine(NamedTuple):
    """A line whose values are not checked yet, and its position in the file."""

    pointer: str
    account: str | None
    booked_on: date | None
    direction: str
    amount: str | None
    currency: str
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    description: str | None = None


def parse_csv(data: bytes, currencies: Currencies) -> ParsedStatement:
    """Parse CSV in UTF-8 with a header; amounts are positive, lines are numbered from 1. Raises InvalidStatement."""
    texts = csv_lines.lines(iter(data.removeprefix(csv_lines.BOM).split(b"\n")))
    try:
        names = [name.strip() for name in _cells(next(texts, b""), "/header")]
    except _InvalidLine:
        raise InvalidStatement([], "malformed_csv", "The first line must name the columns.") from None
    unknown = [name for name in names if name not in REQUIRED + OPTIONAL or names.count(name) > 1]
    if unknown:
        detail = f"Columns can be, each once: {', '.join(REQUIRED + OPTIONAL)}."
        raise InvalidStatement([("/header", "unknown_field", detail)])
    if not set(REQUIRED) <= set(names):
        raise InvalidStatement([("/header", "required", f"Required columns: {', '.join(REQUIRED)}.")])

    def read(number: int, text: bytes) -> RawLine:
        cells = _cells(text, f"/lines/{number}")
        if len(cells) != len(names):
            raise _InvalidLine("", "invalid_value", f"Must have {len(names)} cells, as the header.")
        row = dict(zip(names, cells, strict=True))
        row |= {name: fold_blanks(row[name]) for name in IDS if name in row}
        optional = {name: _text(name, row[name]) for name in OPTIONAL if row.get(name)}
        pointer, day = f"/lines/{number}", _day(row["booked_on"])
        return RawLine(pointer, None, day, row["direction"], row["amount"], row["currency"], **optional)

    lines: list[ReportedLine] = []
    errors: StatementErrors = []
    rows = list(texts)
    _refuse_too_many(rows)
    for number, text in enumerate(rows, 1):
        try:
            lines.append(_reported_line(number, read(number, text), currencies))
        except _InvalidLine as invalid:
            errors.append(_at(f"/lines/{number}", invalid))
    days = [line.booked_on for line in lines]
    seen = frozenset(line.currency for line in lines)
    return _parsed("csv", [Period(min(days), max(days), seen)] if days else [], lines, errors)


def parse_camt053(data: bytes, currencies: Currencies) -> ParsedStatement:
    """Parse the booked entries of a camt.053; unprintable characters are removed from its texts.

    Raises InvalidStatement.
    """
    try:
        parsed, unreadable = statements(document(data, STATEMENTS))
    except InvalidFile as error:
        raise InvalidStatement([], "malformed_xml", str(error)) from None
    errors: StatementErrors = [(entry.pointer, "invalid_value", entry.detail) for entry in unreadable]
    lines: list[ReportedLine] = []
    periods = []
    _refuse_too_many([entry for statement in parsed for entry in statement.entries])
    number = 0
    for statement in parsed:
        if statement.currency is not None and statement.currency not in currencies:
            errors.append((statement.pointer, "currency_unknown", "The currency of this account is unknown."))
            continue
        read = []
        invalid_entries = set()
        for entry in statement.entries:
            number += 1
            raw = RawLine(
                entry.pointer,
                _printable(statement.account),
                entry.booked_on,
                entry.direction,
                entry.amount,
                entry.currency,
                _printable(entry.end_to_end_id),
                _printable(entry.bank_reference),
                _printable(entry.description),
            )
            try:
                read.append((entry.pointer, _reported_line(number, raw, currencies)))
            except _InvalidLine as invalid:
                errors.append(_at(entry.pointer, invalid))
                invalid_entries.add(entry.pointer)
        # All lines of an entry are valid, or all are set aside.
        valid = [line for pointer, line in read if pointer not in invalid_entries]
        lines += valid
        days = [line.booked_on for line in valid] + [
            day for day in (statement.begins_on, statement.ends_on) if day is not None
        ]
        days = days or ([statement.made_on] if statement.made_on and not statement.entries else [])
        if days:
            seen = {line.currency for line in valid} | ({statement.currency} if statement.currency else set())
            periods.append(Period(min(days), max(days), frozenset(seen)))
    accounts = {_printable(statement.account) for statement in parsed}
    return _parsed("camt.053", periods, lines, errors, accounts.pop() if len(accounts) == 1 else None)


def _refuse_too_many(rows: Sequence[object]) -> None:
    if len(rows) > LINES_MAX:
        raise InvalidStatement([("/lines", "invalid_value", f"At most {LINES_MAX} lines.")])


def _cells(text: bytes, pointer: str) -> list[str]:
    """The cells of a line; raises _InvalidLine, or InvalidStatement if it is not UTF-8."""
    try:
        return csv_lines.cells(text)
    except csv_lines.NotUtf8:
        detail = "The body is not CSV in UTF-8."
        raise InvalidStatement([(pointer, "malformed_csv", detail)], "malformed_csv", detail) from None
    except csv_lines.InvalidLine:
        raise _InvalidLine("", "malformed_csv", "This is not a line of CSV.") from None


def _reported_line(number: int, raw: RawLine, currencies: Currencies) -> ReportedLine:
    """The line with its amount in minor units and the payment of its end-to-end id; raises _InvalidLine."""
    if raw.direction not in DIRECTIONS:
        raise _InvalidLine("direction", "invalid_value", f"Must be one of: {', '.join(DIRECTIONS)}.")
    if raw.booked_on is None or not YEAR_MIN <= raw.booked_on.year <= YEAR_MAX:
        raise _InvalidLine("booked_on", "invalid_value", "Must be a date such as 2026-01-31.")
    currency = currencies.get(raw.currency)
    if currency is None:
        raise _InvalidLine("currency", "currency_unknown", "Unknown currency.")
    try:
        amount = None if raw.amount is None else money.parse(raw.amount, currency.digits)
    except money.MoneyError as error:
        raise _InvalidLine("amount", error.code, error.detail) from None
    return ReportedLine(
        number,
        raw.account,
        raw.booked_on,
        raw.direction,
        amount,
        raw.currency,
        raw.end_to_end_id,
        raw.bank_reference,
        raw.description,
        payment_id(raw.end_to_end_id),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _text(name: str, text: str) -> str:
    try:
        return free_text(text, TEXT_LENGTH_MAX)
    except TextError as error:
        raise _InvalidLine(name, error.code, error.detail) from None


def _at(pointer: str, invalid: _InvalidLine) -> tuple[str, str, str]:
    member, code, detail = invalid.error
    return (f"{pointer}/{member}" if member else pointer, code, detail)


def _parsed(
    form: str, periods: list[Period], lines: list[ReportedLine], errors: StatementErrors, account: str | None = None
) -> ParsedStatement:
    """The whole statement; raises InvalidStatement if no line is readable, or it has no days or too many."""
    if (errors and not lines) or len(errors) > SET_ASIDE_MAX:
        raise InvalidStatement(errors)
    if not periods:
        raise InvalidStatement([("/lines", "invalid_value", "Must have at least one line.")])
    begins_on, ends_on = min(period.begins_on for period in periods), max(period.ends_on for period in periods)
    if not (begins_on.year >= YEAR_MIN and ends_on.year <= YEAR_MAX and (ends_on - begins_on).days <= DAYS_MAX):
        raise InvalidStatement([("/lines", "invalid_value", f"At most {DAYS_MAX} days.")])
    set_aside = [
        {"pointer": pointer[:POINTER_LENGTH_MAX], "code": code, "detail": detail} for pointer, code, detail in errors
    ]
    return ParsedStatement(form, account, begins_on, ends_on, periods, lines, set_aside)


def _printable(text: str | None) -> str | None:
    return "".join(filter(str.isprintable, text or "")).strip() or None
