"""Metrics that a process counts of itself, and their text for Prometheus.

The processes of a service (the gateway's, a worker's) count in files of one directory, so that each of them can serve
the metrics of all. What the database knows is read when it is asked for, by `gateway/ops/state_metrics.py`.
"""

import os
import re
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from weakref import WeakSet

import settings

FILES = settings.metrics_files()  # before the library is imported, which reads the variable at its import

from prometheus_client import (  # noqa: E402 - after the variable is set or removed, see above
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402
from sqlalchemy import Engine, event  # noqa: E402
from sqlalchemy.pool import ConnectionPoolEntry  # noqa: E402

CONTENT_TYPE = CONTENT_TYPE_LATEST

SHORT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets of what usually takes milliseconds; a wait for an outcome takes at most 30 s."""

LONG_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 86400.0, 604800.0)
"""Buckets of the time to a final state: a payment's milliseconds, a hold's days."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""The label of routes and methods that do not exist: a client cannot make labels."""


class BatchHistogram(Histogram):
    """A histogram that takes many values at once: each bucket is written once, not once for each value."""

    def observe_many(self, values: Sequence[float]) -> None:
        """Record values."""
        for index, number in Tally(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[index].inc(number)
        self._sum.inc(sum(values))


REQUESTS = Histogram(
    "payments_request_seconds",
    "Time until the headers of an answer; with waits=yes the client asked to wait for an outcome",
    ["method", "route", "status", "waits"],
    buckets=SHORT_SECONDS,
)
RATE_LIMITED = Counter("payments_rate_limited", "Requests refused by a rate limit", ["limit"])
READS = Counter("payments_reads", "Reads that a replica may answer, by where they went and why", ["place", "reason"])
TRANSITIONS = Counter("payments_transitions", "Payments that entered a state", ["type", "state"])
FAILURES = Counter("payments_failures", "Payments that failed, by their reason", ["type", "code"])
FINAL_SECONDS = BatchHistogram(
    "payments_final_seconds",
    "Time from acceptance, or the scheduled time, to a final state",
    ["type"],
    buckets=LONG_SECONDS,
)
BATCH_SIZE = Histogram(
    "payments_batch_size", "Payments decided in one transaction", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)
BATCH_SECONDS = Histogram(
    "payments_batch_seconds", "Time from the claim of a batch to its commit", buckets=SHORT_SECONDS
)
CLAIMS = Counter("payments_claims", "Claims of due payments, by how they ended", ["result"])
BELLS = Counter("payments_bells", "Bells to be sent to workers", ["task", "result"])
WEBHOOK_CALLS = Counter("payments_webhook_calls", "Calls of webhook receivers", ["result"])
WEBHOOK_SECONDS = Histogram("payments_webhook_seconds", "Duration of these calls", buckets=SHORT_SECONDS)
PAYOUT_CALLS = Counter("payments_payout_calls", "Answers of the bank about payouts", ["result"])
POOL_IN_USE = Gauge("payments_pool_in_use", "Connections to the database that are in use", multiprocess_mode="livesum")
POOL_SIZE = Gauge("payments_pool_size", "Connections that the processes may open", multiprocess_mode="livesum")

CLAIM_RESULTS = ("decided", "nothing", "contention", "failed", "commit_unknown")
BELL_RESULTS = ("sent", "doubled", "failed")
"""Sent; not sent, because one for the same task waits; not sent, because the broker is away."""
WEBHOOK_RESULTS = ("delivered", "pending", "failed")
"""Delivered; to be tried again; given up."""


def preset(metric: Counter, *values: Iterable[str]) -> None:
    """Show a counter as 0 for each value of each label, so that the first increase is seen."""
    combinations: list[tuple[str, ...]] = [()]
    for column in values:
        combinations = [(*before, value) for before in combinations for value in column]
    for labels in combinations:
        metric.labels(*labels)


def count_request(method: str, route: str | None, status: str, *, waits: bool, seconds: float) -> None:
    """Count an answered request; `route` is the template of its path, None if there is no such route."""
    _request(method if method in METHODS else OTHER, route or OTHER, f"{status[0]}xx", waits).observe(seconds)


@lru_cache(2_000)
def _request(method: str, route: str, status: str, waits: bool) -> Histogram:
    return REQUESTS.labels(method, route, status, "yes" if waits else "no")


@lru_cache(2_000)
def template(rule: str) -> str:
    """The template of a path, such as /v1/payments/{id}, from a rule of the framework."""
    return re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule)


def count_transitions(moved: Iterable[tuple[str, str]]) -> None:
    """Count payments by type and the state that they entered."""
    for labels, number in Tally(moved).items():
        TRANSITIONS.labels(*labels).inc(number)


def count_failures(failed: Iterable[tuple[str, str]]) -> None:
    """Count failed payments by type and failure code."""
    for labels, number in Tally(failed).items():
        FAILURES.labels(*labels).inc(number)


def observe_final(seconds: Mapping[str, Sequence[float]]) -> None:
    """Record the times, by type, after which payments became final."""
    for type, values in seconds.items():
        FINAL_SECONDS.labels(type).observe_many(values)


COUNTED: WeakSet[ConnectionPoolEntry] = WeakSet()
"""Connections that POOL_IN_USE counts."""


def watch_pool(engine: Engine, connections_max: int) -> None:
    """Show how many connections of this engine are in use, and how many there may be."""
    POOL_SIZE.inc(connections_max)
    event.listen(engine, "checkout", _count_checkout)
    event.listen(engine, "checkin", _count_checkin)


def _count_checkout(_: object, record: ConnectionPoolEntry, __: object) -> None:
    COUNTED.add(record)
    POOL_IN_USE.inc()


def _count_checkin(_: object, record: ConnectionPoolEntry) -> None:
    if record in COUNTED:  # else it was never handed out: the database is away
        COUNTED.discard(record)
        POOL_IN_USE.dec()


def exposition() -> bytes:
    """The metrics of all processes of this service, in Prometheus's text format."""
    if FILES is None:
        return generate_latest(REGISTRY)
    _forget_ended(FILES)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(FILES))
    return generate_latest(registry)


def _forget_ended(directory: Path) -> None:
    """Remove the current values of processes that have ended; what they counted stays, or totals would fall."""
    for file in directory.glob("gauge_live*.db"):
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
