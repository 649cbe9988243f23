"""Filters, order, pages and files of the fake's lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

import httpx

from payments_client.model import time_of
from payments_client.requests import EVENT_STREAM, JSON_LINES
from payments_client.testing.problems import Refused, invalid
from payments_client.testing.routing import Asked

LIMIT, LIMIT_MAX = 20, 100
BOUNDS: dict[str, Callable[[Any, Any], bool]] = {"gte": ge, "gt": gt, "lte": le, "lt": lt}
PAGED = ("limit", "cursor", "sort")
SHORT = {"source": "wallet", "target": "wallet", "failure": "code"}
"""By which member of an inner object a row is found."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT")
Row = dict[str, Any]


def listed(asked: Asked, rows: list[Row], members: Collection[str] = ()) -> httpx.Response:
    """The rows that the query asks for, in its order: as a page, or all of them as JSON Lines.

    By `members` the rows are filtered already.
    """
    query = asked.query
    for name, text in query.items():
        if name not in PAGED and name not in members:
            _refuse_unknown(name, rows)
            rows = [row for row in rows if _fits(row, name, text)]
    sort = query.get("sort", "-created_at")
    if sort.lstrip("-") != "created_at":
        _refuse_unbounded(query)
    if "sort" in query:
        rows = sorted(rows, key=lambda row: _order(row.get(sort.lstrip("-"))), reverse=sort.startswith("-"))
    if asked.accepts(JSON_LINES):
        return file(rows)
    return httpx.Response(200, json=page(rows, query))


def file(rows: list[Row]) -> httpx.Response:
    """All rows as JSON Lines."""
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    return httpx.Response(200, text=lines, headers={"Content-Type": JSON_LINES})


def only_page(rows: list[Row]) -> httpx.Response:
    """A list that is never longer than a page."""
    return httpx.Response(200, json={"data": rows, "has_more": False, "next_cursor": None, "prev_cursor": None})


def stream(events: list[tuple[str, Row]]) -> httpx.Response:
    """Events as Server-Sent Events, each with its id; then the stream ends, and is opened again by who wants more."""
    blocks = [f"id: {id}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n" for id, event in events]
    return httpx.Response(200, text=":\n" + "".join(blocks), headers={"Content-Type": EVENT_STREAM})


def _refuse_unknown(name: str, rows: list[Row]) -> None:
    if rows and name.partition("[")[0] not in rows[0]:
        raise Refused(422, "unknown_parameter", name)


def _refuse_unbounded(query: httpx.QueryParams) -> None:
    if missing := [name for name in ("created_at[gte]", "created_at[lt]") if name not in query]:
        raise invalid([(name, "required") for name in missing])


def _fits(row: Row, name: str, text: str) -> bool:
    bracketed = re.fullmatch(r"(\w+)\[(.+)\]", name)
    member, key = bracketed.groups() if bracketed else (name, None)
    value = row[member]
    if key in BOUNDS:
        return value is not None and BOUNDS[key](_comparable(value), _comparable(text))
    if isinstance(value, dict):
        value = value.get(key or SHORT.get(member))
    shown = str(value).lower() if isinstance(value, bool) else value
    return shown is not None and _comparable(shown) in [_comparable(one) for one in text.split(",")]


def _comparable(value: Any) -> Any:
    """Numbers and times by what they are, others as text."""
    text = str(value)
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return Decimal(text)
    return time_of(text) if TIME.match(text) else text


def _order(value: Any) -> tuple[bool, Any]:
    return (value is not None, _comparable("" if value is None else value))


def page(rows: list[Row], query: httpx.QueryParams) -> Row:
    """The page of the rows that the query asks for; a cursor is the place of its first row."""
    limit, cursor = int(query.get("limit", LIMIT)), query.get("cursor", "0")
    if not 1 <= limit <= LIMIT_MAX:
        raise Refused(422, "limit_out_of_range", "limit")
    if not cursor.isdecimal():
        raise Refused(400, "bad_cursor")
    start, end = int(cursor), int(cursor) + limit
    following = str(end) if end < len(rows) else None
    before = str(max(0, start - limit)) if start else None
    return {"data": rows[start:end], "has_more": bool(following), "next_cursor": following, "prev_cursor": before}
