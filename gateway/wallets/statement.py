"""Renders the monthly statement of a wallet as a page to print, CSV or JSON Lines."""

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response

from gateway.lists.exports import CSV, csv_of, json_lines_of, stream
from gateway.lists.print_page import print_page
from gateway.wallets.schemas import HistoryRowSchema

LINES_MAX = 10_000
"""Longer statements are only sent as CSV or JSON Lines: a page or one JSON document would be too large."""


def page(body: dict[str, Any]) -> Response:
    """The statement as a page to print."""
    return print_page("statement.html", body)


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
