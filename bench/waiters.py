"""A thousand waiting clients, held open by one process at little cost: long polls, event streams or WebSockets."""

import multiprocessing
import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, RejectConnection, Request

from bench import load
from bench.load import RECEIVE_BYTES, LoadError
from bench.notification_latency import FINAL_EVENT

OPEN_SECONDS_MAX = 300.0
HELD_SECONDS_MAX = 1200.0
"""Time limit of the waiters, longer than any measurement."""

HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\n\r\n", re.DOTALL)

Payment = tuple[str, str]
"""The id of an awaited payment, and the token of its waiter."""


class LongPoll:
    """GETs with Prefer: wait=30, sent again until one tells the end; nothing tells that the first is held."""

    def __init__(self, payment: Payment) -> None:
        self.request = load.get(f"/v1/payments/{payment[0]}", payment[1], "Prefer: wait=30")
        self.is_greeted = True
        self.is_over = False
        self._received = b""

    def receive(self, piece: bytes) -> bytes:
        """Handle received data; returns the bytes to send."""
        self._received += piece
        head, _, body = self._received.partition(b"\r\n\r\n")
        if not body or len(body) < load.content_length(head):
            return b""
        expect(head + b"\r\n\r\n", 200)
        self._received = b""
        self.is_over = b"\r\nretry-after:" not in head.lower()
        return b"" if self.is_over else self.request


class EventStream:
    """Server-sent events; the first greets."""

    def __init__(self, payment: Payment) -> None:
        self.request = load.get(f"/v1/payments/{payment[0]}/events", payment[1], "Accept: text/event-stream")
        self.is_greeted = False
        self.is_over = False
        self._received = b""

    def receive(self, piece: bytes) -> bytes:
        """Handle received data; returns the bytes to send: none."""
        self._received += piece
        if not self.is_greeted and b"\r\n\r\n" in self._received:
            expect(self._received, 200)
            self.is_greeted = True
        self.is_over = FINAL_EVENT.search(self._received) is not None
        return b""


class WebSocket:
    """A WebSocket; the first message greets, and the server closes it after the last."""

    def __init__(self, payment: Payment) -> None:
        self._protocol = WSConnection(ConnectionType.CLIENT)
        token = [(b"Authorization", f"Bearer {payment[1]}".encode())]
        self.request = self._protocol.send(
            Request("localhost", f"/v1/payments/{payment[0]}/socket", extra_headers=token)
        )
        self.is_greeted = False
        self.is_over = False

    def receive(self, piece: bytes) -> bytes:
        """Handle received data; returns the bytes to send."""
        self._protocol.receive_data(piece or None)
        answer = b""
        for event in self._protocol.events():
            match event:
                case RejectConnection():
                    raise LoadError(f"a WebSocket was answered {event.status_code}")
                case Message():
                    self.is_greeted = True
                case Ping():
                    answer += self._protocol.send(event.response())
                case CloseConnection():
                    self.is_over = event.code == 1000
                    answer += self._protocol.send(event.response())
                case AcceptConnection():
                    pass
        return answer


KINDS = {"polls": LongPoll, "streams": EventStream, "sockets": WebSocket}


class Waiters:
    """The waiters held open by another process."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def wait_open(self) -> None:
        """Return when all have been greeted; raises LoadError."""
        self._receive(OPEN_SECONDS_MAX)

    def ended(self) -> dict[str, float]:
        """When each payment's end was known, once that of all is, in seconds of the epoch; raises LoadError."""
        return self._receive(OPEN_SECONDS_MAX)

    def are_held(self) -> bool:
        """True if none has failed and not all have ended."""
        return not self._pipe.poll()

    def _receive(self, seconds: float) -> dict[str, float]:
        if not self._pipe.poll(seconds):
            raise LoadError(f"the waiters were silent for {seconds:.0f} s")
        try:
            received = self._pipe.recv()
        except EOFError:
            raise LoadError("the waiters' process ended") from None
        if isinstance(received, str):
            raise LoadError(received)
        return received


@contextmanager
def held(address: tuple[str, int], kind: str, payments: Sequence[Payment]) -> Iterator[Waiters]:
    """One waiter for each payment, until all payments are final or the block ends."""
    context = multiprocessing.get_context("spawn")
    pipe, child_pipe = context.Pipe()
    process = context.Process(target=hold, args=(address, kind, list(payments), child_pipe), daemon=True)
    process.start()
    child_pipe.close()
    try:
        yield Waiters(pipe)
    finally:
        process.terminate()
        process.join()
        pipe.close()


def hold(address: tuple[str, int], kind: str, payments: Sequence[Payment], pipe: Pipe) -> None:
    """Open a connection for each; send the time when all are greeted, then when each ended, or an error as text."""
    try:
        pipe.send(wait(address, kind, payments, pipe))
    except (LoadError, OSError) as error:
        pipe.send(f"a waiter ({kind}) failed: {error}")


def wait(address: tuple[str, int], kind: str, payments: Sequence[Payment], pipe: Pipe) -> dict[str, float]:
    """The time at which each ended."""
    load.allow_files()
    deadline = time.monotonic() + HELD_SECONDS_MAX
    ended: dict[str, float] = {}
    with selectors.DefaultSelector() as poll:
        for payment in payments:
            sock = socket.create_connection(address, timeout=OPEN_SECONDS_MAX)
            waiter = KINDS[kind](payment)
            sock.sendall(waiter.request)
            sock.setblocking(False)
            poll.register(sock, selectors.EVENT_READ, (payment[0], waiter))
        strangers = {id for id, waiter in (key.data for key in poll.get_map().values()) if not waiter.is_greeted}
        is_reported = False
        while len(ended) < len(payments):
            if not strangers and not is_reported:
                pipe.send({})
                is_reported = True
            if time.monotonic() > deadline:
                raise LoadError(f"{len(payments) - len(ended)} did not end within {HELD_SECONDS_MAX:.0f} s")
            for key, _ in poll.select(1.0):
                id, waiter = key.data
                piece = key.fileobj.recv(RECEIVE_BYTES)
                answer = waiter.receive(piece)
                if answer:
                    key.fileobj.sendall(answer)
                if waiter.is_greeted:
                    strangers.discard(id)
                if waiter.is_over:
                    ended[id] = time.time()
                    poll.unregister(key.fileobj)
                    key.fileobj.close()
                elif not piece:
                    raise LoadError("the server closed a connection")
    return ended


def expect(answer: bytes, status: int) -> None:
    """Raise LoadError for another status."""
    head = HEAD.match(answer)
    if head is None or int(head[1]) != status:
        raise LoadError(f"answered {head[1].decode() if head else answer[:80]!r}")
