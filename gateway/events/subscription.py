"""Live updates of a payment or bulk, common to event streams and WebSockets.

A subscriber holds no database connection while it waits, and gets nothing more once it loses its access.
"""

import random
import re
import time
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Any, NamedTuple

from gateway.auth.guards import authenticate, authenticate_again
from gateway.auth.tokens import Caller
from gateway.http.access_log import Environ
from gateway.http.blueprint import encode, header
from gateway.http.client import CLIENT
from gateway.http.errors import ApiError, not_found
from gateway.http.found import path_id
from gateway.services import Services
from gateway.waiting.waiters import SubjectChange
from models import archive, bulk, event, payment_view
from models.bulk import Bulk
from models.event import Event
from models.payment_view import PaymentView
from models.representations import bulk_body, event_body, is_bulk_visible, is_visible, payment_body
from models.session import Contention, DatabaseUnavailable, StatementTimeout, statements

HEARTBEAT_SECONDS = 15.0
"""Frequent enough that no proxy closes the connection as idle."""

STREAM_SECONDS_MAX = 3600.0
"""Clients then reconnect, so that a process being replaced loses its last one within this time."""

RETRY_MILLISECONDS = 2_000
"""Milliseconds that a client is asked to wait before it reconnects."""

RETRY_AFTER_SECONDS = "5"

SCOPE = "payments:read"

EVENT_STREAM = "text/event-stream"

STREAM_CONTENT = {EVENT_STREAM: {"schema": {"type": "string", "description": "Server-Sent Events."}}}

LAST_EVENT_ID = header("Last-Event-ID", "The id of the last event received: only later ones are sent.", "42")

UNBUFFERED = {"X-Accel-Buffering": "no"}
"""nginx would otherwise buffer the stream."""

HEARTBEAT = ":\n"
"""A comment, without the blank line that ends a block: some clients would take that for an empty event."""

_SEQUENCE = re.compile(r"[0-9]{1,18}", re.ASCII)

UNAVAILABLE = (DatabaseUnavailable, Contention, StatementTimeout)
"""Raised when the database is unavailable or too busy to check whether a caller may still read."""

Subject = PaymentView | Bulk
Fits = Callable[[Subject], bool]


class StreamUpdate(NamedTuple):
    """The subject and its new events, for this caller; without events it is a heartbeat."""

    caller: Caller
    subject: Subject
    events: tuple[Event, ...]


def _sees(subject: Subject, caller: Caller) -> bool:
    """True if the caller may see the subject."""
    if isinstance(subject, Bulk):
        return is_bulk_visible(subject, caller)
    return is_visible(subject, caller)


def body_of(subject: Subject, caller: Caller) -> dict[str, Any]:
    """The JSON of the payment or bulk, for this caller."""
    return bulk_body(subject) if isinstance(subject, Bulk) else payment_body(subject, caller)


def sequence_of(text: str) -> int:
    """The sequence in a Last-Event-ID header; 0, which is before all events, if it has none."""
    return int(text) if _SEQUENCE.fullmatch(text) else 0


def subscribe(services: Services, id: str, fits: Fits, environ: Environ) -> Generator[StreamUpdate]:
    """Yield the payment or bulk with all its events so far, then each update, or a heartbeat each HEARTBEAT_SECONDS.

    Ends with the final event, after STREAM_SECONDS_MAX, when the client disconnects or the process ends. Raises
    ApiError, also once the caller loses access, and UNAVAILABLE. Close it once the first update was read: until then
    it holds a waiter's place.
    """
    caller = authenticate(environ, services)
    with services.waiters.add(path_id(id), caller.id, environ.get(CLIENT), with_events=True) as place:
        until, update = time.monotonic() + STREAM_SECONDS_MAX, read(services, id, fits, caller)
        if place is None and update.subject.finalized_at is None:
            detail = "Poll for the outcome, or try again later."
            raise ApiError("too_many_waiters", detail, headers={"Retry-After": RETRY_AFTER_SECONDS})
        yield update
        after = update.events[-1].sequence if update.events else 0
        pause = HEARTBEAT_SECONDS * random.random()  # noqa: S311 - spreads clients that connected at once
        while place and update.subject.finalized_at is None and not place.is_closed and time.monotonic() < until:
            change = place.next(pause, update.subject.version) or SubjectChange(update.subject)
            pause = HEARTBEAT_SECONDS
            update = _update(change, after, authenticate_again(environ, services))
            yield update
            after = update.events[-1].sequence if update.events else after


def read(services: Services, id: str, fits: Fits, caller: Caller) -> StreamUpdate:
    """The current state of the subject, with all its events; raises ApiError not_found."""
    with statements(services.engine) as connection:
        subject = payment_view.by_ids(connection, [path_id(id)]).get(id) or bulk.by_id(connection, id)
        if subject is None:
            archive.refuse(connection, id)
        if subject is None or not fits(subject):
            raise not_found()
        return _update(SubjectChange(subject, tuple(event.of_subjects(connection, [id]))), 0, caller)


def _update(change: SubjectChange, after: int, caller: Caller) -> StreamUpdate:
    """The events that are new to the caller, up to the version read; raises ApiError without access."""
    subject = change.subject
    if SCOPE not in caller.scopes or not _sees(subject, caller):
        raise not_found()
    events = [event for event in change.events if event.sequence > after and event.version <= subject.version]
    return StreamUpdate(caller, subject, tuple(events))


def lines(first: StreamUpdate, updates: Iterator[StreamUpdate], after: int) -> Iterator[str]:
    """The updates as Server-Sent Events, only those after the sequence `after`.

    They also end when the caller loses access, or the database cannot tell.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n"  # a line of the first event's block: alone it would be an empty event
    try:
        for caller, subject, events in chain([first], updates):
            body = body_of(subject, caller) if events else {}
            yield "".join(_event_text(event, body) for event in events if event.sequence > after) or HEARTBEAT
    except (ApiError, *UNAVAILABLE):
        return


def _event_text(event: Event, body: dict[str, Any]) -> str:
    return f"id: {event.sequence}\nevent: {event.name}\ndata: {encode(event_body(event, body))}\n\n"
