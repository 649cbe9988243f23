"""Refuses new payments while those accepted before wait too long to be posted; nothing that was accepted is lost."""

import random
import threading
import time
from collections import deque

import metrics
from gateway.http.errors import ApiError
from models import backlog
from models.backlog import Head
from models.session import Engine, statements

READ_SECONDS = 1.0
"""A process reads the age once in this time at most, and only if payments are ordered."""

SPEED_SECONDS = 30.0
"""The speed of posting is that of this time."""

RETRY_AFTER_SECONDS_MIN, RETRY_AFTER_SECONDS_MAX = 1.0, 60.0

JITTER_SHARE = 0.25
"""Clients are told up to this share less, so that they do not come back all at once."""

NAME = "queue_age"
"""The value of the metric's label `limit`."""


class Backpressure:
    """Whether payments are accepted, by the age of the one that is posted next; without `seconds_max` always."""

    def __init__(self, engine: Engine, seconds_max: int) -> None:
        self._engine = engine
        self._seconds_max = seconds_max
        self._heads: deque[Head] = deque()
        self._wait_seconds = 0.0
        self._read_from = 0.0
        self._reading = threading.Lock()
        metrics.preset(metrics.RATE_LIMITED, (NAME,))

    def refuse(self) -> None:
        """Raise what `refusal` returns."""
        error = self.refusal()
        if error is not None:
            raise error

    def refusal(self) -> ApiError | None:
        """The error for a new payment, or None. Hold no connection; raises DatabaseUnavailable or StatementTimeout."""
        if self._seconds_max and time.monotonic() >= self._read_from and self._reading.acquire(blocking=False):
            try:
                self._read_from = time.monotonic() + READ_SECONDS
                self._read()
            finally:
                self._reading.release()
        if not self._wait_seconds:
            return None
        metrics.RATE_LIMITED.labels(NAME).inc()
        share = 1 - JITTER_SHARE * random.random()  # noqa: S311 - spreads load, keeps no secret
        wait_seconds = max(RETRY_AFTER_SECONDS_MIN, self._wait_seconds * share)
        detail = "Payments wait too long to be posted: try again after Retry-After with the same idempotency key."
        return ApiError("overloaded", detail, headers={"Retry-After": str(round(wait_seconds))})

    def _read(self) -> None:
        with statements(self._engine) as connection:
            head = backlog.head(connection)
        if head is None:
            self._heads.clear()
            self._wait_seconds = 0.0
            return
        if self._heads and head.due_at < self._heads[-1].due_at:  # older ones are due again
            self._heads.clear()
        self._heads.append(head)
        while self._heads[0].read_at < head.read_at - SPEED_SECONDS:
            self._heads.popleft()
        self._wait_seconds = drain_seconds(self._heads[0], head) if head.age > self._seconds_max else 0.0


def drain_seconds(earlier: Head, later: Head) -> float:
    """The time until what is due by now is posted: its age over the speed at which the head moves on, in bounds."""
    moved = later.due_at - earlier.due_at
    if moved <= 0:
        return RETRY_AFTER_SECONDS_MAX
    seconds = later.age * (later.read_at - earlier.read_at) / moved
    return min(max(seconds, RETRY_AFTER_SECONDS_MIN), RETRY_AFTER_SECONDS_MAX)
