"""Retry schedule of webhooks, and when their endpoint is disabled."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

HOUR_SECONDS = 3600

WAITS_SECONDS = (5, 300, *(hours * HOUR_SECONDS for hours in (0.5, 2, 5, 10, 14, 20, 24)))
"""Wait after the first failed try, the second and so on: ten tries over 75 hours, which spans a weekend."""

TRIES_MAX = len(WAITS_SECONDS) + 1

JITTER = 0.1
"""Waits vary by this fraction, so that deliveries which failed together are not retried together."""

RETRY_AFTER_SECONDS_MAX = 24 * HOUR_SECONDS
"""Longest wait a receiver may ask for: that of our own schedule."""

FAILING_SECONDS_MAX = 72 * HOUR_SECONDS
"""An endpoint without success for this long is disabled when the next delivery is given up."""

GONE = 410
ASK_TO_WAIT = (429, 503)
"""Statuses whose Retry-After header is respected."""


class AttemptFailure(StrEnum):
    """Kind of a failed try, besides the codes of a refused target; never text from the receiver."""

    HTTP_STATUS = "http_status"
    """The answer was not 2xx; redirects are not followed."""
    TIMED_OUT = "timed_out"
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    CONNECTION_BROKEN = "connection_broken"
    """The connection was lost before an answer, or the answer was not HTTP."""
    INTERRUPTED = "interrupted"
    """Our process ended during the last try; whether it arrived is not known."""
    UNSIGNED = "unsigned"
    """No secret was left to sign it with; it was not sent."""
    INTERNAL = "internal"
    """A fault on our side; it was not sent, or the result is not known."""


OWN_FAILURES = (AttemptFailure.INTERRUPTED, AttemptFailure.UNSIGNED, AttemptFailure.INTERNAL)
"""Failures on our side, which do not count against the endpoint."""


REASONS: dict[str, str] = {
    AttemptFailure.HTTP_STATUS: "The answer was not 2xx",
    AttemptFailure.TIMED_OUT: "No answer came in time",
    AttemptFailure.NOT_CONNECTED: "No connection could be made",
    AttemptFailure.TLS_FAILED: "The certificate or TLS was refused",
    AttemptFailure.CONNECTION_BROKEN: "The connection was lost, or the answer was not HTTP",
    AttemptFailure.INTERRUPTED: "Our process ended during the try; it may have arrived",
    AttemptFailure.UNSIGNED: "No secret was left to sign it with; it was not sent",
    AttemptFailure.INTERNAL: "A fault on our side; it may not have been sent",
}
"""Failed tries in words."""

ANSWER_BYTES_MAX = 1024
"""Bytes kept of an answer: its beginning says what is wrong."""

REASON_LENGTH_MAX = 200


class AttemptOutcome(NamedTuple):
    """Outcome of a try: delivered if there is no error; `retry_after` in seconds if the receiver asked for it.

    `answer` is the beginning of the answer's body, None without one; `detail` is what the network said of the failure.
    """

    status: int | None
    error: str | None
    milliseconds: int = 0
    retry_after: float | None = None
    answer: bytes | None = None
    detail: str | None = None

    @property
    def reason(self) -> str | None:
        """Why it failed, in words; None if it did not."""
        if self.error is None:
            return None
        words = REASONS.get(self.error, self.error)
        text = f"{words}: {self.detail}" if self.detail else f"{words}."
        return "".join(letter if letter.isprintable() else "?" for letter in text)[:REASON_LENGTH_MAX]


def answer_text(answer: bytes | memoryview | None) -> str | None:
    """The beginning of an answer as text: what is no UTF-8, and all controls but line ends and tabs, is U+FFFD."""
    if answer is None:
        return None
    text = bytes(answer).decode(errors="replace")
    return "".join(letter if letter.isprintable() or letter in "\r\n\t" else "\ufffd" for letter in text)


def wait_seconds(tries_left: int, chance: float, retry_after: float | None = None) -> float | None:
    """Wait before the next try, None if none is left; `chance` in [0, 1) is the jitter."""
    if tries_left == 0:
        return None
    wait = WAITS_SECONDS[TRIES_MAX - tries_left - 1] * (1 - JITTER + 2 * JITTER * chance)
    return max(wait, min(retry_after or 0.0, RETRY_AFTER_SECONDS_MAX))


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds asked for by a Retry-After header (a number or a date); None if it is invalid or in the past."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return seconds if seconds > 0 else None
