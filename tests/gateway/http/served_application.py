"""Any WSGI application, served by the gateway's own server in a thread of the tests."""

import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from types import SimpleNamespace
from typing import Any

from gateway.http.access_log import Environ
from gateway.http.gunicorn_worker import Worker

PATIENCE_SECONDS = 60
Application = Callable[..., Iterable[bytes]]
Start = Callable[..., object]

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


_ages = count(1)


class ServedWorker(Worker):
    """A worker without gunicorn's arbiter; several may have one listening socket."""

    def __init__(
        self, application: Application, connections_max: int, *, on_loop: bool, listener: socket.socket | None = None
    ) -> None:
        self.age = next(_ages)
        self.cfg = SimpleNamespace(worker_connections=connections_max, backlog=100, workers=2 if listener else 1)
        self.log, self.ppid, self.notify = logging.getLogger("worker"), os.getppid(), lambda: None
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.sockets = [SimpleNamespace(sock=self.listener)]
        waiters = SimpleNamespace(close=lambda: None)
        self.wsgi = _Called(application)
        self.wsgi.extensions = {"gateway": SimpleNamespace(waiters=waiters), "runs_on_loop": lambda _: on_loop}
        self.is_up = threading.Event()

    def _handle_signals(self) -> None:
        self.is_up.set()

    @property
    def address(self) -> tuple[str, int]:
        return self.listener.getsockname()

    def end(self) -> None:
        """As SIGTERM does."""
        self.loop.call_soon_threadsafe(self.ended.set)

    def end_at_once(self) -> None:
        """As SIGQUIT does."""
        self.loop.call_soon_threadsafe(self._end_at_once)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, PATIENCE_SECONDS)

    def say(self, text: bytes) -> bytes:
        """All that is answered to these bytes, until the server closes the connection."""
        with self.connect() as line:
            line.sendall(text)
            return received(line)


class _Called:
    extensions: dict[str, Any]

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        return self._application(environ, start_response)


@contextmanager
def served(
    application: Application,
    connections_max: int = 100,
    *,
    on_loop: bool = False,
    listener: socket.socket | None = None,
) -> Iterator[ServedWorker]:
    """Serve the application until the end of the block."""
    worker = ServedWorker(application, connections_max, on_loop=on_loop, listener=listener)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    try:
        assert worker.is_up.wait(PATIENCE_SECONDS)
        yield worker
    finally:
        with suppress(RuntimeError):
            worker.end()
        thread.join(PATIENCE_SECONDS)
        worker.listener.close()
    assert not thread.is_alive()


def received(line: socket.socket) -> bytes:
    """What arrives until the end."""
    answer = b""
    with suppress(ConnectionError):
        while piece := line.recv(65_536):
            answer += piece
    return answer


def heads(raw: bytes) -> list[bytes]:
    """The status lines."""
    return re.findall(rb"HTTP/1.1 \d+ [A-Z ]+", raw)


def answered(text: bytes) -> Application:
    """An application that answers everything with this text."""

    def application(environ: Environ, start_response: Callable[..., object]) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]

    return application


def stream(pieces: Iterable[bytes]) -> Application:
    """An application that answers with these pieces, whose length it does not tell."""

    def application(_environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return pieces

    return application
