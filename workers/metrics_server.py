"""Serves the metrics of a worker's processes from the one that started them, at METRICS_BIND."""

import hmac
import os
import socket
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import structlog

import metrics
from settings import Settings

PATH = "/metrics"

REQUEST_SECONDS = 5.0
"""A client that sends or reads more slowly is disconnected: one is served after the other."""

BACKLOG = 16

log = structlog.get_logger("metrics")

_serving: tuple[int, socket.socket] | None = None
"""The process that serves, and its listening socket."""


class MetricsHandler(BaseHTTPRequestHandler):
    """Answers GET /metrics, and asks for the token if there is one."""

    timeout = REQUEST_SECONDS

    def __init__(self, token: str, *connection: object) -> None:
        self._expected = f"Bearer {token}".encode() if token else b""
        super().__init__(*connection)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer a GET request."""
        if self.path != PATH:
            self._answer(HTTPStatus.NOT_FOUND)
        elif self._expected and not hmac.compare_digest(self.headers.get("Authorization", "").encode(), self._expected):
            self._answer(HTTPStatus.UNAUTHORIZED, WWW_Authenticate="Bearer")
        else:
            self._answer(HTTPStatus.OK, metrics.exposition(), Content_Type=metrics.CONTENT_TYPE)

    def _answer(self, status: HTTPStatus, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: monitors ask every few seconds."""


class MetricsServer(HTTPServer):
    """A server on a socket that listens already; one that fails for a client goes on with the next."""

    def __init__(self, listener: socket.socket, token: str) -> None:
        super().__init__(("", 0), partial(MetricsHandler, token), bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, *_: object) -> None:
        """Log why a request was not answered."""
        log.info("a request for metrics was not answered", exc_info=True)


def start(settings: Settings) -> None:
    """Serve metrics in a thread, if METRICS_BIND is set; a worker whose port is taken works all the same."""
    global _serving  # noqa: PLW0603 - one a process
    if not settings.metrics_bind:
        return
    try:
        listener = _listen(settings.metrics_bind)
    except OSError as error:
        log.error("metrics cannot be served", bind=settings.metrics_bind, error=str(error))
        return
    _serving = os.getpid(), listener
    server = MetricsServer(listener, settings.metrics_token)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def forget() -> None:
    """After a fork: leave the socket to the parent, so that it is free when the parent has ended."""
    if _serving is not None and _serving[0] != os.getpid():
        _serving[1].close()


def _listen(bind: str) -> socket.socket:
    if bind.startswith("fd://"):
        return socket.socket(fileno=os.dup(int(bind.removeprefix("fd://"))))
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)
