"""/console/closing: how the books stand, those of a month by the days of a time zone, and as a file."""

from calendar import monthrange
from collections import defaultdict
from typing import Any

from flask import Response

from gateway.pages.api_calls import ApiCall
from gateway.pages.console.accounts import ACCOUNTS, CODES, moved
from gateway.pages.console.pages import console
from gateway.pages.decimals import minor, negated, total
from gateway.pages.filters import ListFilter
from gateway.pages.formats import month_now
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, render
from gateway.pages.visitors import attempt, download, get

CLOSING = "/v1/ops/closing"
TIMEZONE = "UTC"
FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
"""The media type of a file, by its suffix."""

FILTERS = (ListFilter("month", "Month", "month"), ListFilter("timezone", "Time zone of its days"))
BALANCES = ("opening", "debits", "credits", "closing")


@console.get("/closing")
def closing() -> Response:
    """The closing of the month that was asked for; unasked, how the books stand now."""
    values = _values()
    call = ApiCall("GET", CLOSING, values)
    answer = attempt(call) if "month" in query() else None
    body = answer.body if answer and answer.is_ok else None
    return render(
        "console/closing.html",
        200 if answer is None else answer.status,
        closing=body,
        sums=_sums(body["trial_balance"]) if body else {},
        days=_days(values["month"]) if body else [],
        standing=None if answer else _standing(),
        problem=answer.body if answer and not answer.is_ok else None,
        filter_values=values,
        filters=FILTERS,
        call=call,
    )


@console.get("/closing.<suffix>")
def closing_file(suffix: str) -> Response:
    """The closing as a file."""
    if suffix not in FORMATS:
        raise PageError(404, "There is no such file", "It is offered as CSV and as JSON Lines.")
    return download(CLOSING, _values(), FORMATS[suffix])


def _values() -> dict[str, str]:
    asked = query()
    return {
        "month": asked.get("month", "").strip() or month_now(),
        "timezone": asked.get("timezone", "").strip() or TIMEZONE,
    }


def _sums(lines: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The sums of the trial balance by currency: debits equal credits, and balances are zero."""
    by_currency: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        by_currency[line["currency"]].append(line)
    return {
        currency: {name: total(line[name] for line in of_currency) for name in BALANCES}
        for currency, of_currency in by_currency.items()
    }


def _standing() -> dict[str, list[dict[str, Any]]]:
    """By currency: our accounts that are not empty, then customers; balances when this month began in UTC, and now."""
    asked = {"code": ",".join(CODES), "has_moved": "true", "is_active": "true,false", "limit": "100"}
    asked["at"] = f"{month_now()}-01T00:00:00Z"
    by_currency: dict[str, list[dict[str, Any]]] = defaultdict(list)
    has_more = True
    while has_more:
        page = get(ACCOUNTS, asked).body
        has_more, asked["cursor"] = page["has_more"], page["next_cursor"]
        for row in moved(page["data"]):
            by_currency[row["currency"]].append(row)
    return {currency: lines for currency, rows in sorted(by_currency.items()) if (lines := _lines(rows))}


STANDING = ("balance_at", "movement", "balance")


def _lines(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accounts of a currency that are not empty, and customers, who have what these lack: all sum to zero."""
    lines = [row for row in rows if any(minor(row[name]) for name in STANDING)]
    customers = {name: negated(total(row[name] for row in lines)) for name in STANDING}
    return [*sorted(lines, key=lambda row: row["code"]), {"code": None, **customers}] if lines else []


def _days(month: str) -> list[dict[str, Any]]:
    """Commission of each day of the month, in UTC."""
    last = monthrange(int(month[:4]), int(month[5:7]))[1]
    report: list[dict[str, Any]] = get("/v1/ops/commissions", {"from": f"{month}-01", "to": f"{month}-{last}"}).body[
        "data"
    ]
    return report
