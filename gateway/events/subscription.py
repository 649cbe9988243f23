"""What happens to a payment or a bulk, told while it happens: the story common to event streams and WebSockets.

Nobody who listens holds a connection to the database; who may not listen any more hears nothing further.
"""

import random
import re
import time
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Any, NamedTuple

from gateway.auth.tokens import Caller, authenticate, authenticate_again
from gateway.http.access_log import Environ
from gateway.http.blueprint import encode
from gateway.http.errors import ApiError, not_found
from gateway.http.fields import is_id
from gateway.services import Services
from gateway.waiting.disconnect import socket_of
from gateway.waiting.waiters import SubjectChange
from models import bulk, event, payment_view
from models.bulk import Bulk
from models.event import Event
from models.payment_view import PaymentView
from models.representations import bulk_body, event_body, is_bulk_visible, is_visible, payment_body
from models.session import Contention, DatabaseAway, StatementTimeout, statements

HEARTBEAT_SECONDS = 15.0
"""No proxy ends a line on which something comes so often."""

STREAM_SECONDS_MAX = 3600.0
"""Who wants more begins anew: so a process that is replaced is left, in the end, by all."""

RETRY_MILLISECONDS = 2_000
"""How long a client is asked to wait before it comes again."""

RETRY_AFTER_SECONDS = "5"

SCOPE = "payments:read"

EVENT_STREAM = "text/event-stream"

HEARTBEAT = ":\n"
"""A comment, without the blank line that ends a block: some readers would take that for an empty event."""

_SEQUENCE = re.compile(r"[0-9]{1,18}", re.ASCII)

UNKNOWN_SEQUENCE = (DatabaseAway, Contention, StatementTimeout)
"""What the database answers who asks whether a caller may listen on, while it is away or too busy."""

Subject = PaymentView | Bulk
Fits = Callable[[Subject], bool]


class StreamUpdate(NamedTuple):
    """What is new of the subject, as this caller may see it; no event: nothing was for a while."""

    caller: Caller
    subject: Subject
    events: tuple[Event, ...]


def sees(subject: Subject, caller: Caller) -> bool:
    """Whether the caller may see it."""
    if isinstance(subject, Bulk):
        return is_bulk_visible(subject, caller)
    return is_visible(subject, caller)


def body_of(subject: Subject, caller: Caller) -> dict[str, Any]:
    """The payment or bulk as the caller may see it."""
    return bulk_body(subject) if isinstance(subject, Bulk) else payment_body(subject, caller)


def sequence_of(text: str) -> int:
    """The sequence that a Last-Event-ID names; 0, before all of them, for what names none."""
    return int(text) if _SEQUENCE.fullmatch(text) else 0


def subscribe(ours: Services, id: str, fits: Fits, environ: Environ) -> Generator[StreamUpdate]:
    """The payment or bulk with all its events so far, and then what happens; without any each HEARTBEAT_SECONDS.

    Ends with the final event, after STREAM_SECONDS_MAX, when the caller hangs up or the process ends. Raises ApiError,
    also once he may not ask any more, and NOBODY_CAN_SAY. Whoever takes the first must close it: until then it holds a
    place.
    """
    caller = authenticate(environ, ours)
    if not is_id(id):
        raise not_found()
    with ours.waiters.place(id, caller.id, socket_of(environ), with_events=True) as place:
        until, told = time.monotonic() + STREAM_SECONDS_MAX, read(ours, id, fits, caller)
        if place is None and told.subject.finalized_at is None:
            detail = "Poll for the outcome, or try again later."
            raise ApiError("too_many_waiters", detail, headers={"Retry-After": RETRY_AFTER_SECONDS})
        yield told
        after = told.events[-1].sequence if told.events else 0
        pause = HEARTBEAT_SECONDS * random.random()  # noqa: S311 - so that a thousand who came at once go on one by one
        while place and told.subject.finalized_at is None and not place.is_closed and time.monotonic() < until:
            change = place.next(pause, told.subject.version) or SubjectChange(told.subject)
            pause = HEARTBEAT_SECONDS
            told = _fresh(change, after, authenticate_again(environ, ours))
            yield told
            after = told.events[-1].sequence if told.events else after


def read(ours: Services, id: str, fits: Fits, caller: Caller) -> StreamUpdate:
    """What is asked for as it is now, with all its events; raises ApiError not_found."""
    if not is_id(id):
        raise not_found()
    with statements(ours.engine) as connection:
        subject = payment_view.by_id(connection, id) or bulk.by_id(connection, id)
        if subject is None or not fits(subject):
            raise not_found()
        return _fresh(SubjectChange(subject, tuple(event.of_subjects(connection, [id]))), 0, caller)


def _fresh(change: SubjectChange, after: int, caller: Caller) -> StreamUpdate:
    """What is new to the caller, if he may see it; what happened since the subject was read comes with the next."""
    subject = change.subject
    if SCOPE not in caller.scopes or not sees(subject, caller):
        raise not_found()
    events = [one for one in change.events if one.sequence > after and one.version <= subject.version]
    return StreamUpdate(caller, subject, tuple(events))


def lines(first: StreamUpdate, told: Iterator[StreamUpdate], after: int) -> Iterator[str]:
    """Server-Sent Events of what is told, from behind the sequence `after` on.

    They end, too, when the caller may not read on, or nobody can say whether he may.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n"  # a line of the first event's block: alone it would be an empty event
    try:
        for caller, subject, events in chain([first], told):
            shown = body_of(subject, caller) if events else {}
            yield "".join(_written(one, shown) for one in events if one.sequence > after) or HEARTBEAT
    except (ApiError, *UNKNOWN_SEQUENCE):
        return


def _written(one: Event, shown: dict[str, Any]) -> str:
    return f"id: {one.sequence}\nevent: {one.name}\ndata: {encode(event_body(one, shown))}\n\n"
