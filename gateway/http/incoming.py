"""A request while it is received: its WSGI environment, and the refusal of heads that are ambiguous or too large."""

import io
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from httptools import HttpParserInvalidURLError, parse_url

from gateway.http.access_log import PENDING_ERROR, Environ
from gateway.http.errors import ApiError
from gateway.http.parsing import BODY_BYTES_MAX

LINE_BYTES_MAX = 4094
HEADERS_MAX = 50
HEADER_BYTES_MAX = 8190
"""Limits of the target of a request, of the number of headers and of each header; clients need less than a tenth."""

BUFFERED_BYTES_MAX = 256 * 1024
"""Of a body that is read while it arrives; above that the connection is not read from."""

BODY_SECONDS_MAX = 30.0
BODY_BYTES_A_SECOND = 10_000
"""A body that is read while it arrives may be waited for so long in all, and a second more for each so many bytes."""

VERSIONS = ("1.0", "1.1")
CODINGS = frozenset({"compress", "deflate", "gzip", "identity"})

SINGLE = {
    "HTTP_AUTHORIZATION": "bad_request",
    "CONTENT_TYPE": "bad_request",
    "HTTP_HOST": "bad_request",
    "HTTP_IDEMPOTENCY_KEY": "idempotency_key_invalid",
    "HTTP_LAST_EVENT_ID": "bad_request",
    "HTTP_ORIGIN": "bad_request",
}
"""Headers that may be sent once, with the error code: joined by a comma they could read as one value."""

NOT_IN_TRAILER = frozenset({*SINGLE, "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_TRAILER"})

_SAME_FOR_ALL: Environ = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}

_keys: dict[bytes, str] = {}
"""The keys of headers in the environment; what clients invent is not kept."""

KEYS_MAX = 500


class MalformedBody(ApiError):
    """A body is malformed or incomplete, so the start of the next request is unknown."""

    def __init__(self, code: str = "bad_request") -> None:
        super().__init__(code, "The body is malformed or incomplete.")


class IncomingRequest:
    """A request; llhttp's parser tells each part of it."""

    def __init__(self, peer: str, server: tuple[str, str]) -> None:
        self.environ: Environ = {
            **_SAME_FOR_ALL,
            "REMOTE_ADDR": peer,
            "SERVER_NAME": server[0],
            "SERVER_PORT": server[1],
        }
        self.is_complete = False
        self.is_answered = False
        """Its answer has begun."""
        self.keeps_alive = False
        self.awaits_continue = False
        self.is_streamed = False
        """It is answered while its body arrives."""
        self.stream: BodyStream | None = None
        self._target = b""
        self._headers = 0
        self._body: list[bytes] = []
        self.has_head = False

    def add_target(self, part: bytes) -> None:
        """Raises ApiError."""
        self._target += part
        if len(self._target) > LINE_BYTES_MAX:
            raise ApiError("uri_too_long", f"A request's target has at most {LINE_BYTES_MAX} bytes.")

    def add_header(self, name: bytes, value: bytes) -> None:
        """A header, or after the body one of the trailer, which is checked and ignored; raises ApiError."""
        self._headers += 1
        if self._headers > HEADERS_MAX or len(name) + len(value) > HEADER_BYTES_MAX:
            raise headers_too_large()
        if b"_" in name:  # in the environment it would look like another
            return
        key = _keys.get(name) or _key(name)
        if self.has_head:
            if key in NOT_IN_TRAILER:
                raise ApiError("bad_request", "A header that is not allowed in a trailer.")
        elif key not in self.environ:
            self.environ[key] = value.decode("latin-1")
        elif key in SINGLE:
            raise ApiError(SINGLE[key], f"The header {name.decode('latin-1').title()} may be sent only once.")
        else:
            self.environ[key] += f",{value.decode('latin-1')}"

    def end_head(self, method: str, version: str, *, keeps_alive: bool) -> None:
        """The head is complete; raises ApiError."""
        environ = self.environ
        self.has_head, self._headers, self.keeps_alive = True, 0, keeps_alive
        if version not in VERSIONS or not self._target.isascii():
            raise malformed()
        environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"] = method, f"HTTP/{version}"
        environ["PATH_INFO"], environ["QUERY_STRING"] = _path_and_query(self._target)
        expectation = environ.get("HTTP_EXPECT")
        if expectation is not None:
            if expectation.lower() != "100-continue":
                raise ApiError("expectation_failed", "The only expectation is 100-continue.")
            self.awaits_continue = version != "1.0"
        if "HTTP_TRANSFER_ENCODING" in environ:
            refuse_other_codings(environ["HTTP_TRANSFER_ENCODING"], version)
            self.is_streamed = True
        else:
            self.is_streamed = int(environ.get("CONTENT_LENGTH") or 0) > BODY_BYTES_MAX

    def fail(self, error: ApiError) -> None:
        """Let the application answer with this error, whatever was requested."""
        nothing = {"PATH_INFO": "", "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input": io.BytesIO()}
        self.environ = {"REQUEST_METHOD": "UNKNOWN", **self.environ, **nothing, PENDING_ERROR: error}

    def add_body(self, part: bytes) -> None:
        """A part of the body."""
        if self.stream is not None:
            self.stream.add(part)
        else:
            self._body.append(part)

    def end(self) -> None:
        """The request is complete."""
        self.is_complete = True
        if self.stream is not None:
            self.stream.end()
        else:
            self.environ["wsgi.input"] = io.BytesIO(b"".join(self._body))


