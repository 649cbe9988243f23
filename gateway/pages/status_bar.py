"""The line at the top of every page of the console: is everything posted, and by whom."""

import time
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import current_app

from gateway.pages.api_calls import ApiCall, send

KEPT_SECONDS = 2.0
"""A process asks for the status this often at most: it pings the broker and reads a dozen indexes."""

OVERDUE_SECONDS = 60.0
"""As in models/health.py."""

POSTING = "posting@"


class StatusBar(NamedTuple):
    """State of the system; `alarm` is a sentence, if payments are not posted in time."""

    status: str
    alarm: str | None
    worker_age_seconds: float | None
    problems: list[dict[str, Any]]
    waiting: int
    oldest_due_seconds: float
    paused: int


def status_bar() -> StatusBar:
    """The state as it was at most KEPT_SECONDS ago."""
    kept: tuple[float, StatusBar] | None = current_app.extensions.get("status_bar")
    if kept is None or kept[0] < time.monotonic() - KEPT_SECONDS:
        answer = send(ApiCall("GET", "/status"), None)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS and kept is not None:
            return kept[1]  # this visitor's address asks too often; the state of the system is no other for it
        kept = (time.monotonic(), _of(answer.body))
        current_app.extensions["status_bar"] = kept
    return kept[1]


def _of(body: dict[str, Any]) -> StatusBar:
    ages = [worker["age_seconds"] for worker in body.get("workers", []) if worker["name"].startswith(POSTING)]
    oldest, waiting = body.get("oldest_due_seconds", 0.0), body.get("waiting", 0)
    problems = body.get("problems", [])
    alarm = None
    if any(problem["code"] == "posting_stale" for problem in problems):
        alarm = f"No poster is alive; {waiting} payments wait."
    elif oldest > OVERDUE_SECONDS:
        alarm = f"{waiting} payments wait, the oldest for {oldest:.0f} s."
    elif "workers" not in body:
        alarm = body.get("detail", "The state of the system is unknown.")
    status = body.get("status") if isinstance(body.get("status"), str) else "down"
    return StatusBar(status or "down", alarm, min(ages, default=None), problems, waiting, oldest, body.get("paused", 0))
