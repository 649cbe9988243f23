"""The gunicorn worker: an event loop that serves connections, and threads for what does not run on it."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

import uvloop
from gunicorn.workers.base import Worker as BaseWorker

from gateway.http import event_loop, open_connections
from gateway.http.access_log import Environ
from gateway.http.connection import Connection
from gateway.http.errors import ApiError
from gateway.http.incoming import IncomingRequest
from gateway.http.outgoing import WITHOUT_BODY, Headers, Response

TICK_SECONDS = 1.0
"""How often the arbiter is told that the loop is not blocked, and connections are looked through."""

LEAVE_SECONDS = 0.001
"""How long a connection is left to a process that has fewer; it may be busy."""

Runs = Callable[[Environ], bool]


class Worker(BaseWorker):
    """A process of the gateway; on shutdown it ends every wait, so that all requests are answered in time."""

    is_stopping = False

    def init_signals(self) -> None:
        """The signals of the arbiter; those that ask for the end are the loop's."""
        for name in self.SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGUSR1, self.handle_usr1)

    def run(self) -> None:
        """Serve until a signal ends it."""
        self.connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._is_accepting = False
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._runs_on_loop: Runs = self.wsgi.extensions["runs_on_loop"]
        self._threads = ThreadPoolExecutor(self.cfg.worker_connections, "request")
        self.loop.set_default_executor(self._threads)
        self.ended = ended = asyncio.Event()
        self._handle_signals()
        while not ended.is_set() and self.ppid == os.getppid():
            await self._start_accepting()
            await event_loop.is_done_within(ended.wait(), TICK_SECONDS)
            self._tick()
        await self._stop()

    def _handle_signals(self) -> None:
        self.loop.add_signal_handler(signal.SIGTERM, self.ended.set)
        for number in (signal.SIGINT, signal.SIGQUIT):
            self.loop.add_signal_handler(number, self._end_at_once)

    def _end_at_once(self) -> None:
        for connection in list(self.connections):
            connection.drop()
        self.ended.set()

    async def _start_accepting(self) -> None:
        """Accept connections, unless there are as many as may be; from then on further ones wait in the socket."""
        if self._is_accepting or len(self.connections) >= self.cfg.worker_connections:
            return
        self._is_accepting = True
        self._tell()
        for listener in self.sockets:
            if self.cfg.workers > 1:
                self.loop.add_reader(listener.sock, self._accept, listener.sock)
            else:  # costs less for each connection
                copy = listener.sock.dup()  # which the server closes
                self._servers.append(
                    await self.loop.create_server(partial(Connection, self), sock=copy, backlog=self.cfg.backlog)
                )

    def _stop_accepting(self) -> None:
        if not self._is_accepting:  # the sockets may be closed
            return
        self._is_accepting = False
        for listener in self.sockets:
            self.loop.remove_reader(listener.sock)
        while self._servers:
            self._servers.pop().close()

    def _accept(self, listener: socket.socket) -> None:
        """Take a connection, one a turn of the loop; a process with fewer has a moment to take it first."""
        if open_connections.has_fewest(self.age):
            self._take(listener)
        else:
            self.loop.remove_reader(listener)
            self.loop.call_later(LEAVE_SECONDS, self._accept_what_is_left, listener)

    def _accept_what_is_left(self, listener: socket.socket) -> None:
        if self._is_accepting:
            self._take(listener)
        if self._is_accepting:
            self.loop.add_reader(listener, self._accept, listener)

    def _take(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionError):  # another process took it, or it has ended
            return
        except OSError:  # no descriptor is left: the next tick tries again
            self._stop_accepting()
            return
        self._opening = self.loop.create_task(self._open(client))

    async def _open(self, client: socket.socket) -> None:
        await self.loop.connect_accepted_socket(partial(Connection, self), client)

    def opened(self, connection: Connection) -> None:
        """See connection.Server. Above the limit, further ones wait in the listening socket."""
        self.connections.add(connection)
        self._tell()
        if len(self.connections) >= self.cfg.worker_connections:
            self._stop_accepting()

    def closed(self, connection: Connection) -> None:
        """See connection.Server."""
        self.connections.discard(connection)
        self._tell()

    def _tell(self) -> None:
        if not self.is_stopping:
            open_connections.tell(self.age, len(self.connections))

    async def _stop(self) -> None:
        """Answer what was requested, as fast as can be; who connects from now on is refused at once."""
        self.is_stopping = True
        self._stop_accepting()
        open_connections.forget(self.age)
        for client in self._last_clients():
            await self._open(client)
        await asyncio.sleep(0.02)  # those just accepted become connections
        self.wsgi.extensions["gateway"].waiters.close()
        while self.connections:
            for connection in list(self.connections):
                connection.stop()
            await asyncio.sleep(0.02)
            self._tick()

    def _last_clients(self) -> list[socket.socket]:
        """Close the listening sockets; returns those that had connected already: the kernel would reset them."""
        clients = []
        for listener in self.sockets:
            with suppress(OSError):  # no more of them, or no descriptor for more
                while True:
                    clients.append(listener.sock.accept()[0])
            listener.sock.close()
        return clients

    def _tick(self) -> None:
        self.notify()
        for connection in list(self.connections):
            connection.expire(self.loop.time())

    async def respond(self, request: IncomingRequest, connection: Connection) -> Response | None:
        """See connection.Server."""
        try:
            if self._runs_on_loop(request.environ):
                return await event_loop.run(self._respond, request, connection)
            return await self._in_thread(request, connection)
        except ConnectionError:  # of the client
            request.keeps_alive = False
            return None
        except Exception:
            self.log.exception("a request failed outside the application")
            if request.is_answered:  # a second head would corrupt the first answer
                request.keeps_alive = False
                return None
            request.fail(ApiError("internal_error", "Something went wrong on our side."))
            return await self._in_thread(request, connection)

    async def _in_thread(self, request: IncomingRequest, connection: Connection) -> Response | None:
        return await self.loop.run_in_executor(None, Context().run, self._respond, request, connection)

    def _respond(self, request: IncomingRequest, connection: Connection) -> Response | None:
        head: list[Any] = []

        def start_response(status: str, headers: Headers, _error: object = None) -> None:
            head[:] = status, headers

        pieces = self.wsgi(request.environ, start_response)
        try:
            status, headers = head
            is_stream = not (any(name == "Content-Length" for name, _ in headers) or status.startswith(WITHOUT_BODY))
            if is_stream and event_loop.is_on_loop():
                raise RuntimeError("a stream on the event loop would hold up all others")
            if not is_stream:
                return Response(status, headers, b"".join(pieces))
            connection.send_stream(request, status, headers, pieces)
            return None
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
