"""GET /v1/events as an event stream: the feed, which a reader follows without asking again."""

import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from flask import Response, request

from gateway.auth.guards import authenticate, authenticate_again
from gateway.auth.tokens import Caller
from gateway.events.subscription import (
    EVENT_STREAM,
    HEARTBEAT,
    HEARTBEAT_SECONDS,
    RETRY_AFTER_SECONDS,
    RETRY_MILLISECONDS,
    SCOPE,
    STREAM_SECONDS_MAX,
    UNAVAILABLE,
    UNBUFFERED,
)
from gateway.http.access_log import Environ
from gateway.http.blueprint import encode
from gateway.http.client import CLIENT
from gateway.http.errors import ApiError
from gateway.services import Services, services

FEED_SECONDS = 2.0
"""How often a stream reads the feed: one query over the indexes of its user."""

FEED_STREAMS_MAX = 10
"""Streams of the feed that one user may have open in a process."""

Place = tuple[str, int]


class FeedPage(NamedTuple):
    """Events with the cursor of each, the place after them, and whether there are more already."""

    events: list[tuple[str, dict[str, Any]]]
    place: Place
    has_more: bool


Read = Callable[[Caller, Place], FeedPage]


def answer(read: Read, place: Place) -> Response:
    """The stream of the events after the place; raises ApiError if the caller has too many."""
    pieces = _follow(services(), request.environ, read, place)
    next(pieces)
    response = Response(pieces, headers=UNBUFFERED, content_type=f"{EVENT_STREAM}; charset=utf-8")
    response.call_on_close(pieces.close)
    return response


def _follow(services: Services, environ: Environ, read: Read, place: Place) -> Generator[str]:
    """The events as text, after one piece that says that the caller has a place among the waiters.

    It ends after STREAM_SECONDS_MAX, when the client disconnects, the caller loses access or the process ends.
    """
    caller = authenticate(environ, services)
    if services.waiters.count_of(caller.id) >= FEED_STREAMS_MAX:
        raise _too_many()
    with services.waiters.add(caller.id, caller.id, environ.get(CLIENT)) as waiter:
        if waiter is None:
            raise _too_many()
        yield ""
        yield f"retry: {RETRY_MILLISECONDS}\n{HEARTBEAT}"
        began = said = time.monotonic()
        while not waiter.is_closed and time.monotonic() - began < STREAM_SECONDS_MAX:
            try:
                page = read(caller, place)
                if page.events or time.monotonic() - said >= HEARTBEAT_SECONDS:
                    yield "".join(_text(cursor, body) for cursor, body in page.events) or HEARTBEAT
                    said = time.monotonic()
                place = page.place
                if not page.has_more:
                    waiter.next(FEED_SECONDS, 0)
                caller = authenticate_again(environ, services)
            except (ApiError, *UNAVAILABLE):
                return
            if SCOPE not in caller.scopes:
                return


def _text(cursor: str, body: dict[str, Any]) -> str:
    return f"id: {cursor}\nevent: {body['type']}\ndata: {encode(body)}\n\n"


def _too_many() -> ApiError:
    headers = {"Retry-After": RETRY_AFTER_SECONDS}
    return ApiError("too_many_waiters", "Read the feed in pages, or try again later.", headers=headers)
