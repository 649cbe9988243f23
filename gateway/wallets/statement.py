"""Renders the monthly statement of a wallet as a page to print, CSV or JSON Lines."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response, render_template

from gateway.lists.exports import CSV, csv_of, json_lines_of, stream
from gateway.wallets.schemas import HistoryRowSchema

LINES_MAX = 10_000
"""Longer statements are only sent as CSV or JSON Lines: a page or one JSON document would be too large."""

STYLE = (
    "body{font:10pt sans-serif}table{border-collapse:collapse;width:100%}thead{display:table-header-group}"
    "th,td{border-bottom:1px solid #999;padding:2pt 4pt;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "tr{break-inside:avoid}.money{text-align:right;white-space:nowrap}"
)

POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-modals"
)
"""Allows this one style and the print dialog, and no script."""


def page(body: dict[str, Any]) -> Response:
    """The statement as a page to print."""
    text = render_template("statement.html", style=STYLE, **body)
    return Response(text, headers={"Content-Security-Policy": POLICY}, content_type="text/html; charset=utf-8")


def file(body: dict[str, Any], batches: Iterable[list[dict[str, Any]]], media_type: str) -> Response:
    """The statement as CSV or JSON Lines of any length; the first and last rows are the opening and closing balance."""
    records = _records(body, batches)
    text = csv_of(records, HistoryRowSchema) if media_type == CSV else json_lines_of(records)
    return stream(text, media_type, rows_max=None)


def _records(body: dict[str, Any], batches: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    yield [_balance(body, "opening")]
    yield from batches
    yield [_balance(body, "closing")]


def _balance(body: dict[str, Any], name: str) -> dict[str, Any]:
    empty = dict.fromkeys(HistoryRowSchema().fields)
    return {**empty, "type": name, "currency": body["currency"], "balance_after": body[name]}
