"""The load generator: keep-alive connections on raw sockets and one epoll, in a process of its own.

It shares the machine with what it measures, so it prepares nothing while the clock runs and reads of an
answer only its status, its length and the payment's id in Location.
"""

import multiprocessing
import resource
import selectors
import socket
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache

SERIAL = b"<serial-number!>"
"""The placeholder in a request for a unique number of the same length, so that Content-Length stays right."""

ANSWER_SECONDS_MAX = 120.0
"""Time limit of an answer: above it the run is invalid."""

RECEIVE_BYTES = 65_536
LOCATION = b"/v1/payments/"
UUID_LENGTH = 36


class LoadError(RuntimeError):
    """The server closed a connection, or left a request without an answer."""


@dataclass(frozen=True)
class Plan:
    """A run: requests to (host, port), the number of connections, and the duration.

    The requests are sent in turn, from the first again after the last. Without `rate` each connection sends
    as soon as it is answered; with it (requests a second) they are sent on time, whether or not answers came
    (as far as a connection is free: time spent waiting for one counts as latency). What is answered within
    the first `warm_up` seconds is kept, but is outside the window.
    """

    address: tuple[str, int]
    requests: list[bytes]
    connections: int
    seconds: float
    warm_up: float = 1.0
    rate: float | None = None


@dataclass
class Outcome:
    """The requests and answers of a run; arrays and `ids` are parallel, times in seconds of the epoch."""

    opened: float = 0.0
    closed: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    which: array = field(default_factory=lambda: array("l"))
    status: array = field(default_factory=lambda: array("h"))
    sent: array = field(default_factory=lambda: array("d"))
    answered: array = field(default_factory=lambda: array("d"))
    ids: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def in_window(self) -> list[int]:
        """Positions of the answers within the window."""
        return [n for n, at in enumerate(self.answered) if self.opened <= at < self.closed]

    def latencies(self) -> list[float]:
        """Seconds from sending to the answer, of the answers within the window."""
        return [self.answered[n] - self.sent[n] for n in self.in_window()]

    def per_second(self) -> float:
        """Answers per second within the window."""
        return len(self.in_window()) / (self.closed - self.opened)


@cache
def process() -> ProcessPoolExecutor:
    """The process that generates all load; kept, because starting it takes longer than a short run."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def generate(plan: Plan) -> Outcome:
    """The outcome of `plan`, run in the load's process; raises LoadError."""
    return process().submit(run, plan).result()


class Connection:
    """One keep-alive connection with at most one request in flight."""

    __slots__ = ("received", "sent", "sock", "which")

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address, timeout=ANSWER_SECONDS_MAX)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.received = b""
        self.sent = 0.0
        self.which = 0

    def send(self, request: bytes, which: int, at: float) -> None:
        """Send one request, which always fits the empty socket buffer."""
        self.sent, self.which = at, which
        if self.sock.send(request) != len(request):
            raise LoadError("a request did not fit the socket buffer")

    def answer(self) -> tuple[int, bytes] | None:
        """Return (status, head) once the answer is complete, else None."""
        piece = self.sock.recv(RECEIVE_BYTES)
        if not piece:
            raise LoadError("the server closed a connection")
        self.received = data = self.received + piece if self.received else piece
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = data[:end]
        if len(data) < end + 4 + content_length(head):
            return None
        self.received = b""
        return int(head[9:12]), head


def content_length(head: bytes) -> int:
    """Length of the body after `head`, in bytes; raises LoadError if `head` does not state it."""
    at = head.find(b"Content-Length: ")
    if at < 0:
        at = head.lower().find(b"content-length: ")
    if at < 0:
        raise LoadError("an answer without Content-Length")
    stop = head.find(b"\r", at)
    return int(head[at + 16 : stop if stop > 0 else None])


def allow_files() -> None:
    """Raise the limit of open files to the hard limit: the usual soft limit of 1,024 is too low for some runs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(plan: Plan) -> Outcome:
    """Send, and record until the window has closed and every request is answered; raises LoadError."""
    allow_files()
    with ExitStack() as at_end:
        poll = at_end.enter_context(selectors.DefaultSelector())
        idle: deque[Connection] = deque()
        for _ in range(plan.connections):
            connection = Connection(plan.address)
            at_end.callback(connection.sock.close)
            poll.register(connection.sock, selectors.EVENT_READ, connection)
            idle.append(connection)
        begun = time.process_time()
        outcome = exchange(plan, poll, idle)
        outcome.cpu_seconds = time.process_time() - begun
        return outcome


def exchange(plan: Plan, poll: selectors.BaseSelector, idle: deque[Connection]) -> Outcome:
    """The loop itself: send on idle connections what is due, then take the answers that have come."""
    begun = time.time()
    outcome = Outcome(opened=begun + plan.warm_up, closed=begun + plan.warm_up + plan.seconds)
    run_name = b"%08x" % (time.time_ns() // 1_000_000 & 0xFFFFFFFF)
    count = len(plan.requests)
    number = 0
    while True:
        now = time.time()
        while idle and now < outcome.closed:
            due = begun + number / plan.rate if plan.rate else now
            if due > now:
                break
            request = plan.requests[number % count].replace(SERIAL, run_name + b"%08d" % number)
            idle.popleft().send(request, number % count, due)
            number += 1
        if now >= outcome.closed and len(idle) == plan.connections:
            return outcome
        due = begun + number / plan.rate if plan.rate and idle and now < outcome.closed else None
        ready = poll.select(ANSWER_SECONDS_MAX if due is None else max(0.0, due - now))
        if not ready and due is None:
            raise LoadError(f"no answer within {ANSWER_SECONDS_MAX:.0f} s")
        for key, _ in ready:
            connection = key.data
            answer = connection.answer()
            if answer is not None:
                record(outcome, connection, *answer)
                idle.append(connection)


def record(outcome: Outcome, connection: Connection, status: int, head: bytes) -> None:
    """Record one answer."""
    outcome.statuses[status] += 1
    outcome.which.append(connection.which)
    outcome.status.append(status)
    outcome.sent.append(connection.sent)
    outcome.answered.append(time.time())
    at = head.find(LOCATION)
    outcome.ids.append(head[at + len(LOCATION) : at + len(LOCATION) + UUID_LENGTH].decode() if at > 0 else "")


def post(path: str, token: str, body: bytes, *more: str) -> bytes:
    """The bytes of a POST of JSON with bearer token, an idempotency key to be filled in at SERIAL, and more headers."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {SERIAL.decode()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{lines(more)}\r\n"
    ).encode() + body


def get(path: str, token: str, *more: str) -> bytes:
    """The bytes of a GET with bearer token, and more headers."""
    return (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{lines(more)}\r\n").encode()


def lines(headers: Iterable[str]) -> str:
    """Headers as they stand in a request."""
    return "".join(f"{header}\r\n" for header in headers)
