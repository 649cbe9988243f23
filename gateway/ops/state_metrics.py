"""Metrics of what the database knows, read when they are asked for."""

import threading
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

import bell
from gateway.services import Services
from models import health, monitoring
from models.health import HealthReport
from models.heartbeat import BEAT
from models.monitoring import OpenWebhooks
from models.rules.types import PaymentType
from models.session import Contention, DatabaseUnavailable, Engine, StatementTimeout, statements

CACHE_SECONDS = 3.0
"""Several monitors, and several processes of a gateway, cost the database one reading in this time each."""

BALANCES_SHARE = 0.01
"""The sum of all balances reads all accounts: it takes at most this share of the time."""

Values = dict[tuple[str, ...], float]
"""Values by the combination of the labels' values."""

UNREADABLE = (DatabaseUnavailable, Contention, StatementTimeout)


class DatabaseState(NamedTuple):
    """A reading of the database; imbalance in minor units by currency."""

    report: HealthReport
    open_payments: Mapping[tuple[str, str], int]
    webhooks: OpenWebhooks
    breaches: int
    imbalance: Mapping[str, int]


class StateMetrics:
    """Collector of these metrics, one per process; a database that does not answer is a metric too."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reading = threading.Lock()
        self._read_at = -CACHE_SECONDS
        self._state: DatabaseState | None = None
        self._broker_is_up = False
        self._imbalance: Mapping[str, int] = {}
        self._imbalance_from = 0.0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The metrics, of a reading that is at most CACHE_SECONDS old."""
        with self._reading:
            if time.monotonic() - self._read_at >= CACHE_SECONDS:
                self._broker_is_up = bell.is_broker_up(self._services.settings.broker_url)
                self._state = self._read()
                self._read_at = time.monotonic()
            state = self._state
        yield gauge("payments_database_up", "1 if the database answers", {(): state is not None})
        yield gauge("payments_broker_up", "1 if the broker answers", {(): self._broker_is_up})
        if state is not None:
            yield from _families(state)

    def exposition(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def _read(self) -> DatabaseState | None:
        try:
            with statements(self._services.engine) as connection:
                fault = replica.fault if (replica := self._services.reads.state()) else ""
                report = health.report(connection, broker_is_up=self._broker_is_up, replica_fault=fault)
                open_payments = monitoring.open_payments(connection)
                webhooks = monitoring.open_webhooks(connection)
                breaches = monitoring.open_breaches(connection)
            self._read_imbalance(self._services.engine)
        except UNREADABLE:
            return None
        return DatabaseState(report, open_payments, webhooks, breaches, self._imbalance)

    def _read_imbalance(self, engine: Engine) -> None:
        began = time.monotonic()
        if began >= self._imbalance_from:
            with statements(engine) as connection:
                self._imbalance = monitoring.imbalance(connection)
            ended = time.monotonic()
            self._imbalance_from = ended + (ended - began) / BALANCES_SHARE


def gauge(name: str, text: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    """A metric with a value for each combination of labels."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for combination, value in values.items():
        family.add_metric(combination, float(value))
    return family


def _families(state: DatabaseState) -> Iterable[Metric]:
    report, webhooks = state.report, state.webhooks
    single: dict[str, tuple[str, float]] = {
        "payments_due": ("Payments that are due, counted up to 10,000", report.waiting),
        "payments_oldest_due_seconds": ("Time for which the oldest of these is due", report.oldest_due_seconds),
        "payments_parked": ("Payments that wait for a person, counted up to 1,000", report.parked),
        "payments_undecided": ("Withdrawals about which the bank gives no answer, up to 1,000", report.undecided),
        "payments_breaches": ("Rows that break an invariant of the books, counted up to 1,000", state.breaches),
        "payments_webhook_backlog": ("Webhooks to be sent, counted up to 10,000", webhooks.backlog),
        "payments_webhook_oldest_event_seconds": (
            "Age of the oldest event that has not become webhooks",
            webhooks.oldest_event_seconds,
        ),
        "payments_webhook_oldest_due_seconds": (
            "Time for which the oldest webhook to a receiver that works is due",
            webhooks.oldest_due_seconds,
        ),
        "payments_webhook_endpoints_failing": (
            "Webhook endpoints whose last call failed, up to 1,000",
            webhooks.endpoints_failing,
        ),
    }
    for name, (text, value) in single.items():
        yield gauge(name, text, {(): value})
    problems: Values = {(code,): report.has(code) for code in health.KINDS}
    yield gauge("payments_problem", "1 if the problem is there: docs/health.md", problems, ("code",))
    ages = _youngest((worker.kind, worker.age_seconds) for worker in report.workers if worker.kind != BEAT)
    yield gauge("payments_worker_seen_seconds", "Time since a worker of the kind ended a task", ages, ("kind",))
    open: Values = {(state, type.value): 0 for state in ("INITIATED", "AUTHORIZED") for type in PaymentType}
    for labels, number in state.open_payments.items():
        open[labels] = number
    text = "Payments that are neither final nor parked, counted up to 10,000 by state"
    yield gauge("payments_open", text, open, ("state", "type"))
    sums: Values = {(currency,): total for currency, total in state.imbalance.items()}
    yield gauge("payments_imbalance", "Sum of all balances in minor units: 0", sums, ("currency",))


def _youngest(ages: Iterable[tuple[str, float]]) -> Values:
    found: Values = {}
    for kind, age in ages:
        found[(kind,)] = min(age, found.get((kind,), age))
    return found
