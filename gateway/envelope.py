"""What every answer carries: its Request-Id, the security headers, and one line in the access log."""

import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

ACCEPTED_ID = re.compile(r"[A-Za-z0-9_.:-]{8,64}", re.ASCII)
"""An id from outside is taken over only if it can do no harm in a log line."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
"""On every answer that does not say otherwise: nothing here is to be framed, guessed at or kept."""

log = structlog.get_logger("access")


def open_envelope() -> None:
    """Name the request and bind its name to all that is logged on its way."""
    given = request.environ.get("HTTP_REQUEST_ID", "")
    g.request_id = given if ACCEPTED_ID.fullmatch(given) else secrets.token_hex(16)
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def close_envelope(response: Response) -> Response:
    """Set the headers and tell what was answered; never the query, which may hold what was meant to be secret."""
    headers = response.headers
    headers["Request-Id"] = g.request_id
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    log.info(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        milliseconds=round((time.perf_counter() - g.began) * 1000, 1),
        user_id=g.caller.id if "caller" in g else None,
    )
    return response


def register(app: Flask) -> None:
    """Put every answer of the app into the envelope."""
    app.before_request(open_envelope)
    app.after_request(close_envelope)
