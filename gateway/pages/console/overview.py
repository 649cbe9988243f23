"""GET /console: who is needed, how much is paid and how fast, and what waits."""

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.charts import Chart, stacked
from gateway.pages.console.pages import console
from gateway.pages.decimals import minor
from gateway.pages.formats import duration, moment, words
from gateway.pages.rendering import query, redirect, render
from gateway.pages.visitors import attempt, get, visitor

STATES = (
    ("completed", "completed", "completed"),
    ("authorized", "authorized", "authorized"),
    ("initiated", "initiated", "initiated"),
    ("failed", "failed", "failed"),
)
"""Key, class and label of each state in a chart."""

FAILURES_SHOWN = 5
"""Failures that have a colour of their own; the others share one."""

OTHERS = "other"


class CountLink(NamedTuple):
    """How a count is shown: its label, the page of what it counts, and the word for one of them."""

    label: str
    href: str
    one: str = ""


def _list(**filters: str) -> str:
    return f"/console/payments?{urlencode(filters)}"


def _api(path: str) -> str:
    return f"/console/api?path={quote(path)}"


LINKS = {
    "parked": CountLink("Parked payments", _list(parked="true"), "parked payment"),
    "undecided": CountLink("Undecided at the bank", _list(undecided="true"), "undecided payout"),
    "adjustments_proposed": CountLink("Adjustments to approve", "/console/approvals#adjustments", "adjustment"),
    "resolutions_proposed": CountLink("Resolutions to approve", "/console/approvals#resolutions", "resolution"),
    "reconciliation_exceptions": CountLink("Reconciliation exceptions", "/console/reconciliation", "exception"),
    "endpoints_disabled": CountLink(
        "Webhook endpoints disabled", "/console/webhooks?state=disabled", "disabled endpoint"
    ),
    "breaches": CountLink("Breaches of the books", _api("/v1/ops/breaches?open=true"), "breach"),
    "waiting": CountLink("Waiting to be posted", _list(stuck="0")),
    "authorized_over_a_day": CountLink("AUTHORIZED for over a day", _list(state="AUTHORIZED")),
    "paused": CountLink("Held by a pause", "/console/rails"),
    "endpoints_failing": CountLink("Webhook endpoints failing", "/console/webhooks?state=failing"),
    "webhooks_waiting": CountLink("Webhooks to be sent", "/console/webhooks"),
}

NEEDS_A_PERSON = (
    *("parked", "undecided", "adjustments_proposed", "resolutions_proposed", "reconciliation_exceptions"),
    *("endpoints_disabled", "breaches"),
)
"""What no machine goes on with."""

FIGURES = (
    *("waiting", "parked", "authorized_over_a_day", "undecided", "paused", "endpoints_failing", "webhooks_waiting"),
    *("reconciliation_exceptions", "breaches"),
)


class ImbalanceFigure(NamedTuple):
    """What the balances sum to: "0", or the sums that are not, and since when that is known."""

    sums: list[tuple[str, str]]
    looked_at: str | None


BACKLOG = (("seconds", "initiated", "seconds"),)
"""The only series of the chart of the backlog."""

PAGE_OF_ITEM = {
    "parked": "/console/payments/{subject}",
    "undecided": "/console/payments/{subject}",
    "adjustments_proposed": "/console/adjustments?state=proposed",
    "resolutions_proposed": "/console/payments/{subject}",
    "reconciliation_exceptions": "/console/reconciliation/{statement}?verdict=mismatched,missing_here,missing_there",
    "endpoints_disabled": "/console/webhooks/{subject}",
    "breaches": "/console/api?path=/v1/ops/breaches%3Fopen%3Dtrue",
}
"""The page on which an open item is decided, by its kind."""

ASSIGNMENTS = "/v1/ops/assignments"
SHOWN_ITEMS = 20


@console.get("")
def overview() -> Response:
    """The overview of the last hour, or day."""
    return _page()


@console.post("/open-items/take")
def take_item() -> Response:
    """Take an open item."""
    answer = attempt(
        ApiCall("POST", ASSIGNMENTS, body={name: request.form.get(name, "") for name in ("kind", "subject")})
    )
    return redirect("/console") if answer.is_ok else _page(answer)


@console.post("/open-items/<id>/give-back")
def give_item_back(id: str) -> Response:
    """Give an item back."""
    answer = attempt(ApiCall("POST", f"{ASSIGNMENTS}/{id}/give-back", body={}))
    return redirect("/console") if answer.is_ok else _page(answer)


