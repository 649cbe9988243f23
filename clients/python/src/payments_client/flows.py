"""What the clients do, without input or output: each flow yields steps, and a client takes them, blocking or not.

So retries, pages, waits, streams and uploads are written once for both clients. A flow tells its results as `Item`s.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple, TypeVar

from payments_client.errors import NoAnswer, ResponseError
from payments_client.requests import Request, Response

T = TypeVar("T")


class Send(NamedTuple):
    """Send the request and read the whole response; the result is the `Response`, or NoAnswer is raised."""

    request: Request
    seconds: float


class Open(NamedTuple):
    """The same, but a response that is a success is left to be read by lines."""

    request: Request
    seconds: float


class ReadLine(NamedTuple):
    """Read a line of the open response; the result is the line, or None at the end."""


class Sleep(NamedTuple):
    """Let this time pass."""

    seconds: float


class Item(NamedTuple):
    """Hand this to the caller."""

    value: Any


Step = Send | Open | ReadLine | Sleep | Item
Flow = Generator[Step, Any, T]

RETRIED = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed; never 409 and 422, which say no."""

PAUSE_SECONDS = 0.25
PAUSE_SECONDS_MAX = 8.0
"""The first pause is drawn from up to PAUSE_SECONDS, each further one from up to twice as long."""

ATTEMPT_SECONDS_MIN = 0.001
"""However little time a call has, it is sent once."""

NO_CONTENT = 204
SILENCE_SECONDS_MAX = 45.0
"""An event stream sends a comment every 15 s: after three that did not come the connection is dead."""


@dataclass(frozen=True)
class Policy:
    """How long a call may take in all, and how often it is tried again."""

    timeout: float = 30.0
    retries: float = 2

    def pause(self, request: Request, attempt: int, failure: NoAnswer | ResponseError) -> float | None:
        """The seconds before the next attempt, counted from 0; None if there is none."""
        if attempt >= self.retries or not request.is_repeatable:
            return None
        if isinstance(failure, NoAnswer):
            return _jitter(attempt)
        if failure.status not in RETRIED:
            return None
        wanted = failure.headers.get("retry-after", "")
        return float(wanted) if wanted.isdecimal() else _jitter(attempt)


FOR_EVER = Policy(math.inf, math.inf)


def _jitter(attempt: int) -> float:
    ceiling = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS * 2 ** min(attempt, 10))
    return random.uniform(0, ceiling)  # noqa: S311  spreads load, keeps no secret


def send(request: Request, policy: Policy, step: type[Send] | type[Open] = Send) -> Flow[Response]:
    """The successful response; tried again as the policy says, within one total time. Raises the last error."""
    deadline = time.monotonic() + policy.timeout + request.wait
    for attempt in count():
        left = max(deadline - time.monotonic(), ATTEMPT_SECONDS_MIN)
        failure: NoAnswer | ResponseError
        try:
            response: Response = yield step(request, left)
            return response.checked(request)
        except ResponseError as refused:
            failure = refused
        except NoAnswer as lost:
            failure = lost
        failure.idempotency_key = request.idempotency_key
        pause = policy.pause(request, attempt, failure)
        if pause is None or time.monotonic() + pause >= deadline:
            raise failure
        yield Sleep(pause)
    raise AssertionError  # the count has no end


def finishing(flow: Flow[T]) -> Flow[None]:
    """The flow with its result as its last item."""
    result = yield from flow
    yield Item(result)


def rows(request: Request, policy: Policy, make: Callable[[Any], Any]) -> Flow[None]:
    """The objects of an answer of JSON Lines, one by one; raises NoAnswer if it breaks off."""
    yield from send(request, policy, Open)
    while (line := (yield ReadLine())) is not None:
        yield Item(make(json.loads(line)))


class ServerEvent(NamedTuple):
    """An event of a stream: its id, from which to read on, and its data."""

    id: str
    data: dict[str, Any]


def stream(
    request: Request,
    policy: Policy,
    make: Callable[[ServerEvent], Any],
    *,
    is_last: Callable[[Any], bool] = lambda _: False,
    seconds: float = math.inf,
) -> Flow[Any]:
    """The events of a stream, each as `make` has it; opened again where it broke off, until the server says: no more.

    Returns the event that is the last one wanted, or None if the time is over, or no more come.
    """
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        response = yield from send(request, replace(policy, timeout=min(policy.timeout, left)), Open)
        if response.status == NO_CONTENT:
            return None
        with suppress(NoAnswer):
            id, data = "", list[str]()
            while time.monotonic() < deadline and (line := (yield ReadLine())) is not None:
                name, _, value = line.partition(":")
                if name == "id":
                    id = value.removeprefix(" ")
                elif name == "data":
                    data.append(value.removeprefix(" "))
                elif not line and data:
                    request = replace(request, headers={**request.headers, "Last-Event-ID": id})
                    event = make(ServerEvent(id, json.loads("\n".join(data))))
                    data = []
                    yield Item(event)
                    if is_last(event):
                        return event
        yield Sleep(_jitter(2))
    return None
