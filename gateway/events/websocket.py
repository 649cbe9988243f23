"""WebSockets: the upgrade, refused in the common form, and the talk on a line that the server has handed over.

simple-websocket speaks the protocol, and pings in a thread of its own; what the client says is read and forgotten.
"""

import base64
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from functools import wraps
from socket import SHUT_RDWR
from threading import Lock
from typing import Any, NoReturn

from flask import Response, request
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import LocalProtocolError

from gateway.events.subscription import UNKNOWN_SEQUENCE, StreamUpdate, body_of
from gateway.http.access_log import Environ
from gateway.http.blueprint import encode
from gateway.http.errors import ApiError
from gateway.waiting.disconnect import SOCKETS
from models.representations import event_body

PROTOCOL = "payments"
BEARER = "bearer."
"""Pages cannot send Authorization with a WebSocket: they offer two subprotocols, ours and this with the token."""

VERSION = "13"
KEY_BYTES = 16

ASKED = {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket", "HTTP_SEC_WEBSOCKET_VERSION": VERSION}
HEADERS = ("HTTP_HOST", "HTTP_SEC_WEBSOCKET_KEY")
"""What the handshake needs, once it is known to be asked for, and what of it only the request can tell.

No extension of the protocol is agreed on: each compressor takes memory.
"""

MESSAGE_BYTES_MAX = 1024
"""Nothing is expected of a client but its answers to pings."""

PING_SECONDS = 20.0
"""Who does not answer a ping before the next is gone."""

SEND_SECONDS_MAX = 10.0
"""A client that reads so slowly is left."""

CLOSE_SECONDS_MAX = 2.0
"""So long the client may take to say goodbye."""

FINAL = 1000
GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013
TOKEN_ENDED = 4401

GONE = (ConnectionClosed, LocalProtocolError, OSError)
"""What is raised on a line that has ended, or is just being ended by its own thread."""


class SendAllSocket:
    """A socket that sends all that it is given in one piece, or raises OSError after SEND_SECONDS_MAX."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._turn = Lock()
        socket.settimeout(SEND_SECONDS_MAX)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: bytes) -> None:
        """Send it all: no pong of the line's thread gets into the midst of a message."""
        with self._turn:
            self._socket.sendall(data)


class WebSocketConnection(Server):
    """A line to a client."""

    def __init__(self, environ: Environ) -> None:
        given = ASKED | {name: environ[name] for name in HEADERS}
        given |= {name: SendAllSocket(environ[name]) for name in SOCKETS if name in environ}
        if PROTOCOL in _listed(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")):
            given["HTTP_SEC_WEBSOCKET_PROTOCOL"] = PROTOCOL
        super().__init__(given, [PROTOCOL], ping_interval=PING_SECONDS, max_message_size=MESSAGE_BYTES_MAX)
        self.input_buffer: deque[str | bytes] = deque(maxlen=1)  # which nobody reads

    def tell(self, body: dict[str, Any]) -> None:
        """Send the body; raises one of GONE."""
        self.send(encode(body))

    def hang_up(self, code: int) -> None:
        """Say goodbye, wait a moment for the client to do so, and leave."""
        with suppress(*GONE):
            self.close(code)
            self.thread.join(CLOSE_SECONDS_MAX)
        with suppress(OSError):
            self.sock.shutdown(SHUT_RDWR)  # the thread, should it still read, hears of it


class WebSocketResponse(Response):
    """An answer that is a talk: takes the line, tells the state that it begins with, then what happens."""

    def __init__(self, kind: str, first: StreamUpdate, told: Generator[StreamUpdate]) -> None:
        super().__init__(status=101)
        self._kind, self._first, self._told = kind, first, told

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> NoReturn:
        """Talk until the end; raises what the server takes for the end of a line that is not its any more."""
        with closing(self._told):
            start_response("101 SWITCHING PROTOCOLS", [])  # for the access log alone: the handshake is the line's
            line, code = WebSocketConnection(environ), GOING_AWAY
            try:
                code = self._talk(line)
            finally:
                line.hang_up(code)
        raise StopIteration if line.mode == "gunicorn" else ConnectionError

    def _talk(self, line: WebSocketConnection) -> int:
        """Tell all; the code with which to hang up."""
        caller, subject, _ = self._first
        try:
            line.tell({"type": self._kind, "data": body_of(subject, caller)})
            for caller, subject, events in self._told:
                shown = body_of(subject, caller) if events else {}
                for one in events:
                    line.tell(event_body(one, shown))
                if not line.connected:
                    return GOING_AWAY
        except ApiError:
            return TOKEN_ENDED
        except UNKNOWN_SEQUENCE:
            return TRY_AGAIN_LATER
        except GONE:
            return GOING_AWAY
        return GOING_AWAY if subject.finalized_at is None else FINAL


def takes_token_of_page(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a bearer token may come as subprotocol as well. Outermost but for the route."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        offered = _listed(request.headers.get("Sec-WebSocket-Protocol", ""))
        tokens = [word.removeprefix(BEARER) for word in offered if word.startswith(BEARER)]
        if "Authorization" not in request.headers and PROTOCOL in offered and len(tokens) == 1:
            request.environ["HTTP_AUTHORIZATION"] = f"Bearer {tokens[0]}"
        return view(*args, **kwargs)

    return wrapper


def refuse_strange_origin(allowed: Iterable[str]) -> None:
    """Refuse the pages of others than ours and those allowed; raises ApiError."""
    origin = request.headers.get("Origin")
    known = {f"{scheme}://{request.host}" for scheme in ("http", "https")}.union(allowed)
    if origin is not None and origin.lower() not in {one.lower() for one in known}:
        raise ApiError("origin_not_allowed", "Pages of this origin may not open a WebSocket here.")


def refuse_other_than_upgrade() -> None:
    """Refuse what does not ask for a WebSocket, or not as RFC 6455 has it; raises ApiError."""
    asked = request.headers
    is_upgrade = (
        (request.method, request.environ["SERVER_PROTOCOL"]) == ("GET", "HTTP/1.1")
        and "upgrade" in _listed(asked.get("Connection", "").lower())
        and asked.get("Upgrade", "").lower() == "websocket"
    )
    if not is_upgrade or asked.get("Sec-WebSocket-Version") != VERSION:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": VERSION}
        raise ApiError("upgrade_required", "Ask for an upgrade to a WebSocket of version 13.", headers=headers)
    try:
        is_key = len(base64.b64decode(asked.get("Sec-WebSocket-Key", ""), validate=True)) == KEY_BYTES
    except ValueError:
        is_key = False
    if not is_key:
        raise ApiError("bad_request", "Sec-WebSocket-Key is 16 bytes in Base64.")


def _listed(header: str) -> list[str]:
    return [word.strip() for word in header.split(",")]
