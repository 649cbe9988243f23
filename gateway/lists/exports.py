"""A list in the requested format: a page of JSON, or the whole list streamed as CSV or JSON Lines."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import marshmallow as ma
from flask import Response, request

from gateway.http.blueprint import JsonAnswer, encode
from gateway.http.errors import invalid
from gateway.http.media_types import JSON, best_match
from gateway.http.schemas import Output
from gateway.lists import pagination
from gateway.lists.pagination import Read, Show
from gateway.services import reader, services
from models.keyset import START, Cursor
from models.payment_search import Page, TooMany
from models.rules.spreadsheet import cell, written

CSV, JSON_LINES, HTML = "text/csv", "application/x-ndjson", "text/html"
FILES = (CSV, JSON_LINES)
ROWS_MAX = 100_000
"""Spreadsheets open this many rows; a file that has them may be continued by created_at[lte]."""

PAGE_ROWS = 500
"""Rows read at once: statements stay short, and none is open while a slow client reads."""

FORMAT_DESCRIPTIONS = {
    CSV: f"All rows, at most {ROWS_MAX}, under a header with a column for each member.",
    JSON_LINES: f"All rows, at most {ROWS_MAX}, one per line.",
    HTML: "A page to print.",
}


def document_formats(*media_types: str) -> dict[int, Any]:
    """The OpenAPI description of the formats that the route also answers with, by Accept."""
    text = {"type": "string"}
    content = {
        media_type: {"schema": {**text, "description": FORMAT_DESCRIPTIONS[media_type]}} for media_type in media_types
    }
    return {200: {"content": content}}


def accepted_format(*media_types: str) -> str:
    """The media type that the request prefers; JSON by default."""
    return best_match(request.environ.get("HTTP_ACCEPT"), JSON, *media_types) or JSON


def export_response(query: Mapping[str, Any], read: Read, show: Show, schema: type[Output]) -> Response | JsonAnswer:
    """The page or file of the rows that `read` returns for a connection, `limit` and `at`, each rendered by `show`.

    A streamed file outlives the request, so neither may use it.
    """
    at, page = pagination.decode_cursor(query), partial(pagination.read_page, reader(), read)
    media_type = accepted_format(*FILES)
    try:
        if media_type == JSON:
            return pagination.page_body(query, at, page(query["limit"] + 1, at), show)
        return _file(media_type, page, show, schema)
    except TooMany:
        raise pagination.too_many() from None


def _file(media_type: str, read: Callable[[int, Cursor], Page], show: Show, schema: type[Output]) -> Response:
    paged = [name for name in ("limit", "cursor") if name in request.args]
    if paged:
        raise invalid([(name, "invalid_value", "A file is not paginated.") for name in paged], "parameter")
    batches = services().large_reads.pages(_batches(read))
    batches = chain([next(batches)], batches)  # an error in the first is answered, it does not truncate the file
    shown = ([show(row) for row in rows] for rows in batches)
    return stream(csv_of(shown, schema) if media_type == CSV else json_lines_of(shown), media_type)


def stream(lines: Iterator[str], media_type: str, rows_max: int | None = ROWS_MAX) -> Response:
    """A file of these lines, generated as it is read; unbounded if `rows_max` is None."""
    name = f"{request.path.rpartition('/')[2]}.{'csv' if media_type == CSV else 'jsonl'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if rows_max is not None:
        headers["Rows-Max"] = str(rows_max)
    return Response(lines, headers=headers, content_type=f"{media_type}; charset=utf-8")


def _batches(read: Callable[[int, Cursor], Page]) -> Iterator[Sequence[Any]]:
    """All rows, at most ROWS_MAX, in batches; the first may be empty."""
    at, left = START, ROWS_MAX
    while True:
        wanted = min(PAGE_ROWS, left)
        page = read(wanted, at)
        yield page.rows
        left -= len(page.rows)
        following = page.keys[-1] if len(page.rows) == wanted else page.scan_limit
        if following is None or not left:
            return
        at = Cursor(before=following.id, value=following.value)


def json_lines_of(batches: Iterable[list[dict[str, Any]]]) -> Iterator[str]:
    """JSON Lines, one body per line."""
    for bodies in batches:
        yield "".join(f"{encode(body)}\n" for body in bodies)


def csv_of(batches: Iterable[list[dict[str, Any]]], schema: type[Output]) -> Iterator[str]:
    """CSV with a header: a column for each member; those of a nested object are prefixed with its name."""
    columns = list(_columns(schema))
    yield written([["_".join(path) for path in columns]])
    for bodies in batches:
        yield written([cell(_member(body, path)) for path in columns] for body in bodies)


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
