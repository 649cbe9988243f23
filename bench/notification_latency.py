"""Ways to learn the outcome of a payment, timed from sending its POST: one epoll, one process.

As the load generator does, it prepares requests beforehand, and reads of an answer only what it must.
"""

import heapq
import re
import selectors
import socket
import time
from collections import deque
from contextlib import ExitStack
from itertools import count
from typing import NamedTuple

from bench import load
from bench.load import ANSWER_SECONDS_MAX, LOCATION, RECEIVE_BYTES, SERIAL, UUID_LENGTH, LoadError, Outcome, Plan

FINAL_EVENT = re.compile(rb"event: ?payment\.(completed|failed)")
GOES_ON = {200, 202}
"""The statuses of a payment that may not be final yet."""


class Way(NamedTuple):
    """The headers of the order, and the requests until the outcome is known; `status` is that of its answer."""

    title: str
    status: int
    order_headers: tuple[str, ...] = ()
    path: str = ""
    headers: tuple[str, ...] = ()
    pause_seconds: float = 0.0


WAYS = {
    "wait": Way("POST with `Prefer: wait=10`, answered 201", 201, ("Prefer: wait=10",), "", ("Prefer: wait=10",)),
    "events": Way("POST, then SSE until the final event", 200, (), "/events", ("Accept: text/event-stream",)),
    "get": Way("POST, then GET with `Prefer: wait=10`", 200, (), "", ("Prefer: wait=10",)),
    "poll": Way("POST, then a GET each second", 200, pause_seconds=1.0),
}


class Reply(NamedTuple):
    """A complete answer: the time at which its content was there, and whether that was the outcome."""

    status: int
    head: bytes
    at: float
    is_final: bool


class ReopeningConnection:
    """A keep-alive connection that is opened again if the server closed it after an answer."""

    def __init__(self, address: tuple[str, int], poll: selectors.BaseSelector) -> None:
        self.address = address
        self.poll = poll
        self.which = 0
        self.begun = 0.0
        self.id = ""
        self._received = b""
        self._content_at: float | None = None
        self._open()

    def send(self, request: bytes) -> None:
        """Send a request, which always fits the empty socket buffer."""
        if self.sock.send(request) != len(request):
            raise LoadError("a request did not fit the socket buffer")

    def receive(self) -> Reply | None:
        """Return the answer once it is complete, else None; raises LoadError."""
        piece = self.sock.recv(RECEIVE_BYTES)
        self._received = received = self._received + piece
        end = received.find(b"\r\n\r\n")
        if end < 0:
            if not piece:
                raise LoadError("the server closed a connection")
            return None
        head = received[:end].lower()
        is_stream = b"content-type: text/event-stream" in head
        if is_stream and self._content_at is None and FINAL_EVENT.search(received, end):
            self._content_at = time.time()
        if b"transfer-encoding: chunked" in head:
            is_whole = received.endswith(b"0\r\n\r\n", end + 4)
        elif is_stream:
            is_whole = not piece
        else:
            is_whole = len(received) >= end + 4 + load.content_length(head)
        if not is_whole:
            if not piece:
                raise LoadError("the server closed a connection")
            return None
        if is_stream and self._content_at is None:
            raise LoadError("a stream ended before its payment did")
        reply = Reply(int(head[9:12]), received[:end], self._content_at or time.time(), b"\r\nretry-after:" not in head)
        self._received, self._content_at = b"", None
        if not piece or b"\r\nconnection: close" in head:
            self.close()
            self._open()
        return reply

    def close(self) -> None:
        """Close it and stop watching it."""
        self.poll.unregister(self.sock)
        self.sock.close()

    def _open(self) -> None:
        self.sock = socket.create_connection(self.address, timeout=ANSWER_SECONDS_MAX)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.poll.register(self.sock, selectors.EVENT_READ, self)


def learn(plan: Plan, way: str, tokens: list[str]) -> Outcome:
    """The figures of `plan`, with each order followed to its outcome, in the load's process; raises LoadError.

    `tokens` are parallel to the orders. `answered` is when the outcome was known. With a rate, at most `connections`
    are opened, when they are needed.
    """
    return load.process().submit(follow, plan, WAYS[way], tokens).result()


def follow(plan: Plan, way: Way, tokens: list[str]) -> Outcome:
    """Order, follow, and record until the window has closed and the outcome of every payment is known."""
    load.allow_files()
    begun = time.time()
    outcome = Outcome(opened=begun + plan.warm_up, closed=begun + plan.warm_up + plan.seconds)
    run_name = b"%08x" % (time.time_ns() // 1_000_000 & 0xFFFFFFFF)
    idle: deque[ReopeningConnection] = deque()
    resting: list[tuple[float, int, ReopeningConnection, bytes]] = []
    turns = count()
    opened = number = 0
    with ExitStack() as at_end:
        poll = at_end.enter_context(selectors.DefaultSelector())
        while True:
            now = time.time()
            due = begun + number / plan.rate if plan.rate else now
            while due <= now < outcome.closed and (idle or opened < plan.connections):
                if not idle:
                    idle.append(connection := ReopeningConnection(plan.address, poll))
                    at_end.callback(connection.close)
                    opened += 1
                connection = idle.popleft()
                connection.begun, connection.which = due, number % len(plan.requests)
                connection.send(plan.requests[connection.which].replace(SERIAL, run_name + b"%08d" % number))
                number += 1
                due = begun + number / plan.rate if plan.rate else now
            while resting and resting[0][0] <= now:
                _, _, connection, request = heapq.heappop(resting)
                connection.send(request)
            if now >= outcome.closed and len(idle) == opened:
                return outcome
            moments = [resting[0][0]] if resting else []
            if now < outcome.closed and (idle or opened < plan.connections):
                moments.append(due)
            ready = poll.select(max(0.0, min(moments) - now) if moments else ANSWER_SECONDS_MAX)
            if not ready and not moments:
                raise LoadError(f"no answer within {ANSWER_SECONDS_MAX:.0f} s")
            for key, _ in ready:
                connection = key.data
                reply = connection.receive()
                if reply is None:
                    continue
                at = reply.head.find(LOCATION)
                if at > 0:
                    connection.id = reply.head[at + len(LOCATION) : at + len(LOCATION) + UUID_LENGTH].decode()
                if reply.is_final or reply.status not in GOES_ON:
                    record(outcome, connection, reply)
                    idle.append(connection)
                    continue
                request = load.get(f"/v1/payments/{connection.id}{way.path}", tokens[connection.which], *way.headers)
                heapq.heappush(resting, (reply.at + way.pause_seconds, next(turns), connection, request))


def record(outcome: Outcome, connection: ReopeningConnection, reply: Reply) -> None:
    """Record one payment whose outcome is known, or that was refused."""
    outcome.statuses[reply.status] += 1
    outcome.which.append(connection.which)
    outcome.status.append(reply.status)
    outcome.sent.append(connection.begun)
    outcome.answered.append(reply.at)
    outcome.ids.append(connection.id)
