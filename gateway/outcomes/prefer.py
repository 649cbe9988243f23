"""`Prefer: wait=N` (RFC 7240): an answer waits for what comes of a payment or bulk, for so many seconds at most."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast
from urllib.request import parse_http_list

from werkzeug.http import parse_etags

from gateway.auth.guards import authenticate, authenticate_again
from gateway.http.access_log import Environ
from gateway.http.etag import etag_of
from gateway.services import Services
from gateway.waiting.disconnect import socket_of
from models.bulk import Bulk
from models.payment_view import PaymentView
from models.rules.state import State

WAIT_SECONDS_MAX = 30
"""Whoever would rather wait longer asks again: what stands between gives a silent line up after a minute."""

_NAME = re.compile(r"[^=;]*")
_SECONDS = re.compile(r"[^=;]*=\s*(\"?)([0-9]+)\1\s*(;.*)?", re.ASCII)

Awaited = TypeVar("Awaited", PaymentView, Bulk)


def wait_seconds(preferences: str) -> int | None:
    """For how long the header would have an answer wait, at most WAIT_SECONDS_MAX; None if it does not say, or badly.

    Of several the first counts.
    """
    for preference in parse_http_list(preferences):
        name = _NAME.match(preference)
        if name and name[0].strip().lower() == "wait":
            said = _SECONDS.fullmatch(preference)
            return said and min(int(said[2].lstrip("0")[:3] or 0), WAIT_SECONDS_MAX)
    return None


def wait_for(
    subject: Awaited, is_over: Callable[[Awaited], bool], environ: Environ, ours: Services
) -> tuple[Awaited, dict[str, str]]:
    """The payment or bulk, once it is over if the caller would rather wait for that, and what was applied of his wish.

    He is asked again after a wait; raises ApiError. Call it with no line to the database in hand.
    """
    preferences = environ.get("HTTP_PREFER")
    seconds = None if preferences is None else wait_seconds(preferences)
    if seconds is None:
        return subject, {}
    applied = {"Preference-Applied": f"wait={seconds}"}
    if seconds == 0 or is_over(subject):
        return subject, applied
    until = time.monotonic() + seconds
    with ours.waiters.add(subject.id, authenticate(environ, ours).id, socket_of(environ)) as waiter:
        if waiter is None:
            return subject, {}
        while not is_over(subject):
            change = waiter.next(until - time.monotonic(), subject.version)
            if change is None:
                break
            subject = cast(Awaited, change.subject)
    authenticate_again(environ, ours)
    return subject, applied


def wait_for_change(subject: Awaited, environ: Environ, ours: Services) -> tuple[Awaited, bool, dict[str, str]]:
    """What to answer a GET of a payment or bulk with; whether the caller knows that already (304); what was applied.

    Who says what he knows would wait for anything newer, else for the end or another state. Raises as `awaited` does.
    """
    before, caller = subject, authenticate(environ, ours)
    known = parse_etags(environ.get("HTTP_IF_NONE_MATCH"))

    def is_known(now: Awaited) -> bool:
        if known.star_tag:
            return now.version == before.version
        return known.contains_weak(etag_of(now, caller.id)[1:-1])

    def is_over(now: Awaited) -> bool:
        return is_final(now) or not (is_known(now) if known else now.state == before.state)

    subject, applied = wait_for(subject, is_over, environ, ours)
    return subject, is_known(subject), applied


def is_decided(view: PaymentView) -> bool:
    """Whether nothing more comes of an order soon: it is final, or its money is held, or it was scheduled for later."""
    last = view.created_at + timedelta(seconds=WAIT_SECONDS_MAX)
    return view.state != State.INITIATED or (view.scheduled_at is not None and view.scheduled_at > last)


def is_final(subject: PaymentView | Bulk) -> bool:
    """Whether nothing changes it any more."""
    return subject.finalized_at is not None


def moved_on(before: PaymentView) -> Callable[[PaymentView], bool]:
    """Whether the payment is final, or in another state than before."""
    return lambda now: now.finalized_at is not None or now.state != before.state
