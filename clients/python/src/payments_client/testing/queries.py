"""Filters and pages of the fake's lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

import httpx

from payments_client.testing.problems import Refused

LIMIT, LIMIT_MAX = 20, 100
BOUNDS: dict[str, Callable[[Any, Any], bool]] = {"gte": ge, "gt": gt, "lte": le, "lt": lt}
Row = dict[str, Any]


def filtered(rows: list[Row], query: httpx.QueryParams) -> list[Row]:
    """The rows that have all these values; raises Refused for a parameter that is no member."""
    for name, text in query.items():
        if name not in ("limit", "cursor"):
            rows = [row for row in rows if _fits(row, name, text)]
    return rows


def _fits(row: Row, name: str, text: str) -> bool:
    bracketed = re.fullmatch(r"(\w+)\[(\w+)\]", name)
    member, key = bracketed.groups() if bracketed else (name, None)
    if member == "wallet":
        return text in (row["source"]["wallet"], row["target"]["wallet"])
    if member not in row:
        raise Refused(422, "unknown_parameter", name)
    value = row[member]
    if key in BOUNDS:
        return value is not None and BOUNDS[key](_comparable(value), _comparable(text))
    if isinstance(value, dict):
        value = value.get(key or ("code" if member == "failure" else "wallet"))
    shown = str(value).lower() if isinstance(value, bool) else value
    return shown in text.split(",")


def _comparable(text: str) -> Decimal | str:
    return Decimal(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


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
