"""Statements of banks as they are uploaded: CSV under a header of ours, or camt.053, read to the same lines."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, TypeVar
from uuid import UUID

import marshmallow as ma

from gateway.errors import ERRORS_MAX, Flaw, Refusal, flawed
from gateway.exports import CSV
from gateway.fields import YEAR_MAX, YEAR_MIN, Text
from gateway.parsing import flatten
from models.bank_files import STATEMENTS, TEXT_LENGTH_MAX, Broken, Statement, document, statement
from models.currency import Currency
from models.reconciliation import Told
from models.rules import money

BYTES_MAX = 4 * 1024 * 1024

LINES_MAX = 50_000
"""Of some eighty bytes: what is longer comes in several files."""

DAYS_MAX = 366

REQUIRED = ("booked_on", "direction", "amount", "currency")
OPTIONAL = ("end_to_end_id", "bank_reference", "description")
"""The columns of a CSV, in any order."""

DIRECTIONS = ("credit", "debit")
"""Of money that came in, and of money that went out."""

XML = ("application/xml", "text/xml")

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_KEY = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_WORDS = Text(TEXT_LENGTH_MAX)

Row = TypeVar("Row")
Currencies = Mapping[str, Currency]


class Parsed(NamedTuple):
    """A statement that was read: its form, whose account, the days that it covers, its currencies and lines."""

    form: str
    account: str | None
    begins_on: date
    ends_on: date
    currencies: set[str]
    lines: list[Told]


class Raw(NamedTuple):
    """A line whose values are still to be judged."""

    booked_on: date | None
    direction: str
    amount: str
    currency: str
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    description: str | None = None


def reading(media_type: str) -> Callable[[bytes, Currencies], Parsed]:
    """What reads files of this media type, and raises Refusal with a pointer to each wrong line; raises Refusal."""
    if media_type == CSV:
        return of_csv
    if media_type in XML:
        return of_camt
    raise Refusal("unsupported_media_type", f"Send Content-Type: {CSV}, or {XML[0]} for camt.053.")


def of_csv(data: bytes, currencies: Currencies) -> Parsed:
    """A CSV in UTF-8 whose first line names its columns; amounts are above zero, and lines are numbered from 1."""
    try:
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        names, *texts = [row for row in rows if row] or [[]]
    except (UnicodeDecodeError, csv.Error):
        raise Refusal("malformed_csv", "The body is not CSV in UTF-8.") from None
    strange = [name for name in names if name not in REQUIRED + OPTIONAL or names.count(name) > 1]
    if strange:
        raise flawed([("/header", "unknown_field", f"Columns are: {', '.join(REQUIRED + OPTIONAL)}.")])
    if not set(REQUIRED) <= set(names):
        raise flawed([("/header", "required", f"Columns that must be there: {', '.join(REQUIRED)}.")])

    def read(cells: list[str]) -> Raw:
        if len(cells) != len(names):
            raise ma.ValidationError([Flaw("invalid_value", f"The header names {len(names)} cells.")])
        given = dict(zip(names, cells, strict=True))
        words = {name: _words(name, given[name]) for name in OPTIONAL if given.get(name)}
        return Raw(_day(given["booked_on"]), given["direction"], given["amount"], given["currency"], **words)

    return _parsed("csv", Statement(None, None, None, None, []), _lines(texts, read, currencies))


def of_camt(data: bytes, currencies: Currencies) -> Parsed:
    """The booked entries of a camt.053; characters that nobody can see are left out of its texts."""
    try:
        told = statement(document(data, STATEMENTS))
    except Broken as broken:
        raise Refusal("malformed_xml", str(broken)) from None
    rows = [
        Raw(*entry[:4], *map(_visible, (entry.end_to_end_id, entry.bank_reference, entry.description)))
        for entry in told.entries
    ]
    if told.currency is not None and told.currency not in currencies:
        raise flawed([("/account", "currency_unknown", "This currency is not known.")])
    return _parsed("camt.053", told._replace(account=_visible(told.account)), _lines(rows, lambda row: row, currencies))


def _lines(rows: Sequence[Row], read: Callable[[Row], Raw], currencies: Currencies) -> list[Told]:
    """The lines; raises Refusal that names each wrong one by its number, from 1."""
    if len(rows) > LINES_MAX:
        raise flawed([("/lines", "invalid_value", f"At most {LINES_MAX} lines.")])
    lines: list[Told] = []
    flaws: list[tuple[str, str, str]] = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(_told(read(row), currencies))
        except ma.ValidationError as error:
            flaws += flatten(error.messages, f"/lines/{number}")
            if len(flaws) >= ERRORS_MAX:
                break
    if flaws:
        raise flawed(flaws)
    return lines


def _told(raw: Raw, currencies: Currencies) -> Told:
    """The line with its amount in minor units, and the payment that its end-to-end id names; raises ValidationError."""
    if raw.direction not in DIRECTIONS:
        raise _wrong("direction", "invalid_value", f"One of: {', '.join(DIRECTIONS)}.")
    if raw.booked_on is None or not YEAR_MIN <= raw.booked_on.year <= YEAR_MAX:
        raise _wrong("booked_on", "invalid_value", "A day, such as 2026-01-31.")
    known = currencies.get(raw.currency)
    if known is None:
        raise _wrong("currency", "currency_unknown", "This currency is not known.")
    try:
        amount = money.parse(raw.amount, known.digits)
    except money.MoneyError as error:
        raise _wrong("amount", error.code, error.detail) from None
    key = (raw.end_to_end_id or "").lower()
    payment_id = str(UUID(key)) if _KEY.fullmatch(key) else None
    words = (raw.end_to_end_id, raw.bank_reference, raw.description)
    return Told(raw.booked_on, raw.direction, amount, raw.currency, *words, payment_id)


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
    return ma.ValidationError({name: [Flaw(code, detail)]})


def _parsed(form: str, told: Statement, lines: list[Told]) -> Parsed:
    """The statement as a whole; raises Refusal for one of no lines and no days, or of too many."""
    days = [line.booked_on for line in lines]
    days += [day for day in (told.begins_on, told.ends_on) if day is not None]
    if not days:
        raise flawed([("/lines", "invalid_value", "At least one line.")])
    begins_on, ends_on = min(days), max(days)
    if (ends_on - begins_on).days > DAYS_MAX:
        raise flawed([("/lines", "invalid_value", f"At most {DAYS_MAX} days.")])
    found = {line.currency for line in lines} | ({told.currency} if told.currency else set())
    return Parsed(form, told.account, begins_on, ends_on, found, lines)


def _visible(words: str | None) -> str | None:
    return "".join(filter(str.isprintable, words or "")).strip() or None
