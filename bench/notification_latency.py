"""Ways to learn how a payment ended, timed from sending its POST until the client knows: one epoll, one process.

As the load generator does, it prepares nothing that can be prepared, and reads of an answer only what it must.
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
"""What is answered of a payment that may have not ended yet."""


class Way(NamedTuple):
    """What is sent with the order, and what is asked until the end is known; `status` is how that is answered."""

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


class Told(NamedTuple):
    """A whole answer: when it told what it has to tell, and whether that was the end."""

    status: int
    head: bytes
    at: float
    is_final: bool


class Line:
    """A keep-alive connection that is opened again if the server closed it after an answer."""

    def __init__(self, address: tuple[str, int], poll: selectors.BaseSelector) -> None:
        self.address = address
        self.poll = poll
        self.which = 0
        self.begun = 0.0
        self.id = ""
        self._received = b""
        self._told_at: float | None = None
        self._open()

    def send(self, request: bytes) -> None:
        """Send a request, which always fits the empty socket buffer."""
        if self.sock.send(request) != len(request):
            raise LoadError("a request did not fit the socket buffer")

    def receive(self) -> Told | None:
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
        if is_stream and self._told_at is None and FINAL_EVENT.search(received, end):
            self._told_at = time.time()
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
        if is_stream and self._told_at is None:
            raise LoadError("a stream ended before its payment did")
        told = Told(int(head[9:12]), received[:end], self._told_at or time.time(), b"\r\nretry-after:" not in head)
        self._received, self._told_at = b"", None
        if not piece or b"\r\nconnection: close" in head:
            self.close()
            self._open()
        return told

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
    """The outcome of `plan` whose orders are each followed to their end, in the load's process; raises LoadError.

    `tokens` run beside the orders. `answered` is when the end was known. With a rate, `connections` is the most that
    are opened, when they are needed.
    """
    return load.process().submit(follow, plan, WAYS[way], tokens).result()


def follow(plan: Plan, way: Way, tokens: list[str]) -> Outcome:
    """Order, follow, and record until the window has closed and every payment's end is known."""
    load.allow_files()
    begun = time.time()
    outcome = Outcome(opened=begun + plan.warm_up, closed=begun + plan.warm_up + plan.seconds)
    run_name = b"%08x" % (time.time_ns() // 1_000_000 & 0xFFFFFFFF)
    idle: deque[Line] = deque()
    resting: list[tuple[float, int, Line, bytes]] = []
    turns = count()
    opened = number = 0
    with ExitStack() as at_end:
        poll = at_end.enter_context(selectors.DefaultSelector())
        while True:
            now = time.time()
            due = begun + number / plan.rate if plan.rate else now
            while due <= now < outcome.closed and (idle or opened < plan.connections):
                if not idle:
                    idle.append(line := Line(plan.address, poll))
                    at_end.callback(line.close)
                    opened += 1
                line = idle.popleft()
                line.begun, line.which = due, number % len(plan.requests)
                line.send(plan.requests[line.which].replace(SERIAL, run_name + b"%08d" % number))
                number += 1
                due = begun + number / plan.rate if plan.rate else now
            while resting and resting[0][0] <= now:
                _, _, line, request = heapq.heappop(resting)
                line.send(request)
            if now >= outcome.closed and len(idle) == opened:
                return outcome
            moments = [resting[0][0]] if resting else []
            if now < outcome.closed and (idle or opened < plan.connections):
                moments.append(due)
            ready = poll.select(max(0.0, min(moments) - now) if moments else ANSWER_SECONDS_MAX)
            if not ready and not moments:
                raise LoadError(f"no answer within {ANSWER_SECONDS_MAX:.0f} s")
            for key, _ in ready:
                line = key.data
                told = line.receive()
                if told is None:
                    continue
                at = told.head.find(LOCATION)
                if at > 0:
                    line.id = told.head[at + len(LOCATION) : at + len(LOCATION) + UUID_LENGTH].decode()
                if told.is_final or told.status not in GOES_ON:
                    record(outcome, line, told)
                    idle.append(line)
                    continue
                request = load.get(f"/v1/payments/{line.id}{way.path}", tokens[line.which], *way.headers)
                heapq.heappush(resting, (told.at + way.pause_seconds, next(turns), line, request))


def record(outcome: Outcome, line: Line, told: Told) -> None:
    """Record one payment whose end is known, or that was refused."""
    outcome.statuses[told.status] += 1
    outcome.which.append(line.which)
    outcome.status.append(told.status)
    outcome.sent.append(line.begun)
    outcome.answered.append(told.at)
    outcome.ids.append(line.id)
