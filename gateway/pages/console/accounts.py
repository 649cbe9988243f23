"""/console/accounts: balances of technical accounts and wallets, as of a time; one account with its operations."""

from typing import Any

from flask import Response

from gateway.pages.api_calls import ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.saved_views import list_views
from gateway.pages.console.users import YES_OR_NO
from gateway.pages.curves import curve
from gateway.pages.decimals import difference
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.formats import this_day
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, render
from gateway.pages.visitors import attempt, get, visitor

CODES = ("internal", "commission", "wire", "wallet", "crypto", "exchange")
"""Codes of technical accounts."""

PAGE_LENGTH = "50"
ACCOUNTS = "/v1/ops/accounts"

FILTERS = (
    ListFilter("code", "Technical accounts", CODES),
    ListFilter("owner", "Wallets of (user)"),
    ListFilter("currency", "Currency"),
    ListFilter("at", "As of"),
    ListFilter("is_active", "Active", YES_OR_NO),
)
"""Those of GET /v1/ops/accounts."""

SHOW, WALLETS = "show", "wallets"
"""The parameter, and its value by which all wallets are listed instead of technical accounts."""

SPANS = {"1": "Day", "7": "Week", "30": "30 days", "366": "Year"}
DAYS = "30"


def moved(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accounts, each with what moved since the time that was asked for."""
    return [{**row, "movement": difference(row["balance"], row["balance_at"])} for row in rows]


@console.get("/accounts")
def accounts() -> Response:
    """Technical accounts, or wallets, with what moved since midnight or the time that was asked for."""
    values, asked = chosen(query(), FILTERS), query()
    is_of_wallets = "owner" in values or asked.get(SHOW) == WALLETS
    technical = {} if is_of_wallets or "code" in values else {"code": ",".join(CODES)}
    since = values.get("at") or f"{this_day()}T00:00:00Z"
    call = ApiCall("GET", ACCOUNTS, {"limit": PAGE_LENGTH, **technical, **values, "at": since})
    answer = attempt(call)
    rows = answer.body["data"] if answer.is_ok else []
    return render(
        "console/accounts.html",
        answer.status,
        rows=moved(rows),
        page=answer.body if answer.is_ok else {},
        problem=None if answer.is_ok else answer.body,
        call=call,
        since=since,
        is_of_wallets=is_of_wallets,
        views=list_views("accounts", FILTERS, (SHOW,)),
        filters=FILTERS,
        filter_values=values,
        chips=chips(asked, FILTERS),
    )


@console.get("/accounts/<id>")
def account(id: str) -> Response:
    """One account: its balance over time, and its operations."""
    asked = query()
    days = asked["days"] if asked.get("days") in SPANS else DAYS
    found = get(ACCOUNTS, {"id": id, "is_active": "true,false"}).body["data"]
    if not found:
        raise PageError(404, "There is no such account", "")
    operations = get(f"{ACCOUNTS}/{id}/operations", {"limit": PAGE_LENGTH, **chosen(asked, ())})
    curves: list[dict[str, Any]] = get("/v1/ops/balances", {"account": id, "days": days}).body["data"]
    return render(
        "console/account.html",
        account=found[0],
        curve=curve(curves[0]),
        days=days,
        spans=SPANS,
        page=operations.body,
        call=operations.call,
        may_adjust=visitor().may("ops:adjustments"),
    )
