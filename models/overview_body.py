"""The overview as JSON, for HTTP and the shell alike."""

from typing import Any

from models import imbalance
from models.overview import SPANS, STATES, Overview
from models.representations import iso


def body(found: Overview, span: str) -> dict[str, Any]:
    """The JSON of an overview, whose slots are those of the span."""
    return {
        "at": found.at.isoformat(),
        "windows": [_window(window) for window in found.windows],
        "slot_seconds": SPANS[span],
        "slots": [_slot(slot) for slot in found.slots],
        "counts": [
            {"name": count.name, "count": count.number, "is_exact": count.is_exact, "oldest_at": iso(count.oldest_at)}
            for count in found.counts
        ],
        "imbalances": [imbalance.body(sum) for sum in found.imbalances],
    }


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
    oldest = {"oldest_due_seconds": slot["oldest_due_seconds"]}
    failures = [{"failure": code, "count": int(count)} for code, count in sorted(slot["failures"].items())]
    return {**_outcomes(slot), "begins_at": slot["begins_at"], "failures": failures, **oldest}
