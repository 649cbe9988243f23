"""The gunicorn worker: answers what its HTTP parser refuses as the gateway answers all else, and then hangs up."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
from gunicorn.http import errors
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response, base_environ
from gunicorn.workers.ggevent import GeventWorker

import logs
from gateway.http.access_log import FAULT, Environ
from gateway.http.errors import ApiError, not_found

LINE_BYTES_MAX = 4094
HEADERS_MAX = 50
HEADER_BYTES_MAX = 8190
"""What gunicorn lets a request line, its headers and each of them have; no client of ours needs a tenth of it."""

LINGER_SECONDS = 2.0
LINGER_BYTES_MAX = 1024 * 1024
"""After a refusal so much of what the client still sends is read: closing at once would take the answer from it."""

REFUSALS = {
    errors.LimitRequestLine: ("uri_too_long", f"A request line has at most {LINE_BYTES_MAX} bytes."),
    errors.LimitRequestHeaders: (
        "headers_too_large",
        f"A request has at most {HEADERS_MAX} headers of at most {HEADER_BYTES_MAX} bytes each.",
    ),
    errors.UnsupportedTransferCoding: ("transfer_coding_unsupported", "The only transfer coding is chunked."),
    errors.ExpectationFailed: ("expectation_failed", "The only expectation is 100-continue."),
    errors.ConfigurationProblem: ("not_found", not_found().detail),  # the path is not below SCRIPT_NAME
    errors.ParseException: ("bad_request", "The request is not well-formed HTTP."),
}
"""gunicorn's exceptions, of which the first that fits counts, as (code, detail)."""

SINGLE = {
    "AUTHORIZATION": "bad_request",
    "CONTENT-TYPE": "bad_request",
    "IDEMPOTENCY-KEY": "idempotency_key_invalid",
    "LAST-EVENT-ID": "bad_request",
    "ORIGIN": "bad_request",
}
"""Headers that a request has at most once, with the code for more; gunicorn refuses a second Host or Content-Length."""


class MalformedBody(ApiError):
    """A chunked body is malformed or ended early: where the next request would begin is not known."""


class ChunkedBody(Body):
    """The body of a request; if it is malformed its reader gets a ApiError, and the connection is closed."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.body.reader)
        self._request = request

    def read(self, size: int | None = None) -> bytes:
        """As of a file."""
        with self._refusing():
            return super().read(size)

    def readline(self, size: int | None = None) -> bytes:
        """As of a file."""
        with self._refusing():
            return super().readline(size)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (errors.ParseException, errors.NoMoreData) as error:
            self._request.force_close()
            code = "headers_too_large" if isinstance(error, errors.LimitRequestHeaders) else "bad_request"
            raise MalformedBody(code, "The chunked body is malformed, or not complete.") from None


class Worker(GeventWorker):
    """A process of greenlets; told to stop, it lets none of them wait any longer, so that all are answered in time."""

    def init_process(self) -> None:
        """In the child, before anything is served."""
        log_failed_greenlets()
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Of SIGTERM."""
        super().handle_exit(sig, frame)
        gevent.spawn(
            self.wsgi.extensions["gateway"].waiters.close
        )  # a signal's handler itself must not wait for a lock

    def handle_request(self, listener_name: Any, req: Request, sock: socket.socket, addr: Any) -> None:
        """One request whose head is well-formed."""
        refuse_repeated_headers(req)
        if isinstance(req.body.reader, ChunkedReader):
            refuse_other_codings(req)
            req.body = ChunkedBody(req)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            if req.body.failed:
                linger(sock)

    def handle_error(self, req: Request | None, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn could not read, or what failed outside the application; the connection then ends."""
        if isinstance(exc, MalformedBody) or not isinstance(exc, Exception):
            return  # it was answered already, or the process ends
        refusal = refusal_of(exc)
        address = addr[0] if isinstance(addr, tuple) else ""
        try:
            self._answer(refusal, req or getattr(exc, "req", None), client, address)
        except OSError:
            pass  # nobody waits for the answer
        except Exception:
            self.log.exception("a refusal could not be answered")
        if refusal.code == "internal_error":
            self.log.error("a request failed outside the application", exc_info=exc)
        else:
            self.log.info("a request from %s was not read: %s", address, exc)
        linger(client)

    def _answer(self, refusal: ApiError, req: Any, client: socket.socket, address: str) -> None:
        """Send the refusal as the application renders it, with the headers and the access line of every answer."""
        method = req.method if isinstance(req, Request) and req.method else "UNKNOWN"
        response = Response(_Unread(method), client, self.cfg)
        environ: Environ = {
            **base_environ(self.cfg),
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": "http",
            "REQUEST_METHOD": method,
            "PATH_INFO": "",
            "SERVER_NAME": "",
            "SERVER_PORT": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": address,
            FAULT: refusal,
        }
        for piece in self.wsgi(environ, response.start_response):
            response.write(piece)
        response.close()


class _Unread:
    """What gunicorn's Response asks of a request, for one that could not be read."""

    version = (1, 1)
    headers = ()

    def __init__(self, method: str) -> None:
        self.method = method

    def should_close(self) -> bool:
        return True


def log_failed_greenlets() -> None:
    """Have gevent log what it would print."""
    hub: Any = gevent.get_hub()
    hub.print_exception = lambda _, kind, error, traceback: logs.uncaught(kind, error, traceback)


def refusal_of(exc: Exception) -> ApiError:
    """How an exception of gunicorn's is answered; what the application raised or tried to send is our own fault."""
    if isinstance(exc, ApiError):
        return exc
    ours = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
    for kind, (code, detail) in REFUSALS.items():
        if isinstance(exc, kind) and not isinstance(exc, ours):
            return ApiError(code, detail)
    return ApiError("internal_error", "Something went wrong on our side.")


def refuse_repeated_headers(req: Request) -> None:
    """Refuse two headers of which one may count: joined by a comma, as gunicorn does, they could read as one."""
    names = [name for name, _ in req.headers if name in SINGLE]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise ApiError(SINGLE[name], f"The header {name.title()} may be sent only once.")


def refuse_other_codings(req: Request) -> None:
    """Refuse a body that is coded otherwise than in chunks; gunicorn would hand it on as it is."""
    codings = [value for name, value in req.headers if name == "TRANSFER-ENCODING"]
    if [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise errors.UnsupportedTransferCoding(", ".join(codings))


def linger(client: socket.socket) -> None:
    """Send no more, and read for a moment what is on its way."""
    left = LINGER_BYTES_MAX
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):
        client.shutdown(socket.SHUT_WR)
        while left > 0 and (piece := client.recv(65_536)):
            left -= len(piece)
