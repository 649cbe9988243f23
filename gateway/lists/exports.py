"""A list as it is asked for: a page of JSON, or all of it as CSV or JSON Lines, streamed."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import marshmallow as ma
from flask import Response, request

from gateway.http.blueprint import JsonAnswer, encode
from gateway.http.errors import invalid
from gateway.http.media_types import JSON, best
from gateway.http.schemas import Output
from gateway.lists import pagination
from models.payment_search import START, Cursor, Page, TooMany

CSV, JSON_LINES, HTML = "text/csv", "application/x-ndjson", "text/html"
FILES = (CSV, JSON_LINES)
ROWS_MAX = 100_000
"""What a spreadsheet still opens; a file with so many rows may have a continuation, by created_at[lte]."""

PAGE_ROWS = 500
"""Read at once: no statement lasts long, and none is open while a slow reader is written to."""

FORMS = {
    CSV: f"All rows, at most {ROWS_MAX}, under a header with a column for each member.",
    JSON_LINES: f"All rows, at most {ROWS_MAX}, one a line.",
    HTML: "To be printed.",
}

_FORMULA = re.compile("[\\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""Behind blanks of any kind, and signs of full width: spreadsheets read past the ones, and the others as signs."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)

Read = Callable[[int, Cursor], Page]
Show = Callable[[Any], dict[str, Any]]


def document_formats(*media_types: str) -> dict[int, Any]:
    """For the document: that the route answers in these forms, too, by Accept."""
    text = {"type": "string"}
    content = {media_type: {"schema": {**text, "description": FORMS[media_type]}} for media_type in media_types}
    return {200: {"content": content}}


def accepted_format(*media_types: str) -> str:
    """The media type that the request likes best; JSON if it says nothing."""
    return best(request.environ.get("HTTP_ACCEPT"), JSON, *media_types) or JSON


def export_response(query: Mapping[str, Any], read: Read, show: Show, schema: type[Output]) -> Response | JsonAnswer:
    """The page or file of the rows that `read` gives, up to so many from a place on, as `show` shows them.

    Both outlive the request when they are streamed, so they must not ask for it.
    """
    at = pagination.decode_cursor(query)
    media_type = accepted_format(*FILES)
    try:
        if media_type == JSON:
            return pagination.page_body(query, at, read(query["limit"] + 1, at), show)
        return _file(media_type, read, show, schema)
    except TooMany:
        raise pagination.too_many() from None


def _file(media_type: str, read: Read, show: Show, schema: type[Output]) -> Response:
    paged = [name for name in ("limit", "cursor") if name in request.args]
    if paged:
        raise invalid([(name, "invalid_value", "A file has no pages.") for name in paged], "parameter")
    batches = _batches(read)
    batches = chain([next(batches)], batches)  # what is wrong with the first is answered, not cut off
    shown = ([show(row) for row in rows] for rows in batches)
    return stream(csv_of(shown, schema) if media_type == CSV else json_lines_of(shown), media_type)


def stream(lines: Iterator[str], media_type: str, rows_max: int | None = ROWS_MAX) -> Response:
    """A file of these lines, made as it is read; without a bound if `rows_max` is None."""
    name = f"{request.path.rpartition('/')[2]}.{'csv' if media_type == CSV else 'jsonl'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if rows_max is not None:
        headers["Rows-Max"] = str(rows_max)
    return Response(lines, headers=headers, content_type=f"{media_type}; charset=utf-8")


def _batches(read: Read) -> Iterator[Sequence[Any]]:
    """All rows, at most ROWS_MAX, in batches; the first may be empty."""
    at, left = START, ROWS_MAX
    while True:
        wanted = min(PAGE_ROWS, left)
        found = read(wanted, at)
        yield found.rows
        left -= len(found.rows)
        following = found.keys[-1] if len(found.rows) == wanted else found.scan_limit
        if following is None or not left:
            return
        at = Cursor(before=following.id, value=following.value)


def json_lines_of(batches: Iterable[list[dict[str, Any]]]) -> Iterator[str]:
    """JSON Lines, a body a line."""
    for bodies in batches:
        yield "".join(f"{encode(body)}\n" for body in bodies)


def csv_of(batches: Iterable[list[dict[str, Any]]], schema: type[Output]) -> Iterator[str]:
    """CSV with a header: a column for each member, those of an inner object under its name and theirs."""
    columns = list(_columns(schema))
    yield _written([["_".join(path) for path in columns]])
    for bodies in batches:
        yield _written([cell(_member(body, path)) for path in columns] for body in bodies)


def _columns(schema: type[Output]) -> Iterator[tuple[str, ...]]:
    for name, field in schema().fields.items():
        if isinstance(field, ma.fields.Nested):
            yield from ((name, inner) for inner in field.schema.fields)
        else:
            yield (name,)


def _member(body: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = body
    for name in path:
        value = None if value is None else value[name]
    return value


def _written(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def cell(value: Any) -> str:
    """The value as text that no spreadsheet takes for a formula: what begins like one, numbers excepted, is quoted."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
