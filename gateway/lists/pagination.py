"""Pages of a list: filters, and signed cursors that are bound to the caller and the filters."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import g, request

from gateway.http.blueprint import JsonAnswer
from gateway.http.cursors import CursorSigner
from gateway.http.errors import ApiError, invalid
from gateway.reads import Reader
from gateway.services import reader, services
from models.currency import Currency
from models.keyset import START, Cursor
from models.payment_search import COMPARED, SCANNED_MAX, Column, Filter, ListQuery, Page, RowKey
from models.rules import money

CURSOR_SECONDS_MAX = 24 * 3600
"""Cursors expire after a day."""

SORTED_DAYS_MAX = 31
"""Orders other than by time have no index, so they are bounded to a month."""

Read = Callable[..., Any]
Show = Callable[[Any], dict[str, Any]]

MOMENT = timedelta(microseconds=1)
"""The resolution of times in the database, by which > becomes >= and <= becomes <."""


def _signer() -> CursorSigner:
    return CursorSigner(services().settings.secret_key, "cursor", CURSOR_SECONDS_MAX)


def _cursor_binding(query: Mapping[str, Any]) -> str:
    """A hash of what a cursor is bound to: the caller, the list and its filters, but not the page length."""
    filters = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
    binding = json.dumps([g.caller.id, request.path, filters], sort_keys=True, default=str)
    return hashlib.sha256(binding.encode()).hexdigest()[:32]


def decode_cursor(query: Mapping[str, Any]) -> Cursor:
    """The position of the requested page; raises ApiError for a cursor that is not of this list."""
    cursor = query.get("cursor")
    if cursor is None:
        return Cursor()
    binding, *position = _signer().decode(cursor)
    if binding != _cursor_binding(query):
        raise ApiError("bad_cursor", "This cursor belongs to another list.")
    return Cursor(*position)


def read_page(reader: Reader, read: Read, limit: int, at: Cursor, **filters: object) -> Page:
    """The page that `read` returns; it takes a connection, `limit`, `at`, and these filters."""
    rows = reader(partial(read, limit=limit, at=at, **filters))
    return rows if isinstance(rows, Page) else Page(rows, [RowKey(row.id) for row in rows])


def page_body(query: Mapping[str, Any], at: Cursor, rows_page: Page, show: Show) -> JsonAnswer:
    """Body and Link header of the page of up to limit of these rows, in the opposite order if `at.after` is set."""
    limit, is_back = query["limit"], at.after is not None
    rows, keys = list(rows_page.rows[:limit]), rows_page.keys[:limit]
    far = keys[-1] if len(rows_page.rows) > limit else rows_page.scan_limit
    near = None if at == START else keys[0] if keys else rows_page.turn_key
    forth, back = (near, far) if is_back else (far, near)
    binding, signer = _cursor_binding(query), _signer()
    following = forth and signer.encode(binding, forth.id, None, forth.value)
    preceding = back and signer.encode(binding, None, back.id, back.value)
    body = {
        "data": [show(row) for row in (reversed(rows) if is_back else rows)],
        "has_more": following is not None,
        "next_cursor": following,
        "prev_cursor": preceding,
    }
    links = [
        f'<{request.path}?{urlencode({**request.args, "cursor": cursor})}>; rel="{relation}"'
        for relation, cursor in (("next", following), ("prev", preceding))
        if cursor
    ]
    return body, {"Link": ", ".join(links)} if links else {}


def parse_filters(
    query: Mapping[str, Any], columns: Mapping[str, Column], currency_of: Callable[[str], Currency]
) -> ListQuery:
    """The filters and order of the query; `currency_of` returns the currency of an amount column; raises ApiError."""
    sort = query["sort"]
    created_from, created_before = created_range(query)
    order = ListQuery(
        _filters(query, columns, currency_of), created_from, created_before, sort.lstrip("-"), sort[0] != "-"
    )
    if order.is_sorted:
        _refuse_unbounded(created_from, created_before)
        if columns[order.sort].currency:
            currency_of(columns[order.sort].currency or "")
    return order


def _filters(
    query: Mapping[str, Any], columns: Mapping[str, Column], currency_of: Callable[[str], Currency]
) -> list[Filter]:
    filters = []
    for name, column in columns.items():
        for operator, parameter in {"is": name, **{key: f"{name}[{key}]" for key in COMPARED}}.items():
            value = query.get(parameter)
            if value is None or (name == "created_at" and operator != "is"):
                continue
            if column.currency:
                value = _minor(parameter, value, currency_of(column.currency))
            elif column.kind == "jsonb":
                value = json.dumps(value)
            elif operator == "is" and not isinstance(value, list):
                value = [value]
            filters.append(Filter(name, "has" if column.kind == "jsonb" else operator, value))
    return filters


def _minor(parameter: str, value: str | list[str], currency: Currency) -> int | list[int]:
    """The amounts of a filter in minor units; unlike those of payments they may be zero. Raises ApiError."""
    if isinstance(value, list):
        return [number for text in value if isinstance(number := _minor(parameter, text, currency), int)]
    try:
        return money.parse(value, currency.digits)
    except money.MoneyError as error:
        if error.code == "amount_not_positive":
            return 0
        raise invalid([(parameter, error.code, error.detail)], "parameter") from None


def _refuse_unbounded(created_from: datetime | None, created_before: datetime | None) -> None:
    missing = {"created_at[gte]": created_from is None, "created_at[lt]": created_before is None}
    names = [name for name, is_missing in missing.items() if is_missing]
    if names:
        raise invalid([(name, "required", "Sorting needs bounds in time.") for name in names], "parameter")
    if created_from and created_before and created_before - created_from > timedelta(days=SORTED_DAYS_MAX):
        detail = f"At most {SORTED_DAYS_MAX} days can be sorted."
        raise invalid([("created_at[lt]", "invalid_value", detail)], "parameter")


def too_many() -> ApiError:
    """The error for a sorted list with too many payments."""
    detail = f"More than {SCANNED_MAX} payments match in that time; narrow it."
    return invalid([("created_at[gte]", "invalid_value", detail)], "parameter")


def one_currency(query: Mapping[str, Any], name: str) -> Currency:
    """The single currency that the query names; raises ApiError unless it is one known currency."""
    codes = query.get(name, [])
    if len(codes) != 1:
        raise invalid([(name, "required", "Comparing amounts needs exactly one currency.")], "parameter")
    currency = services().reference_data.currencies().get(codes[0])
    if currency is None:
        raise invalid([(name, "currency_unknown", "This currency is unknown.")], "parameter")
    return currency


def created_range(query: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """The bounds of created_at: from (inclusive) and before; None is unbounded."""
    bounds = {operator: query.get(f"created_at[{operator}]") for operator in COMPARED}
    exact = query.get("created_at") or [None]
    since = [bounds["gte"], bounds["gt"] and bounds["gt"] + MOMENT, exact[0]]
    until = [bounds["lt"], *(time and time + MOMENT for time in (bounds["lte"], exact[-1]))]
    return max(filter(None, since), default=None), min(filter(None, until), default=None)


def paginated(query: Mapping[str, Any], read: Read, show: Show, **filters: object) -> JsonAnswer:
    """Body and Link header of a page; `read` takes a connection, `limit`, `at`, and these filters."""
    at = decode_cursor(query)
    return page_body(query, at, read_page(reader(), read, query["limit"] + 1, at, **filters), show)


def only_page(rows: Iterable[dict[str, Any]]) -> JsonAnswer:
    """The body of a list that is never longer than one page."""
    return {"data": list(rows), "has_more": False, "next_cursor": None, "prev_cursor": None}, {}
