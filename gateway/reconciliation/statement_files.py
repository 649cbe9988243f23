"""Statements of banks as they are uploaded: CSV under a header of ours, or camt.053, read to the same lines."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import marshmallow as ma

from gateway.http import csv_lines
from gateway.http.errors import POINTER_LENGTH_MAX, ApiError, FieldError, invalid
from gateway.http.fields import YEAR_MAX, YEAR_MIN, Text
from gateway.http.parsing import flatten
from gateway.lists.exports import CSV
from models.camt053 import STATEMENTS, TEXT_LENGTH_MAX, payment_id, statements
from models.currency import Currency
from models.iso20022 import InvalidFile, document
from models.reconciliation import Period, ReportedLine
from models.rules import money
from models.rules.blanks import fold_blanks

BYTES_MAX = 4 * 1024 * 1024

LINES_MAX = 50_000
"""Of some eighty bytes: what is longer comes in several files."""

DAYS_MAX = 366

SET_ASIDE_MAX = 1_000
"""A file with more lines that cannot be read is another file than it seems."""

REQUIRED = ("booked_on", "direction", "amount", "currency")
OPTIONAL = ("end_to_end_id", "bank_reference", "description")
"""The columns of a CSV, in any order."""

IDS = ("end_to_end_id", "bank_reference")
"""Blanks around these do not count."""

DIRECTIONS = ("credit", "debit")
"""Of money that came in, and of money that went out."""

XML = ("application/xml", "text/xml")

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WORDS = Text(TEXT_LENGTH_MAX)

StatementErrors = list[tuple[str, str, str]]
Currencies = Mapping[str, Currency]


class ParsedStatement(NamedTuple):
    """A statement that was read: its form, whose account if it is of one, its days, lines, and what was set aside."""

    form: str
    account: str | None
    begins_on: date
    ends_on: date
    periods: list[Period]
    lines: list[ReportedLine]
    set_aside: list[dict[str, str]]


class RawLine(NamedTuple):
    """A line whose values are still to be judged, and its place in the file."""

    pointer: str
    account: str | None
    booked_on: date | None
    direction: str
    amount: str | None
    currency: str
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    description: str | None = None


def reading(media_type: str) -> Callable[[bytes, Currencies], ParsedStatement]:
    """What reads files of this media type, and sets aside each wrong line by its pointer; raises ApiError."""
    if media_type == CSV:
        return of_csv
    if media_type in XML:
        return of_camt
    raise ApiError("unsupported_media_type", f"Send Content-Type: {CSV}, or {XML[0]} for camt.053.")


def of_csv(data: bytes, currencies: Currencies) -> ParsedStatement:
    """A CSV in UTF-8 whose first line names its columns; amounts are above zero, and lines are numbered from 1."""
    texts = csv_lines.lines(iter(data.removeprefix(csv_lines.BOM).split(b"\n")))
    try:
        names = [name.strip() for name in csv_lines.cells(next(texts, b""), "/header")]
    except ma.ValidationError:
        raise ApiError("malformed_csv", "The first line names the columns.") from None
    strange = [name for name in names if name not in REQUIRED + OPTIONAL or names.count(name) > 1]
    if strange:
        raise invalid([("/header", "unknown_field", f"Columns are: {', '.join(REQUIRED + OPTIONAL)}.")])
    if not set(REQUIRED) <= set(names):
        raise invalid([("/header", "required", f"Columns that must be there: {', '.join(REQUIRED)}.")])

    def read(number: int, text: bytes) -> RawLine:
        cells = csv_lines.cells(text, f"/lines/{number}")
        if len(cells) != len(names):
            raise ma.ValidationError([FieldError("invalid_value", f"The header names {len(names)} cells.")])
        given = dict(zip(names, cells, strict=True))
        given |= {name: fold_blanks(given[name]) for name in IDS if name in given}
        words = {name: _words(name, given[name]) for name in OPTIONAL if given.get(name)}
        place, day = f"/lines/{number}", _day(given["booked_on"])
        return RawLine(place, None, day, given["direction"], given["amount"], given["currency"], **words)

    lines: list[ReportedLine] = []
    flaws: StatementErrors = []
    rows = list(texts)
    _refuse_too_many(rows)
    for number, text in enumerate(rows, 1):
        try:
            lines.append(_told(number, read(number, text), currencies))
        except ma.ValidationError as error:
            flaws += flatten(error.messages, f"/lines/{number}")
    days = [line.booked_on for line in lines]
    found = frozenset(line.currency for line in lines)
    return _parsed("csv", [Period(min(days), max(days), found)] if days else [], lines, flaws)


def of_camt(data: bytes, currencies: Currencies) -> ParsedStatement:
    """The booked entries of a camt.053; characters that nobody can see are left out of its texts."""
    try:
        told, odd = statements(document(data, STATEMENTS))
    except InvalidFile as broken:
        raise ApiError("malformed_xml", str(broken)) from None
    flaws: StatementErrors = [(one.pointer, "invalid_value", one.detail) for one in odd]
    lines: list[ReportedLine] = []
    periods = []
    _refuse_too_many([entry for one in told for entry in one.entries])
    number = 0
    for one in told:
        if one.currency is not None and one.currency not in currencies:
            flaws.append((one.pointer, "currency_unknown", "The currency of this account is not known."))
            continue
        kept = []
        spoilt = set()
        for entry in one.entries:
            number += 1
            words = map(_visible, (entry.end_to_end_id, entry.bank_reference, entry.description))
            raw = RawLine(entry.pointer, _visible(one.account), *entry[:4], *words)
            try:
                kept.append((entry.pointer, _told(number, raw, currencies)))
            except ma.ValidationError as error:
                flaws += flatten(error.messages, entry.pointer)
                spoilt.add(entry.pointer)
        fit = [line for pointer, line in kept if pointer not in spoilt]  # an entry is judged whole, or set aside
        lines += fit
        days = [line.booked_on for line in fit] + [day for day in (one.begins_on, one.ends_on) if day is not None]
        days = days or ([one.made_on] if one.made_on and not one.entries else [])
        if days:
            found = {line.currency for line in fit} | ({one.currency} if one.currency else set())
            periods.append(Period(min(days), max(days), frozenset(found)))
    accounts = {_visible(one.account) for one in told}
    return _parsed("camt.053", periods, lines, flaws, accounts.pop() if len(accounts) == 1 else None)


def _refuse_too_many(rows: Sequence[object]) -> None:
    if len(rows) > LINES_MAX:
        raise invalid([("/lines", "invalid_value", f"At most {LINES_MAX} lines.")])


def _told(number: int, raw: RawLine, currencies: Currencies) -> ReportedLine:
    """The line with its amount in minor units, and the payment that its end-to-end id names; raises ValidationError."""
    if raw.direction not in DIRECTIONS:
        raise _wrong("direction", "invalid_value", f"One of: {', '.join(DIRECTIONS)}.")
    if raw.booked_on is None or not YEAR_MIN <= raw.booked_on.year <= YEAR_MAX:
        raise _wrong("booked_on", "invalid_value", "A day, such as 2026-01-31.")
    known = currencies.get(raw.currency)
    if known is None:
        raise _wrong("currency", "currency_unknown", "This currency is not known.")
    try:
        amount = None if raw.amount is None else money.parse(raw.amount, known.digits)
    except money.MoneyError as error:
        raise _wrong("amount", error.code, error.detail) from None
    words = (raw.end_to_end_id, raw.bank_reference, raw.description)
    day = (raw.booked_on, raw.direction, amount, raw.currency)
    return ReportedLine(number, raw.account, *day, *words, payment_id(raw.end_to_end_id))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _words(name: str, text: str) -> str:
    try:
        return _WORDS.read(text)
    except ma.ValidationError as error:
        raise ma.ValidationError({name: error.messages}) from None


def _wrong(name: str, code: str, detail: str) -> ma.ValidationError:
    return ma.ValidationError({name: [FieldError(code, detail)]})


def _parsed(
    form: str, periods: list[Period], lines: list[ReportedLine], flaws: StatementErrors, account: str | None = None
) -> ParsedStatement:
    """The statement as a whole; raises ApiError if nothing of it can be read, or it is of no days, or of too many."""
    if (flaws and not lines) or len(flaws) > SET_ASIDE_MAX:
        raise invalid(flaws)
    if not periods:
        raise invalid([("/lines", "invalid_value", "At least one line.")])
    begins_on, ends_on = min(one.begins_on for one in periods), max(one.ends_on for one in periods)
    if not (begins_on.year >= YEAR_MIN and ends_on.year <= YEAR_MAX and (ends_on - begins_on).days <= DAYS_MAX):
        raise invalid([("/lines", "invalid_value", f"At most {DAYS_MAX} days.")])
    set_aside = [{"pointer": place[:POINTER_LENGTH_MAX], "code": code, "detail": words} for place, code, words in flaws]
    return ParsedStatement(form, account, begins_on, ends_on, periods, lines, set_aside)


def _visible(words: str | None) -> str | None:
    return "".join(filter(str.isprintable, words or "")).strip() or None
