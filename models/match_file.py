"""A file of matches, CSV or JSON Lines: which payment each of many lines of a statement is, and why."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from models import csv_lines
from models.audit import REASON_LENGTH_MAX
from models.rules.blanks import fold_blanks
from models.rules.text import TextError, free_text

BYTES_MAX = 256 * 1024
LINES_MAX = 1_000
"""Matched in one transaction of some seconds; more are several files."""

LINE_MAX = 999_999
"""The number of a line of a statement, as in the paths of the API."""

MEMBERS = ("line", "payment", "reason")
"""Of an object, and columns of a CSV in any order."""

_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class InvalidMatchFile(Exception):
    """Raised for a file that is not read at all: a code, a sentence, and the position of the error in it, if any."""

    def __init__(self, code: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.pointer = code, detail, pointer


class WantedMatch(NamedTuple):
    """A line of the file, numbered from 1: the line of the statement, its payment, and why."""

    number: int
    line: int
    payment_id: str
    reason: str


class UnreadMatch(NamedTuple):
    """A line of the file that is not valid: the member at fault ("" for all of it), a code and a sentence."""

    number: int
    member: str
    code: str
    detail: str


class _InvalidMember(Exception):
    """Raised for the first member of a line that is not valid."""

    def __init__(self, member: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.error = (member, code, detail)


def parse(data: bytes, *, is_csv: bool) -> list[WantedMatch | UnreadMatch]:
    """The lines of a file in UTF-8; one that is not valid keeps no other back. Raises InvalidMatchFile."""
    texts = data.removeprefix(csv_lines.BOM).split(b"\n")
    if is_csv:
        rows = csv_lines.lines(iter(texts))
        names = _header(next(rows, b""))
        numbered = list(rows)
    else:
        names, numbered = [], [text for text in texts if text.strip()]
    if not numbered:
        raise InvalidMatchFile("required", "The file has no line.", "/lines")
    if len(numbered) > LINES_MAX:
        raise InvalidMatchFile("invalid_value", f"At most {LINES_MAX} lines.", "/lines")
    return [_line(number, text, names) for number, text in enumerate(numbered, 1)]


def _header(text: bytes) -> list[str]:
    try:
        names = [name.strip() for name in csv_lines.cells(text)]
    except (csv_lines.InvalidLine, csv_lines.NotUtf8):
        raise InvalidMatchFile("malformed_csv", "The first line must name the columns.") from None
    if sorted(names) != sorted(MEMBERS):
        raise InvalidMatchFile("invalid_value", f"The columns are, each once: {', '.join(MEMBERS)}.", "/header")
    return names


def _line(number: int, text: bytes, names: Sequence[str]) -> WantedMatch | UnreadMatch:
    try:
        if len(text) > csv_lines.LINE_BYTES_MAX:
            raise _InvalidMember("", "text_too_long", f"A line has at most {csv_lines.LINE_BYTES_MAX} bytes.")
        row = _row(text, names) if names else _object(text)
        line, payment_id = row["line"], row["payment"]
        if type(line) is not int or not 1 <= line <= LINE_MAX:
            raise _InvalidMember("line", "invalid_value", "The number of a line of the statement is expected.")
        if not isinstance(payment_id, str) or not _ID.fullmatch(payment_id):
            raise _InvalidMember("payment", "invalid_value", "The id of a payment is expected.")
        return WantedMatch(number, line, payment_id, _reason(row["reason"]))
    except _InvalidMember as invalid:
        return UnreadMatch(number, *invalid.error)


def _row(text: bytes, names: Sequence[str]) -> Mapping[str, Any]:
    """The cells of a line of CSV by column; blanks around numbers and ids, which are pasted, are left out."""
    try:
        cells = csv_lines.cells(text)
    except csv_lines.NotUtf8:
        raise InvalidMatchFile("malformed_csv", "The file is not CSV in UTF-8.") from None
    except csv_lines.InvalidLine:
        raise _InvalidMember("", "malformed_csv", "This is not a line of CSV.") from None
    if len(cells) != len(names):
        raise _InvalidMember("", "invalid_value", f"Must have {len(names)} cells, as the header.")
    row: dict[str, Any] = dict(zip(names, cells, strict=True))
    line = fold_blanks(row["line"])
    return {**row, "line": int(line) if _NUMBER.fullmatch(line) else None, "payment": fold_blanks(row["payment"])}


def _object(text: bytes) -> Mapping[str, Any]:
    """The members of a line of JSON, each once."""
    try:
        row = json.loads(text.decode(), object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise InvalidMatchFile("malformed_json", "The file is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise _InvalidMember("", "malformed_json", "This is not a line of JSON.") from None
    if not isinstance(row, dict):
        raise _InvalidMember("", "invalid_type", "An object is expected.")
    unknown, missing = sorted(row.keys() - set(MEMBERS)), [name for name in MEMBERS if name not in row]
    if unknown:
        raise _InvalidMember("", "unknown_field", f"The members are {', '.join(MEMBERS)}.")
    if missing:
        raise _InvalidMember(missing[0], "required", "A value is required.")
    return row


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _InvalidMember("", "json_duplicate_key", "Each member may be given once.")
    return members


def _reason(value: Any) -> str:
    if not isinstance(value, str):
        raise _InvalidMember("reason", "invalid_type", "A text is expected.")
    try:
        return free_text(value, REASON_LENGTH_MAX)
    except TextError as error:
        raise _InvalidMember("reason", error.code, error.detail) from None


def wanted(lines: Sequence[WantedMatch | UnreadMatch]) -> Iterator[WantedMatch]:
    """The lines that were read."""
    return (line for line in lines if isinstance(line, WantedMatch))