def _page(refused: ApiAnswer | None = None) -> Response:
    span = "day" if query().get("span") == "day" else "hour"
    answer = get("/v1/ops/overview", {"span": span})
    body = answer.body
    counts = {count["name"]: {**count, **LINKS[count["name"]]._asdict()} for count in body["counts"]}
    counts["authorized_over_a_day"]["href"] += f"&{urlencode({'created_before': _day_before(body['at'])})}"
    times = [_clock(slot["begins_at"]) for slot in body["slots"]]
    items = get("/v1/ops/open-items").body["data"]
    wanted = items if "items" in query() else items[:SHOWN_ITEMS]
    return render(
        "console/overview.html",
        200 if refused is None else refused.status,
        body=body,
        items=[{**item, "href": _page_of(item), "what": LINKS[item["kind"]].one} for item in wanted],
        has_more_items=len(items) > len(wanted),
        may_take=visitor().may("ops:assignments"),
        take_curl=ApiCall("POST", ASSIGNMENTS, body={"kind": "KIND", "subject": "SUBJECT"}).curl(),
        problem=refused.body if refused else None,
        backlog=_backlog(body["slots"], times),
        span=span,
        needed=[counts[name] for name in NEEDS_A_PERSON if counts[name]["count"]],
        figures=[counts[name] for name in FIGURES],
        imbalance=imbalance(body["imbalances"]),
        breaches=LINKS["breaches"].href,
        per_second=[_per_second(window, body["at"]) for window in body["windows"]],
        outcomes=stacked(body["slots"], STATES, times, "Payments accepted"),
        failures=_failures(body["slots"], times),
        is_estimate=any(slot["is_estimate"] for slot in body["slots"]),
        call=answer.call,
    )


def imbalance(sums: list[dict[str, str]]) -> ImbalanceFigure:
    """The figure of the sums, by the oldest look at them."""
    broken = [(one["amount"], one["currency"]) for one in sums if minor(one["amount"])]
    return ImbalanceFigure(broken, min((one["looked_at"] for one in sums), default=None))


def _page_of(item: dict[str, Any]) -> str:
    subject = item["subject"]
    return PAGE_OF_ITEM[item["kind"]].format(subject=subject, statement=subject.partition("/")[0])


def _backlog(slots: list[dict[str, Any]], times: list[str]) -> Chart:
    """For how long the oldest due payment had waited at most; a slot without a sample has no bar."""
    seconds = [{"seconds": math.ceil(slot["oldest_due_seconds"] or 0)} for slot in slots]
    known = [slot for slot in slots if slot["oldest_due_seconds"] is not None]
    chart = stacked(seconds, BACKLOG, times, "Oldest due")
    most = max((slot["oldest_due_seconds"] for slot in known), default=0)
    sampled = f"{len(known)} of {len(slots)} slots were sampled"
    return chart._replace(summary=f"The oldest due payment waited {duration(most)} at most; {sampled}.", legend=[])


def _day_before(value: str) -> str:
    return (datetime.fromisoformat(value) - timedelta(days=1)).isoformat(timespec="seconds")


def _clock(value: str) -> str:
    at = moment(value)
    return f"{at:%H:%M}" if at else ""


def _per_second(window: dict[str, Any], at: str) -> dict[str, Any]:
    """The window with its rates as text, and the lists of the payments behind them."""
    began = (datetime.fromisoformat(at) - timedelta(seconds=window["seconds"])).isoformat(timespec="seconds")
    rates = {name: f"{window[name] / window['seconds']:,.2f}" for name in ("accepted", "completed", "failed")}
    states = {"accepted": {}, "completed": {"state": "COMPLETED"}, "failed": {"state": "FAILED"}}
    hrefs = {name: _list(**state, created_from=began) for name, state in states.items()}
    return {**window, "rates": rates, "hrefs": hrefs}


def _failures(slots: list[dict[str, Any]], times: list[str]) -> Chart | None:
    """The failures by their code, the most frequent in colours of their own; None without any."""
    counts = [Counter({failure["failure"]: failure["count"] for failure in slot["failures"]}) for slot in slots]
    totals = sum(counts, Counter())
    if not totals:
        return None
    shown = [code for code, _ in totals.most_common(FAILURES_SHOWN)]
    series = [(code, f"series-{number}", words(code)) for number, code in enumerate(shown)]
    if len(totals) > len(shown):
        series.append((OTHERS, f"series-{FAILURES_SHOWN}", OTHERS))
        for count in counts:
            count[OTHERS] = sum(number for code, number in count.items() if code not in shown)
    return stacked(counts, series, times, "Payments failed")
