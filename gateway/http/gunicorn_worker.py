"""The gunicorn worker: answers a request that the HTTP parser rejects as a problem, then closes the connection."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
from gunicorn.http import errors
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response, base_environ, create
from gunicorn.workers.ggevent import GeventWorker

import logs
from gateway.http.access_log import PENDING_ERROR, Environ
from gateway.http.errors import ApiError, not_found

LINE_BYTES_MAX = 4094
HEADERS_MAX = 50
HEADER_BYTES_MAX = 8190
"""Limits of a request line, of the number of headers and of each header; clients need less than a tenth of them."""

LINGER_SECONDS = 2.0
LINGER_BYTES_MAX = 1024 * 1024
"""After an error this much of the remaining input is read: closing at once would discard the response."""

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
"""The (code, detail) of each exception of gunicorn; the first match counts."""

SINGLE = {
    "AUTHORIZATION": "bad_request",
    "CONTENT-TYPE": "bad_request",
    "IDEMPOTENCY-KEY": "idempotency_key_invalid",
    "LAST-EVENT-ID": "bad_request",
    "ORIGIN": "bad_request",
}
"""Headers that may be sent once, with the error code; gunicorn itself rejects a second Host or Content-Length."""


class MalformedBody(ApiError):
    """A chunked body is malformed or incomplete, so the start of the next request is unknown."""


class ChunkedBody(Body):
    """The body of a request; reading a malformed one raises ApiError and closes the connection."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.body.reader)
        self._request = request

    def read(self, size: int | None = None) -> bytes:
        """As for a file."""
        with self._refusing():
            return super().read(size)

    def readline(self, size: int | None = None) -> bytes:
        """As for a file."""
        with self._refusing():
            return super().readline(size)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (errors.ParseException, errors.NoMoreData) as error:
            self._request.force_close()
            code = "headers_too_large" if isinstance(error, errors.LimitRequestHeaders) else "bad_request"
            raise MalformedBody(code, "The chunked body is malformed or incomplete.") from None


class Unsent(list[bytes]):
    """What gunicorn's methods send, kept in place of the socket."""

    sendall = list.append


class JoinedResponse(Response):
    """A response that sends its head together with the first piece of its body: one system call and one packet."""

    def __init__(self, req: Any, client: socket.socket, cfg: Any) -> None:
        super().__init__(req, Unsent(), cfg)
        self._client = client

    def write(self, piece: bytes) -> None:
        """Send a piece of the body, after the head if that is not sent yet."""
        super().write(piece)
        self._send()

    def close(self) -> None:
        """Send what is left: the head of a response without a body, the last of the chunks."""
        super().close()
        self._send()

    def _send(self) -> None:
        if self.sock:
            self._client.sendall(b"".join(self.sock))
            self.sock.clear()


class Worker(GeventWorker):
    """A process of greenlets; on shutdown it ends every wait, so that all requests are answered in time."""

    def init_process(self) -> None:
        """Initialize the forked process, before it serves requests."""
        log_failed_greenlets()
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Handle SIGTERM."""
        super().handle_exit(sig, frame)
        gevent.spawn(
            self.wsgi.extensions["gateway"].waiters.close
        )  # a signal's handler itself must not wait for a lock

    def handle_request(self, listener_name: Any, req: Request, sock: socket.socket, addr: Any) -> None:
        """Handle one request whose head is well-formed."""
        refuse_repeated_headers(req)
        if isinstance(req.body.reader, ChunkedReader):
            refuse_other_codings(req)
            req.body = ChunkedBody(req)
        response, environ = create(req, sock, addr, listener_name, self.cfg, JoinedResponse)
        environ["wsgi.multithread"] = True
        if not self.alive:
            response.force_close()
        try:
            self._respond(environ, response)
        except (gevent.GreenletExit, SystemExit):
            return
        except (StopIteration, OSError):
            raise
        except Exception:
            if not response.headers_sent:
                raise
            self.log.exception("a response ended amid its body")  # a second head would corrupt it
            raise StopIteration from None
        finally:
            if req.body.failed:
                linger(sock)
        if response.should_close():
            raise StopIteration

    def _respond(self, environ: Environ, response: JoinedResponse) -> None:
        """Send what the application answers."""
        pieces = self.wsgi(environ, response.start_response)
        try:
            for piece in pieces:
                response.write(piece)
            response.close()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def handle_error(self, req: Request | None, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that gunicorn could not parse or that failed outside the application, then close."""
        if isinstance(exc, MalformedBody) or not isinstance(exc, Exception):
            return  # the application has answered, or the process ends
        error = api_error_of(exc)
        address = addr[0] if isinstance(addr, tuple) else ""
        try:
            self._answer(error, req or getattr(exc, "req", None), client, address)
        except OSError:
            pass  # the client has disconnected
        except Exception:
            self.log.exception("an error response could not be sent")
        if error.code == "internal_error":
            self.log.error("a request failed outside the application", exc_info=exc)
        else:
            self.log.info("a request from %s was rejected: %s", address, exc)
        linger(client)

    def _answer(self, error: ApiError, req: Any, client: socket.socket, address: str) -> None:
        """Send the error as the application renders it, with the usual headers and access log line."""
        method = req.method if isinstance(req, Request) and req.method else "UNKNOWN"
        response = JoinedResponse(_Unread(method), client, self.cfg)
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
            PENDING_ERROR: error,
        }
        self._respond(environ, response)


class _Unread:
    """The attributes that gunicorn's Response needs of a request, for one that could not be parsed."""

    version = (1, 1)
    headers = ()

    def __init__(self, method: str) -> None:
        self.method = method

    def should_close(self) -> bool:
        return True


def log_failed_greenlets() -> None:
    """Make gevent log unhandled exceptions instead of printing them."""
    hub: Any = gevent.get_hub()
    hub.print_exception = lambda _, kind, error, traceback: logs.uncaught(kind, error, traceback)


def api_error_of(exc: Exception) -> ApiError:
    """The error for an exception of gunicorn; one that the application caused is an internal_error."""
    if isinstance(exc, ApiError):
        return exc
    internal = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
    for kind, (code, detail) in REFUSALS.items():
        if isinstance(exc, kind) and not isinstance(exc, internal):
            return ApiError(code, detail)
    return ApiError("internal_error", "Something went wrong on our side.")


def refuse_repeated_headers(req: Request) -> None:
    """Refuse a repeated header that must be single: gunicorn joins them by a comma, which could read as one value."""
    names = [name for name, _ in req.headers if name in SINGLE]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise ApiError(SINGLE[name], f"The header {name.title()} may be sent only once.")


def refuse_other_codings(req: Request) -> None:
    """Refuse a transfer coding other than chunked; gunicorn would pass such a body on undecoded."""
    codings = [value for name, value in req.headers if name == "TRANSFER-ENCODING"]
    if [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise errors.UnsupportedTransferCoding(", ".join(codings))


def linger(client: socket.socket) -> None:
    """Stop sending, and read what is still arriving for at most LINGER_SECONDS."""
    left = LINGER_BYTES_MAX
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):
        client.shutdown(socket.SHUT_WR)
        while left > 0 and (piece := client.recv(65_536)):
            left -= len(piece)
