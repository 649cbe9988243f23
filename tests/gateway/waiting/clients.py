"""Waiting requests, each in a thread, and a worker that posts meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from gateway.services import Services
from tests.gateway.harness import ApiHarness
from tests.gateway.orders import CANONICAL
from tests.support import eventually

QUICK_SECONDS = 10.0
"""Far less than any request here would wait, and far more than it takes."""

WAYS = pytest.mark.parametrize("way", [{}, CANONICAL], ids=["lean", "canonical"])
PATIENT = {"Prefer": "wait=20"}


class Answered(NamedTuple):
    """An answer and how long it took."""

    answer: TestResponse
    seconds: float

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def applied(self) -> str | None:
        return self.answer.headers.get("Preference-Applied")

    @property
    def payment(self) -> Any:
        return self.answer.get_json()


def services_of(api: ApiHarness) -> Services:
    """The services of the gateway's process."""
    return api.app.extensions["gateway"]


def timed(call: Callable[[], TestResponse]) -> Answered:
    began = time.monotonic()
    return Answered(call(), time.monotonic() - began)


@contextmanager
def waiting(api: ApiHarness, *calls: Callable[[], TestResponse]) -> Iterator[list[Future[Answered]]]:
    """The calls are made at once, and at the beginning of the block each of them waits; all are answered at its end."""
    before = len(services_of(api).waiters)
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = [pool.submit(timed, call) for call in calls]
        eventually(lambda: len(services_of(api).waiters) == before + len(calls), message="all of them wait")
        yield answers


@contextmanager
def posting(api: ApiHarness) -> Iterator[None]:
    """A worker posts whatever is ordered meanwhile."""
    enough = threading.Event()

    def post() -> None:
        while not enough.wait(0.01):
            api.post_payments()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(post)
        try:
            yield
        finally:
            enough.set()
    done.result()
