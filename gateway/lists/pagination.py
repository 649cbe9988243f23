"""Pages of a list: signed cursors, tied to the caller and to what was asked for."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import g, request

from gateway.http.blueprint import JsonAnswer
from gateway.http.cursors import CursorSigner
from gateway.http.errors import ApiError, invalid
from gateway.services import services
from models.currency import Currency
from models.payment_search import COMPARED, SCANNED_MAX, START, Column, Cursor, Filter, ListQuery, Page, RowKey
from models.rules import money
from models.session import statements

CURSOR_SECONDS_MAX = 24 * 3600
"""A walk through a list ends within a day."""

SORTED_DAYS_MAX = 31
"""Other orders than that of time have no index: what is sorted is bounded by a month."""


MOMENT = timedelta(microseconds=1)
"""The database's finest step, by which > becomes >= and <= becomes <."""


def _signer() -> CursorSigner:
    return CursorSigner(services().settings.secret_key, "cursor", CURSOR_SECONDS_MAX)


def _cursor_binding(query: Mapping[str, Any]) -> str:
    """What a cursor is tied to: the caller, the list and its filters, but not the length of the page."""
    filters = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
    told = json.dumps([g.caller.id, request.path, filters], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def decode_cursor(query: Mapping[str, Any]) -> Cursor:
    """Where the asked page begins; raises ApiError for a cursor that was not given out for this list."""
    cursor = query.get("cursor")
    if cursor is None:
        return Cursor()
    bond, *where = _signer().decode(cursor)
    if bond != _cursor_binding(query):
        raise ApiError("bad_cursor", "This cursor belongs to another list.")
    return Cursor(*where)


def page(
    query: Mapping[str, Any],
    at: Cursor,
    rows: Sequence[Any],
    show: Callable[[Any], dict[str, Any]],
) -> JsonAnswer:
    """Body and Link header of the page; `rows` are up to limit + 1, oldest first if `at.after` is set."""
    return page_body(query, at, Page(rows, [RowKey(row.id) for row in rows]), show)


def page_body(query: Mapping[str, Any], at: Cursor, found: Page, show: Callable[[Any], dict[str, Any]]) -> JsonAnswer:
    """Body and Link header of the page of up to limit of these rows, in the opposite order if `at.after` is set."""
    limit, is_back = query["limit"], at.after is not None
    rows, spots = list(found.rows[:limit]), found.keys[:limit]
    far = spots[-1] if len(found.rows) > limit else found.scan_limit
    near = None if at == START else spots[0] if spots else found.turn_key
    forth, back = (near, far) if is_back else (far, near)
    bond, signer = _cursor_binding(query), _signer()
    following = forth and signer.encode(bond, forth.id, None, forth.value)
    preceding = back and signer.encode(bond, None, back.id, back.value)
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
    """The query's filters and order; `currency_of` says the currency of an amount's column; raises ApiError."""
    sort = query["sort"]
    created_from, created_before = created_range(query)
    order = ListQuery(
        _wants(query, columns, currency_of), created_from, created_before, sort.lstrip("-"), sort[0] != "-"
    )
    if order.is_sorted:
        _refuse_unbounded(created_from, created_before)
        if columns[order.sort].currency:
            currency_of(columns[order.sort].currency or "")
    return order


def _wants(
    query: Mapping[str, Any], columns: Mapping[str, Column], currency_of: Callable[[str], Currency]
) -> list[Filter]:
    found = []
    for name, column in columns.items():
        for word, parameter in {"is": name, **{word: f"{name}[{word}]" for word in COMPARED}}.items():
            if parameter not in query:
                continue
            value = query[parameter]
            if column.kind == "jsonb":
                found.append(Filter(name, "has", json.dumps(value)))
            elif name == "created_at" and word != "is":
                continue
            elif column.currency:
                found.append(Filter(name, word, _minor(parameter, value, currency_of(column.currency))))
            else:
                found.append(Filter(name, word, [value] if word == "is" and not isinstance(value, list) else value))
    return found


def _minor(parameter: str, given: str | list[str], known: Currency) -> int | list[int]:
    """What amounts are compared with, in minor units: zero, too; raises ApiError."""
    if isinstance(given, list):
        return [number for text in given if isinstance(number := _minor(parameter, text, known), int)]
    try:
        return money.parse(given, known.digits)
    except money.MoneyError as error:
        if error.code == "amount_not_positive":
            return 0
        raise invalid([(parameter, error.code, error.detail)], "parameter") from None


def _refuse_unbounded(created_from: datetime | None, created_before: datetime | None) -> None:
    missing = {"created_at[gte]": created_from is None, "created_at[lt]": created_before is None}
    names = [name for name, is_missing in missing.items() if is_missing]
    if names:
        raise invalid([(name, "required", "What is sorted is bounded in time.") for name in names], "parameter")
    if created_from and created_before and created_before - created_from > timedelta(days=SORTED_DAYS_MAX):
        detail = f"At most {SORTED_DAYS_MAX} days are sorted."
        raise invalid([("created_at[lt]", "invalid_value", detail)], "parameter")


def too_many() -> ApiError:
    """The refusal of sorting more than can be."""
    detail = f"There are more than {SCANNED_MAX} payments in that time; sort fewer."
    return invalid([("created_at[gte]", "invalid_value", detail)], "parameter")


def one_currency(query: Mapping[str, Any], name: str) -> Currency:
    """The one currency that the query names; raises ApiError if there are several, or none that is known."""
    codes = query.get(name, [])
    if len(codes) != 1:
        raise invalid([(name, "required", "Amounts compare in one currency; name it.")], "parameter")
    known = services().reference_data.currencies().get(codes[0])
    if known is None:
        raise invalid([(name, "currency_unknown", "This currency is not known.")], "parameter")
    return known


def created_range(query: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """When to be created: from (inclusive) and before; None is unbounded."""
    given = {word: query.get(f"created_at[{word}]") for word in COMPARED}
    exact = query.get("created_at") or [None]
    since = [given["gte"], given["gt"] and given["gt"] + MOMENT, exact[0]]
    until = [given["lt"], *(time and time + MOMENT for time in (given["lte"], exact[-1]))]
    return max(filter(None, since), default=None), min(filter(None, until), default=None)


def paginated(
    query: Mapping[str, Any],
    read: Callable[..., Sequence[Any]],
    show: Callable[[Any], dict[str, Any]],
    **filters: object,
) -> JsonAnswer:
    """Body and Link header of the page; `read` takes a connection, these filters, and limit, before and after."""
    at = decode_cursor(query)
    with statements(services().engine) as connection:
        rows = read(connection, limit=query["limit"] + 1, before=at.before, after=at.after, **filters)
    return page(query, at, rows, show)


EMPTY_PAGE = {"data": [], "has_more": False, "next_cursor": None, "prev_cursor": None}
