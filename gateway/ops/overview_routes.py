"""GET /v1/ops/overview: the state of everything."""

from typing import Any

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.ops.overview_schemas import OverviewQuery, OverviewSchema
from gateway.services import services
from models import overview as overviews
from models.overview import SPANS, STATES
from models.representations import iso
from models.session import statements

overview = Blueprint(
    "overview",
    __name__,
    url_prefix="/v1/ops/overview",
    description="What was accepted and became of it, and what waits.",
)


@overview.route("")
@requires("ops:read")
@overview.arguments(OverviewQuery, location="query")
@overview.response(200, OverviewSchema)
def get_overview(query: Body) -> JsonAnswer:
    """Show how many payments were accepted and what became of them, how long they took, and what waits for whom.

    A slot of time is counted up to 500 payments, and estimated from these above; what waits is counted up to 10,000.
    """
    with statements(services().engine) as connection:
        found = overviews.overview(connection, query["span"])
    return {
        "at": found.at.isoformat(),
        "windows": [_window(window) for window in found.windows],
        "slot_seconds": SPANS[query["span"]],
        "slots": [_slot(slot) for slot in found.slots],
        "counts": [
            {"name": count.name, "count": count.number, "is_exact": count.is_exact, "oldest_at": iso(count.oldest_at)}
            for count in found.counts
        ],
    }, {}


def _outcomes(of: dict[str, Any]) -> dict[str, Any]:
    states = {state.lower(): int(of[state.lower()]) for state in STATES}
    return {"accepted": sum(states.values()), **states, "is_estimate": of["is_estimate"]}


def _window(window: dict[str, Any]) -> dict[str, Any]:
    p50, p95, p99 = window["percentiles"] or (None, None, None)
    return {
        **_outcomes(window),
        "seconds": window["seconds"],
        "p50_seconds": p50,
        "p95_seconds": p95,
        "p99_seconds": p99,
    }


def _slot(slot: dict[str, Any]) -> dict[str, Any]:
    failures = [{"failure": code, "count": int(count)} for code, count in sorted(slot["failures"].items())]
    return {**_outcomes(slot), "begins_at": slot["begins_at"], "failures": failures}
