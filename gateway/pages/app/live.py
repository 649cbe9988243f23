"""The event streams of pages: those of the API, for the session of the page."""

from flask import Response, request

from gateway.pages.app.pages import app_pages
from gateway.pages.visitors import EVENT_STREAM, download

NAMES = "payment.*"


@app_pages.get("/events")
def events() -> Response:
    """What happens from now on to the payments of the user."""
    return _stream("/v1/events", {"after": "now", "type": NAMES})


@app_pages.get("/payments/<id>/events")
def payment_events(id: str) -> Response:
    """What happened and happens to one payment, until it is final."""
    return _stream(f"/v1/payments/{id}/events", {})


def _stream(path: str, query: dict[str, str]) -> Response:
    last = request.headers.get("Last-Event-ID", "")
    return download(path, query, EVENT_STREAM, **({"Last-Event-ID": last} if last else {}))
