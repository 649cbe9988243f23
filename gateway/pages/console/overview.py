"""GET /console: who is needed, how much is paid and how fast, and what waits."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from flask import Response

from gateway.pages.charts import Chart, stacked
from gateway.pages.console.pages import console
from gateway.pages.formats import moment, words
from gateway.pages.rendering import query, render
from gateway.pages.visitors import get

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
    """How a count is shown: its label, and the page of what it counts."""

    label: str
    href: str


def _list(**filters: str) -> str:
    return f"/console/payments?{urlencode(filters)}"


def _api(path: str) -> str:
    return f"/console/api?path={quote(path)}"


LINKS = {
    "parked": CountLink("Parked payments", _list(parked="true")),
    "undecided": CountLink("Undecided at the bank", _list(undecided="true")),
    "adjustments_proposed": CountLink("Adjustments to approve", _api("/v1/ops/adjustments?state=proposed")),
    "resolutions_proposed": CountLink("Resolutions to approve", _api("/v1/ops/resolutions?state=proposed")),
    "reconciliation_exceptions": CountLink("Reconciliation exceptions", _api("/v1/ops/reconciliations")),
    "endpoints_disabled": CountLink("Webhook endpoints disabled", _api("/v1/webhook-endpoints")),
    "breaches": CountLink("Breaches of the books", _api("/v1/ops/breaches?open=true")),
    "waiting": CountLink("Waiting to be posted", _list(stuck="0")),
    "authorized_over_a_day": CountLink("AUTHORIZED for over a day", _list(state="AUTHORIZED")),
    "paused": CountLink("Held by a pause", _api("/v1/ops/pauses?in_force=true")),
    "endpoints_failing": CountLink("Webhook endpoints failing", _api("/v1/webhook-endpoints")),
    "webhooks_waiting": CountLink("Webhooks to be sent", _api("/v1/webhook-endpoints")),
}

NEEDS_A_PERSON = (
    *("parked", "undecided", "adjustments_proposed", "resolutions_proposed", "reconciliation_exceptions"),
    *("endpoints_disabled", "breaches"),
)
"""What no machine goes on with."""

FIGURES = ("waiting", "authorized_over_a_day", "paused", "endpoints_failing", "webhooks_waiting", "breaches")


@console.get("")
def overview() -> Response:
    """The overview of the last hour, or day."""
    span = "day" if query().get("span") == "day" else "hour"
    answer = get("/v1/ops/overview", {"span": span})
    body = answer.body
    counts = {count["name"]: {**count, **LINKS[count["name"]]._asdict()} for count in body["counts"]}
    counts["authorized_over_a_day"]["href"] += f"&{urlencode({'created_before': _day_before(body['at'])})}"
    times = [_clock(slot["begins_at"]) for slot in body["slots"]]
    return render(
        "console/overview.html",
        body=body,
        span=span,
        needed=[counts[name] for name in NEEDS_A_PERSON if counts[name]["count"]],
        figures=[counts[name] for name in FIGURES],
        per_second=[_per_second(window) for window in body["windows"]],
        outcomes=stacked(body["slots"], STATES, times, "Payments accepted"),
        failures=_failures(body["slots"], times),
        is_estimate=any(slot["is_estimate"] for slot in body["slots"]),
        call=answer.call,
    )


def _day_before(value: str) -> str:
    return (datetime.fromisoformat(value) - timedelta(days=1)).isoformat(timespec="seconds")


def _clock(value: str) -> str:
    at = moment(value)
    return f"{at:%H:%M}" if at else ""


def _per_second(window: dict[str, Any]) -> dict[str, Any]:
    """The window with its rates as text."""
    rates = {name: f"{window[name] / window['seconds']:,.2f}" for name in ("accepted", "completed", "failed")}
    return {**window, "rates": rates}


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
