"""Middleware for every response: its Request-Id, the security headers, and one line in the access log."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

import structlog
from flask import request
from uuid_utils import uuid7

import logs
import metrics
import telemetry

# Keys of the WSGI environment:
REQUEST_ID = "payments.request_id"
ADDRESS = "payments.address"  # the client's network address; None if unknown
NETWORK = "payments.network"  # the network by which the client is rate-limited
CALLER = "payments.caller"  # once authenticated
USER_ID = "payments.user_id"  # once authenticated
RATE_LIMIT_STATUS = "payments.rate_limit_status"
ROUTE = "payments.route"  # the template of the path; absent if there is no such route
NEW_ID = "payments.new_id"  # the Request-Id as an id for what the request creates; absent if the client chose it
PAYMENT = "payments.payment"  # the id of the payment that the request stored
WRITTEN = "payments.written"  # the value of CONSISTENCY for the answer to a write
PENDING_ERROR = "payments.pending_error"  # an exception in middleware, which Flask raises again and renders

CONSISTENCY = "Consistency-Token"
"""Header of answers to writes and of requests that must see these."""

CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,64}", re.ASCII)
"""A Request-Id of the client is used only if it is safe to log."""

PATH_LENGTH_MAX = 200

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Defaults for every response: no framing, no content sniffing, no caching."""

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_switch = logging.getLogger("access")


def access_log() -> Any:
    """A logger that writes straight to standard output: the usual processors would cost a tenth of a request."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, logs.output())), processors=[stamp, structlog.processors.JSONRenderer()]
    )


class AccessLog:
    """Middleware around the application; never logs the query string, which may hold secrets."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._log = access_log()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        client_id = environ.get("HTTP_REQUEST_ID", "")
        if CLIENT_REQUEST_ID.fullmatch(client_id):
            request_id = client_id
        else:
            environ[NEW_ID] = id = uuid7()
            request_id = id.hex
        environ[REQUEST_ID] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            set_already = {name for name, _ in headers}
            headers.extend(pair for pair in HEADERS.items() if pair[0] not in set_already)
            headers.append(("Request-Id", request_id))
            if environ.get(WRITTEN) and status[0] == "2":
                headers.append((CONSISTENCY, environ[WRITTEN]))
            if RATE_LIMIT_STATUS in environ:
                headers.extend(environ[RATE_LIMIT_STATUS].headers())
            seconds = time.perf_counter() - began
            waits = "HTTP_PREFER" in environ
            metrics.count_request(environ["REQUEST_METHOD"], environ.get(ROUTE), status, waits=waits, seconds=seconds)
            if PAYMENT in environ and telemetry.is_tracing():
                values = {"request_id": request_id, "status": status[:3]}
                telemetry.accepted(environ[PAYMENT], f"POST {environ.get(ROUTE)}", seconds, values)
            if _switch.isEnabledFor(logging.INFO):
                self._log.info(
                    "request",
                    logger="access",
                    level="info",
                    request_id=request_id,
                    method=environ["REQUEST_METHOD"],
                    path=logs.masked(environ.get("PATH_INFO", ""))[:PATH_LENGTH_MAX],
                    status=int(status[:3]),
                    milliseconds=round(seconds * 1000, 1),
                    user_id=environ.get(USER_ID),
                    address=environ.get(ADDRESS),
                )
            return start_response(status, headers, exc_info)

        return self._application(environ, start)


def note_route() -> None:
    """Before a request: write the route that answers it to the environment."""
    if request.url_rule is not None:
        request.environ[ROUTE] = metrics.template(request.url_rule.rule)