class BodyStream(io.RawIOBase):
    """A body that one thread reads while the event loop adds what arrives."""

    def __init__(self, begin: Callable[[], None], pause: Callable[[], None], go_on: Callable[[], None]) -> None:
        """`begin` and `go_on` are called by the thread that reads, `pause` in `add`."""
        self._parts: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._size = 0
        self._is_over = False
        self._error: ApiError | None = None
        self._begin: Callable[[], None] | None = begin
        self._pause, self._go_on = pause, go_on
        self._seconds_left = BODY_SECONDS_MAX

    def add(self, part: bytes) -> None:
        """A part has arrived."""
        with self._changed:
            self._parts.append(part)
            self._size += len(part)
            is_full = self._size > BUFFERED_BYTES_MAX
            self._changed.notify()
        if is_full:
            self._pause()

    def end(self, error: ApiError | None = None) -> None:
        """The body is complete, or ends with an error that its reader gets."""
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Raises MalformedBody, also if the client is too slow."""
        if self._begin is not None:
            self._begin()
            self._begin = None
        with self._changed:
            began = time.monotonic()
            if not self._changed.wait_for(lambda: self._parts or self._is_over, self._seconds_left):
                self._is_over, self._error = True, MalformedBody()
            self._seconds_left -= time.monotonic() - began
            if not self._parts:
                if self._error is not None:
                    raise self._error
                return 0
            part = self._parts.popleft()
            size = min(len(part), len(buffer))
            buffer[:size] = part[:size]
            if size < len(part):
                self._parts.appendleft(part[size:])
            was_full = self._size > BUFFERED_BYTES_MAX
            self._size -= size
            self._seconds_left += size / BODY_BYTES_A_SECOND
            is_full = self._size > BUFFERED_BYTES_MAX
        if was_full and not is_full:
            self._go_on()
        return size


def refuse_other_codings(header: str, version: str) -> None:
    """Refuse a transfer coding other than chunked, or in HTTP/1.0; raises ApiError."""
    *others, last = [coding.strip().lower() for coding in header.split(",")]
    if version == "1.0" or "chunked" in others or (last != "chunked" and last in CODINGS):
        raise malformed()
    if others or last != "chunked":
        raise ApiError("transfer_coding_unsupported", "The only transfer coding is chunked.")


def malformed() -> ApiError:
    """The error of what is not HTTP."""
    return ApiError("bad_request", "The request is not well-formed HTTP.")


def headers_too_large() -> ApiError:
    """The error of too many headers, or too long ones."""
    limits = f"A request has at most {HEADERS_MAX} headers of at most {HEADER_BYTES_MAX} bytes each."
    return ApiError("headers_too_large", limits)


def _key(name: bytes) -> str:
    text = name.decode("latin-1").upper().replace("-", "_")
    key = text if text in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{text}"
    if len(_keys) < KEYS_MAX:
        _keys[name] = key
    return key


def _path_and_query(target: bytes) -> tuple[str, str]:
    """PATH_INFO and QUERY_STRING; raises ApiError."""
    if target == b"*":
        return "*", ""
    try:
        url = parse_url(target)
    except HttpParserInvalidURLError:
        raise malformed() from None
    path = url.path or b"/"
    text = (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1")
    return text, (url.query or b"").decode("latin-1")
