"""`Prefer: wait=N` (RFC 7240): the response waits for the outcome of a payment or bulk, at most N seconds."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast
from urllib.request import parse_http_list

from werkzeug.http import parse_etags

from gateway.auth.guards import authenticate, authenticate_again
from gateway.http.access_log import WRITTEN, Environ
from gateway.http.client import CLIENT
from gateway.http.etag import etag_of
from gateway.services import Services
from models.bulk import Bulk
from models.payment_view import PaymentView
from models.rules.state import State

WAIT_SECONDS_MAX = 30
"""Clients repeat the request to wait longer: proxies drop a silent connection after a minute."""

_NAME = re.compile(r"[^=;]*")
_SECONDS = re.compile(r"[^=;]*=\s*(\"?)([0-9]+)\1\s*(;.*)?", re.ASCII)

Awaited = TypeVar("Awaited", PaymentView, Bulk)


def wait_seconds(preferences: str) -> int | None:
    """The seconds to wait by the header, at most WAIT_SECONDS_MAX; None without a valid `wait`.

    The first of several counts.
    """
    for preference in parse_http_list(preferences):
        name = _NAME.match(preference)
        if name and name[0].strip().lower() == "wait":
            match = _SECONDS.fullmatch(preference)
            return match and min(int(match[2].lstrip("0")[:3] or 0), WAIT_SECONDS_MAX)
    return None


def wait_for(
    subject: Awaited, is_over: Callable[[Awaited], bool], environ: Environ, services: Services
) -> tuple[Awaited, dict[str, str]]:
    """The payment or bulk, after the wait that the caller prefers, and the Preference-Applied header.

    The caller is authenticated again after a wait; raises ApiError. Call it without holding a database connection.
    """
    seconds, applied = _preferred(environ)
    if not seconds or is_over(subject):
        return subject, applied
    until = time.monotonic() + seconds
    with services.waiters.add(subject.id, authenticate(environ, services).id, environ.get(CLIENT)) as waiter:
        if waiter is None:
            return subject, {}
        while not is_over(subject):
            change = waiter.next(until - time.monotonic(), subject.version)
            if change is None:
                break
            subject = cast(Awaited, change.subject)
    authenticate_again(environ, services)
    if environ["REQUEST_METHOD"] == "POST":
        environ[WRITTEN] = services.reads.token()
    return subject, applied


def wait_for_change(subject: Awaited, environ: Environ, services: Services) -> tuple[Awaited, bool, dict[str, str]]:
    """The payment or bulk for a GET, whether the caller has that version (304), and the Preference-Applied header.

    With If-None-Match it waits for any newer version, else for another state or the end. Raises as `wait_for` does.
    """
    before, caller = subject, authenticate(environ, services)
    etags = parse_etags(environ.get("HTTP_IF_NONE_MATCH"))

    def has_version(now: Awaited) -> bool:
        if etags.star_tag:
            return now.version == before.version
        return etags.contains_weak(etag_of(now, caller.id)[1:-1])

    def is_over(now: Awaited) -> bool:
        return is_final(now) or not (has_version(now) if etags else now.state == before.state)

    subject, applied = wait_for(subject, is_over, environ, services)
    return subject, has_version(subject), applied


def final_for(etag: str, environ: Environ) -> tuple[bool, dict[str, str]]:
    """What `wait_for_change` says of a final payment that has this entity tag: it does not wait."""
    etags = environ.get("HTTP_IF_NONE_MATCH")
    return etags is not None and parse_etags(etags).contains_weak(etag[1:-1]), _preferred(environ)[1]


def _preferred(environ: Environ) -> tuple[int | None, dict[str, str]]:
    """The seconds that the caller prefers to wait, None without that, and the Preference-Applied header."""
    preferences = environ.get("HTTP_PREFER")
    seconds = None if preferences is None else wait_seconds(preferences)
    return seconds, {} if seconds is None else {"Preference-Applied": f"wait={seconds}"}


def needs_no_wait(view: PaymentView) -> bool:
    """True if waiting brings no news soon: the payment is final, holds its money, or is scheduled for later."""
    last = view.created_at + timedelta(seconds=WAIT_SECONDS_MAX)
    return view.state != State.INITIATED or (view.scheduled_at is not None and view.scheduled_at > last)


def is_final(subject: PaymentView | Bulk) -> bool:
    """True if it is in a final state."""
    return subject.finalized_at is not None


def moved_on(before: PaymentView) -> Callable[[PaymentView], bool]:
    """A test whether the payment is final or in another state than before."""
    return lambda now: now.finalized_at is not None or now.state != before.state
