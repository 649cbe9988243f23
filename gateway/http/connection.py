"""A client's connection to the served gateway: HTTP/1.1, one answer after the other, in the order of the requests."""

import asyncio
import io
import os
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Protocol

from gateway.http.client import CLIENT
from gateway.http.errors import ApiError
from gateway.http.incoming import BodyStream, IncomingRequest, MalformedBody
from gateway.http.outgoing import Headers, Response, has_body, head
from gateway.http.request_reader import RequestReader

IDLE_SECONDS_MAX = 75.0
"""A connection without a request is closed after this time."""

RECEIVE_SECONDS_MAX = 30.0
"""The time for the head of a request, and then for a body that is read whole."""

SEND_SECONDS_MAX = 30.0
"""A client that does not read for this long is disconnected."""

LINGER_SECONDS = 2.0
LINGER_BYTES_MAX = 1024 * 1024
"""After a refusal this much of the remaining input is read, and then none, until the client closes or its time is over:
closing at once would discard the response. As long a client may send a last request when the process ends."""

QUEUED_MAX = 16
"""Requests that wait for the answer before theirs; then no more is read."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Server(Protocol):
    """What a connection needs of the process that serves it."""

    loop: asyncio.AbstractEventLoop
    is_stopping: bool

    def opened(self, connection: "Connection") -> None:
        """A client has connected."""

    def closed(self, connection: "Connection") -> None:
        """The connection has ended."""

    async def respond(self, request: IncomingRequest, connection: "Connection") -> Response | None:
        """The response; None if it was sent, or the connection was taken over."""


class Connection(asyncio.Protocol):
    """The connection. `request_begins`, `expect_body` and `answer` are for its RequestReader."""

    def __init__(self, server: Server) -> None:
        self.is_gone = self._is_lost = False
        self._server = server
        self._transport: Any = None
        self._reader = RequestReader(self)
        self._queue: deque[IncomingRequest] = deque()
        self._is_answering = False
        self._is_running = False
        """The application is answering: a client that leaves keeps its place, as the thread is not free yet."""
        self._is_refused = False
        self._linger_bytes: int | None = None
        self._is_taken_over = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._expires_at = 0.0

    # What the transport tells:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._peer, self._address = _address(transport, "peername"), _address(transport, "sockname")
        self._server.opened(self)
        self._expire_in(IDLE_SECONDS_MAX)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self._discard(len(data))
            return
        try:
            self._reader.feed(data)
        except ApiError as error:
            self._refuse(error)

    def eof_received(self) -> bool:
        """The client sends no more; it may still read what it is answered."""
        self.is_gone = True
        if self._reader.incoming is not None and self._reader.incoming.has_head:
            self._refuse(MalformedBody())
        return self._is_answering and self._linger_bytes is None

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_gone = self._is_lost = self._is_refused = True
        if not self._is_running:
            self._server.closed(self)
        self._writable.set()
        if self._reader.incoming is not None and self._reader.incoming.stream is not None:
            self._reader.incoming.stream.end(MalformedBody())

    def pause_writing(self) -> None:
        self._writable.clear()
        self._expire_in(SEND_SECONDS_MAX)

    def resume_writing(self) -> None:
        self._writable.set()
        self._expire_in(float("inf") if self._is_answering else IDLE_SECONDS_MAX)

    # What the reader of requests tells:

    def request_begins(self) -> IncomingRequest:
        """See Receiver."""
        if not self._is_answering:
            self._expire_in(RECEIVE_SECONDS_MAX)
        return IncomingRequest(self._peer[0], self._address)

    def expect_body(self, request: IncomingRequest) -> None:
        """See Receiver."""
        send_continue = partial(self._send_continue, request)
        if request.is_streamed:
            request.stream = BodyStream(self._from_thread(send_continue), self._pause, self._from_thread(self._go_on))
            request.environ["wsgi.input"] = io.BufferedReader(request.stream)
        elif not self._is_answering:
            send_continue()

    def answer(self, request: IncomingRequest) -> None:
        """See Receiver."""
        self._queue.append(request)
        if not self._is_answering:
            self._answer_next()
        elif len(self._queue) > QUEUED_MAX:
            self._pause()

    # What the process tells:

    def expire(self, now: float) -> None:
        """Close it if its time is over; called once in a while."""
        if now > self._expires_at and not self._is_taken_over:
            self.drop()

    def drop(self) -> None:
        """Close it at once, whatever is being answered."""
        self._transport.abort()

    def stop(self) -> None:
        """Let what is being answered be the last; else one more request may come soon, as the client knows nothing."""
        if not self._is_answering:
            self._expires_at = min(self._expires_at, self._server.loop.time() + LINGER_SECONDS)

    # What the application asks for, in its thread:

    def take_over(self) -> socket.socket:
        """See Client."""
        return self._in_loop(self._take_over())

    def send_stream(self, request: IncomingRequest, status: str, headers: Headers, pieces: Iterable[bytes]) -> None:
        """Send a response of unknown length as its pieces come; raises ConnectionError when the client is gone."""
        request.is_answered = True
        is_chunked = request.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        if not is_chunked:
            request.keeps_alive = False
        is_sent = has_body(request, status)
        framing = [("Transfer-Encoding", "chunked")] if is_chunked and is_sent else []
        self._in_loop(self._write(self._head(request, status, headers + framing)))
        for piece in pieces:
            if piece and is_sent:
                self._in_loop(self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece))
        if framing:
            self._in_loop(self._write(b"0\r\n\r\n"))

    def _in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._server.loop).result()

    def _from_thread(self, function: Callable[..., None]) -> Callable[..., None]:
        def call(*args: object) -> None:
            self._server.loop.call_soon_threadsafe(function, *args)

        return call

    def _answer_next(self) -> None:
        self._is_answering = True
        self._expire_in(float("inf"))
        answer = self._answer(self._queue.popleft())
        self._task = self._server.loop.create_task(answer, context=Context())

    async def _answer(self, request: IncomingRequest) -> None:
        request.environ[CLIENT] = self
        try:
            response = await self._respond(request)
            if response is not None and not self._transport.is_closing():
                self._send(request, response)
                await self._writable.wait()
        except Exception as error:
            self._server.loop.call_exception_handler({"message": "an answer failed", "exception": error})
            self.drop()
        if self._is_taken_over or self._transport.is_closing():
            self._transport.close()
        elif not request.keeps_alive:
            self._close_after(request)
        else:
            self._is_answering = False
            incoming = self._reader.incoming
            self._expire_in(IDLE_SECONDS_MAX if incoming is None else RECEIVE_SECONDS_MAX)
            if self._queue:
                self._answer_next()
            elif self.is_gone or self._server.is_stopping:
                self._transport.close()
            elif incoming is not None and incoming.has_head:
                self._send_continue(incoming)
            self._go_on()

    async def _respond(self, request: IncomingRequest) -> Response | None:
        self._is_running = True
        try:
            return await self._server.respond(request, self)
        finally:
            self._is_running = False
            if self._is_lost:
                self._server.closed(self)

    def _send(self, request: IncomingRequest, response: Response) -> None:
        begin = self._head(request, response.status, response.headers)
        self._transport.write(begin + response.body if has_body(request, response.status) else begin)

    def _refuse(self, error: ApiError) -> None:
        """Answer what cannot be parsed, after the requests before it; nothing more is parsed."""
        request, self._reader.incoming, self._is_refused = self._reader.incoming, None, True
        if request is not None and request.stream is not None:
            request.stream.end(MalformedBody(error.code))
            return
        unread = IncomingRequest(self._peer[0], self._address)
        unread.fail(error)
        self.answer(unread)

    def _close_after(self, request: IncomingRequest) -> None:
        """Close after the last answer; read what still arrives, if that was an answer before the end of a request."""
        self._queue.clear()
        self._expire_in(SEND_SECONDS_MAX)
        if request.is_complete and not self._is_refused:
            self._transport.close()
            return
        self._is_refused, self._linger_bytes = True, LINGER_BYTES_MAX
        self._expire_in(LINGER_SECONDS)
        with suppress(OSError, RuntimeError):
            self._transport.write_eof()
        if self.is_gone:
            self._transport.close()
        else:
            self._transport.resume_reading()

    def _discard(self, size: int) -> None:
        if self._linger_bytes is not None:
            self._linger_bytes -= size
            if self._linger_bytes < 0:
                self._transport.pause_reading()

    def _head(self, request: IncomingRequest, status: str, headers: Headers) -> bytes:
        """The head of the answer; decides whether it is the last one."""
        if not request.is_complete or self._server.is_stopping or ("Connection", "close") in headers:
            request.keeps_alive = False
        return head(status, headers, keeps_alive=request.keeps_alive)

    def _send_continue(self, request: IncomingRequest) -> None:
        if request.awaits_continue and not request.is_complete and not self._queue:
            self._transport.write(CONTINUE)

    def _pause(self) -> None:
        self._transport.pause_reading()

    def _go_on(self) -> None:
        if not self._transport.is_closing() and not self._is_taken_over and len(self._queue) <= QUEUED_MAX:
            self._transport.resume_reading()

    def _expire_in(self, seconds: float) -> None:
        self._expires_at = self._server.loop.time() + seconds

    async def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionError("the client has disconnected")
        self._transport.write(data)
        await self._writable.wait()

    async def _take_over(self) -> socket.socket:
        self._is_taken_over = True
        self._transport.pause_reading()
        self._transport.set_write_buffer_limits(high=0)
        await self._writable.wait()  # for the end of the answers before
        return socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))


def _address(transport: asyncio.BaseTransport, name: str) -> tuple[str, str]:
    address = transport.get_extra_info(name)
    return (address[0], str(address[1])) if isinstance(address, tuple) else ("", "")
