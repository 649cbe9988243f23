"""WebSockets: the checks before the upgrade, and the response that takes over the connection.

simple-websocket speaks the protocol, and pings in a thread of its own; messages from the client are discarded.
"""

import base64
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from functools import partial, wraps
from socket import SHUT_RDWR
from threading import Lock, Thread
from typing import Any, NoReturn

from flask import Response, request
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import LocalProtocolError

from gateway.events.subscription import UNAVAILABLE, StreamUpdate, body_of
from gateway.http.access_log import Environ
from gateway.http.blueprint import encode
from gateway.http.client import CLIENT, Client
from gateway.http.errors import ApiError
from models.representations import event_body

PROTOCOL = "payments"
BEARER = "bearer."
"""Browsers cannot send Authorization with a WebSocket: they offer two subprotocols, ours and this with the token."""

VERSION = "13"
KEY_BYTES = 16

UPGRADE_HEADERS = {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket", "HTTP_SEC_WEBSOCKET_VERSION": VERSION}
COPIED_HEADERS = ("HTTP_HOST", "HTTP_SEC_WEBSOCKET_KEY")
"""The handshake's headers: those with fixed values once `require_upgrade` passed, and those copied from the request.

No extension of the protocol is negotiated: each compressor takes memory.
"""

MESSAGE_BYTES_MAX = 1024
"""Clients send nothing but pongs."""

PING_SECONDS = 20.0
"""A client that does not answer a ping before the next one is disconnected."""

SEND_SECONDS_MAX = 10.0
"""A client that reads more slowly is disconnected."""

CLOSE_SECONDS_MAX = 2.0
"""The time to wait for the client's close frame."""

FINAL = 1000
GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013
TOKEN_ENDED = 4401

DISCONNECTED = (ConnectionClosed, LocalProtocolError, OSError)
"""Raised on a connection that is closed, or is being closed by its own thread."""


class SendAllSocket:
    """A socket whose `send` sends all of the data, or raises OSError after SEND_SECONDS_MAX."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._lock = Lock()
        socket.settimeout(SEND_SECONDS_MAX)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: bytes) -> None:
        """Send all of the data, so that no pong from the ping thread gets into the middle of a message."""
        with self._lock:
            self._socket.sendall(data)


def _reader(client: Client | None, target: Callable[[], None]) -> Thread:
    """A thread that reads what the client sends, and then tells the waiter that it is gone."""

    def read() -> None:
        try:
            target()
        finally:
            if client is not None:
                client.is_gone = True

    return Thread(target=read)


class WebSocketConnection(Server):
    """A WebSocket connection to a client."""

    def __init__(self, environ: Environ) -> None:
        handshake = UPGRADE_HEADERS | {name: environ[name] for name in COPIED_HEADERS}
        client = environ.get(CLIENT)
        handshake["werkzeug.socket"] = SendAllSocket(client.take_over() if client else environ["werkzeug.socket"])
        if PROTOCOL in _names(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")):
            handshake["HTTP_SEC_WEBSOCKET_PROTOCOL"] = PROTOCOL
        super().__init__(
            handshake, [PROTOCOL], ping_interval=PING_SECONDS, max_message_size=MESSAGE_BYTES_MAX,
            thread_class=partial(_reader, client),
        )  # fmt: skip
        self.input_buffer: deque[str | bytes] = deque(maxlen=1)  # messages from the client are not read

    def send_json(self, body: dict[str, Any]) -> None:
        """Send the body as JSON; raises one of DISCONNECTED."""
        self.send(encode(body))

    def close_and_wait(self, code: int) -> None:
        """Send a close frame, wait for the client's up to CLOSE_SECONDS_MAX, and shut the socket down."""
        with suppress(*DISCONNECTED):
            self.close(code)
            self.thread.join(CLOSE_SECONDS_MAX)
        with suppress(OSError):
            self.sock.shutdown(SHUT_RDWR)  # wakes the ping thread, should it still read
        self.thread.join(CLOSE_SECONDS_MAX)
        self.sock.close()


class WebSocketResponse(Response):
    """A response that takes over the connection, and sends the current state and then each event."""

    def __init__(self, kind: str, first: StreamUpdate, updates: Generator[StreamUpdate]) -> None:
        super().__init__(status=101)
        self._kind, self._first, self._updates = kind, first, updates

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> NoReturn:
        """Send until the end; raises what tells the WSGI server that the connection is no longer its own."""
        with closing(self._updates):
            start_response("101 SWITCHING PROTOCOLS", [])  # for the access log; simple-websocket does the handshake
            connection, code = WebSocketConnection(environ), GOING_AWAY
            try:
                code = self._send_all(connection)
            finally:
                connection.close_and_wait(code)
        raise ConnectionError("the connection is no longer the server's own")

    def _send_all(self, connection: WebSocketConnection) -> int:
        """Send everything; the status code to close the connection with."""
        caller, subject, _ = self._first
        try:
            connection.send_json({"type": self._kind, "data": body_of(subject, caller)})
            for caller, subject, events in self._updates:
                body = body_of(subject, caller) if events else {}
                for event in events:
                    connection.send_json(event_body(event, body))
                if not connection.connected:
                    return GOING_AWAY
        except ApiError:
            return TOKEN_ENDED
        except UNAVAILABLE:
            return TRY_AGAIN_LATER
        except DISCONNECTED:
            return GOING_AWAY
        return GOING_AWAY if subject.finalized_at is None else FINAL


def accepts_token_subprotocol(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: also accept a bearer token as subprotocol. Place it directly under the route."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        offered = _names(request.headers.get("Sec-WebSocket-Protocol", ""))
        tokens = [name.removeprefix(BEARER) for name in offered if name.startswith(BEARER)]
        if "Authorization" not in request.headers and PROTOCOL in offered and len(tokens) == 1:
            request.environ["HTTP_AUTHORIZATION"] = f"Bearer {tokens[0]}"
        return view(*args, **kwargs)

    return wrapper


def require_allowed_origin(allowed: Iterable[str]) -> None:
    """Refuse pages of an origin that is neither ours nor allowed; raises ApiError."""
    origin = request.headers.get("Origin")
    origins = {f"{scheme}://{request.host}" for scheme in ("http", "https")}.union(allowed)
    if origin is not None and origin.lower() not in {name.lower() for name in origins}:
        raise ApiError("origin_not_allowed", "Pages of this origin may not open a WebSocket here.")


def require_upgrade() -> None:
    """Refuse a request that is not a WebSocket upgrade by RFC 6455; raises ApiError."""
    headers = request.headers
    is_upgrade = (
        (request.method, request.environ["SERVER_PROTOCOL"]) == ("GET", "HTTP/1.1")
        and "upgrade" in _names(headers.get("Connection", "").lower())
        and headers.get("Upgrade", "").lower() == "websocket"
    )
    if not is_upgrade or headers.get("Sec-WebSocket-Version") != VERSION:
        needed = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": VERSION}
        raise ApiError("upgrade_required", "Send an upgrade to WebSocket version 13.", headers=needed)
    try:
        is_key = len(base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)) == KEY_BYTES
    except ValueError:
        is_key = False
    if not is_key:
        raise ApiError("bad_request", "Sec-WebSocket-Key must be 16 bytes in Base64.")


def _names(header: str) -> list[str]:
    return [name.strip() for name in header.split(",")]
