"""A bound on the large reads that run at once in a process, so that they never take all of its database connections."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import metrics
from gateway.http.errors import ApiError

WAIT_SECONDS = 1
"""How long a request waits for its turn before it is refused."""

RETRY_AFTER_SECONDS = "5"

NAME = "large_reads"
"""The value of the metric's label `limit`."""

Item = TypeVar("Item")


class LargeReads:
    """Closings, statements and files, of which `at_once` are read at a time; all other requests go on beside them."""

    def __init__(self, at_once: int) -> None:
        self._slots = threading.BoundedSemaphore(at_once)
        metrics.preset(metrics.RATE_LIMITED, (NAME,))

    @contextmanager
    def turn(self, *, is_begun: bool = False) -> Iterator[None]:
        """One read; raises ApiError rate_limited if others take too long. What `is_begun` waits: it was not refused."""
        if not self._slots.acquire(timeout=None if is_begun else WAIT_SECONDS):
            metrics.RATE_LIMITED.labels(NAME).inc()
            detail = "Others are reading as much as is read at once: try again in some seconds."
            raise ApiError("rate_limited", detail, headers={"Retry-After": RETRY_AFTER_SECONDS})
        try:
            yield
        finally:
            self._slots.release()

    def pages(self, pages: Iterator[Item]) -> Iterator[Item]:
        """The pages, each read in a turn of its own: a slow client keeps no one waiting. Only the first is refused."""
        is_begun = False
        while True:
            with self.turn(is_begun=is_begun):
                try:
                    page = next(pages)
                except StopIteration:
                    return
            is_begun = True
            yield page
