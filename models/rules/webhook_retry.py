"""When a webhook is tried again, and when its endpoint is sent nothing any more."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

HOUR_SECONDS = 3600

WAITS_SECONDS = (5, 300, *(hours * HOUR_SECONDS for hours in (0.5, 2, 5, 10, 14, 20, 24)))
"""After the first failed try, the second and so on: ten tries over 75 hours, a weekend with its nights."""

TRIES_MAX = len(WAITS_SECONDS) + 1

JITTER = 0.1
"""A wait is so much shorter or longer: what failed together does not return together."""

RETRY_AFTER_SECONDS_MAX = 24 * HOUR_SECONDS
"""A receiver may ask for no longer a wait than the longest of ours."""

FAILING_SECONDS_MAX = 72 * HOUR_SECONDS
"""An endpoint without any success for so long is disabled when the next delivery is given up."""

GONE = 410
ASK_TO_WAIT = (429, 503)
"""Statuses whose Retry-After is heeded."""


class AttemptFailure(StrEnum):
    """What kind of failure a try was, besides the codes of a refused target; never what the receiver said."""

    HTTP_STATUS = "http_status"
    """It answered something else than 2xx; a redirect is not followed."""
    TIMED_OUT = "timed_out"
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    CONNECTION_BROKEN = "connection_broken"
    """The line was lost before an answer, or what came was no HTTP."""
    INTERRUPTED = "interrupted"
    """Our process ended amid the last try; whether it arrived is not known."""
    UNSIGNED = "unsigned"
    """There was no secret to sign it with; it was not sent."""
    INTERNAL = "internal"
    """Our fault; nothing was sent, or nothing is known of it."""


OURS = (AttemptFailure.INTERRUPTED, AttemptFailure.UNSIGNED, AttemptFailure.INTERNAL)
"""Nothing that an endpoint is to be called failing for."""


class AttemptOutcome(NamedTuple):
    """What came of a try: delivered if there is no error; `retry_after` in seconds if the receiver asked for it."""

    status: int | None
    error: str | None
    milliseconds: int = 0
    retry_after: float | None = None


def wait_seconds(tries_left: int, chance: float, retry_after: float | None = None) -> float | None:
    """The wait before the next try, None if there is none left; `chance` in [0, 1) is the jitter."""
    if tries_left == 0:
        return None
    wait = WAITS_SECONDS[TRIES_MAX - tries_left - 1] * (1 - JITTER + 2 * JITTER * chance)
    return max(wait, min(retry_after or 0.0, RETRY_AFTER_SECONDS_MAX))


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What a Retry-After header asks for, in seconds or as a date; None if it is none, or in the past."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return seconds if seconds > 0 else None
