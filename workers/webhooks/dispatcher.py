"""Dispatching webhooks: makes deliveries of events, claims and sends those that are due, and records the outcomes.

It does not depend on Celery. A receiver that hangs delays only its own call.
"""

import asyncio
import json
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Thread
from typing import Any, NamedTuple, Protocol

import structlog

import metrics
import telemetry
from models import bulk, payment_view, webhook_delivery, webhook_endpoint, webhook_queue
from models.event import Event
from models.representations import bulk_body, endpoint_body, event_body, payment_body
from models.rules.webhook_retry import AttemptFailure, AttemptOutcome, wait_seconds
from models.session import (
    Connection,
    Contention,
    DatabaseUnavailable,
    Engine,
    StatementTimeout,
    statements,
    transaction,
)
from models.webhook_queue import Capacity, ClaimedDelivery, EndedAttempt
from workers.webhooks.sender import Clock, WebhookCall

EVENTS_MAX = 200
"""Events per transaction: each may have twenty deliveries for each of three users, made within two seconds."""

FAN_OUT_SECONDS = 2.0
"""Time limit of making deliveries in one task; the timetable sends it again."""

CAPACITY = Capacity(first=128, further=128, degraded=64)
"""Simultaneous calls of one process. Each kind has a limit of its own, so that endpoints which hang, are slow or fail,
however many, take no capacity from the first call of an endpoint that works."""

SLOW_SECONDS = 2.0
"""An endpoint is slow if its last call in this process took longer."""

SLOW_MAX = 10_000
"""Slow endpoints remembered; the oldest are dropped first, because endpoints can be created and deleted without end."""

NOT_LOGGED = {"answer", "detail"}
"""What receivers say is for the owner of the endpoint, not for the log."""

CLOSE_SECONDS = 20.0
"""Longer than a call takes: `close` waits for those under way."""

DATABASE_ERRORS = (DatabaseUnavailable, Contention, StatementTimeout)
"""The system's own database is lost, locked or slow: no fault of a receiver."""

log = structlog.get_logger("webhooks")

metrics.preset(metrics.WEBHOOK_CALLS, metrics.WEBHOOK_RESULTS)


class SendsWebhooks(Protocol):
    """Sends one webhook, and never raises."""

    async def send(self, call: WebhookCall) -> AttemptOutcome: ...


class EndpointOwner(NamedTuple):
    """The owner of an endpoint: a webhook shows them what the gateway would show them."""

    id: str
    reads_all: bool = False


class Dispatcher:
    """Sends due webhooks; one per process. One thread talks to the database, another makes all calls."""

    def __init__(self, engine: Engine, sender: SendsWebhooks, events_max: int = EVENTS_MAX) -> None:
        self.engine = engine
        self._sender = sender
        self._events_max = events_max
        self._slow: dict[str, None] = {}
        self._open: dict[tuple[str, int], ClaimedDelivery] = {}
        self._ended: deque[EndedAttempt] = deque()
        self._uncalled: list[ClaimedDelivery] = []
        """Deliveries claimed when the database was lost: their claims are released, which costs no attempt."""
        self._is_cycle_wanted = False
        self._is_closing = False
        self._db_thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks")
        self._loop = asyncio.new_event_loop()
        self._caller = Thread(target=self._loop.run_forever, name="webhook calls", daemon=True)
        self._caller.start()

    def dispatch(self) -> None:
        """Make deliveries of new events, and begin the calls that are due; the end of each call begins others.

        Raises DatabaseUnavailable or Contention: deliveries claimed by then are due again when their lease is over.
        """
        self._db_thread.submit(self._dispatch).result()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Begin no more calls, wait for those under way, and record their outcomes."""
        self._is_closing = True
        deadline = time.monotonic() + seconds
        try:
            self._db_thread.submit(self._cycle).result()  # after the cycle under way, which may have begun calls
            while self._open and time.monotonic() < deadline:
                wait([asyncio.run_coroutine_threadsafe(self._all_ended(), self._loop)], deadline - time.monotonic())
                self._db_thread.submit(self._cycle).result()
        finally:
            self._db_thread.shutdown()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._caller.join()
            self._loop.close()

    async def _all_ended(self) -> None:
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    def _dispatch(self) -> None:
        deadline = time.monotonic() + FAN_OUT_SECONDS
        is_full = True
        while is_full and time.monotonic() < deadline:
            with transaction(self.engine) as connection:
                is_full = webhook_queue.fan_out(connection, self._events_max) == self._events_max
        self._cycle()

    def _cycle(self) -> None:
        """Record ended calls, and begin as many as the capacity allows."""
        self._is_cycle_wanted = False
        self._record()
        self._release_uncalled()
        if self._is_closing:
            return
        calls = Counter(delivery.endpoint_id for delivery in self._open.values())
        degraded = sum(delivery.is_degraded for delivery in self._open.values())
        first = len({delivery.endpoint_id for delivery in self._open.values() if not delivery.is_degraded})
        taken = Capacity(first, len(self._open) - degraded - first, degraded)
        room = Capacity(*(max(0, most - now) for most, now in zip(CAPACITY, taken, strict=True)))
        claimed: list[ClaimedDelivery] = []
        asked_at = time.monotonic()
        try:
            with transaction(self.engine) as connection:
                claimed = webhook_queue.claim(connection, calls, self._slow, room)
            if claimed:
                self._begin(claimed, Clock(claimed[0].claimed_at, asked_at))
        except DATABASE_ERRORS:
            self._uncalled += claimed
            raise

    def _release_uncalled(self) -> None:
        if self._uncalled:
            with transaction(self.engine) as connection:
                webhook_delivery.give_back(connection, self._uncalled)
            self._uncalled = []

    def _begin(self, claimed: Sequence[ClaimedDelivery], clock: Clock) -> None:
        """Begin the calls of claimed deliveries; raises one of DATABASE_ERRORS before any call is made."""
        try:
            with statements(self.engine) as connection:
                secrets = webhook_queue.secrets(connection, [delivery.endpoint_id for delivery in claimed])
                bodies = _bodies(connection, claimed)
        except DATABASE_ERRORS:
            raise
        except Exception:  # the attempts count, so that this does not repeat without end
            for delivery in claimed:
                self._end(delivery, AttemptOutcome(None, AttemptFailure.INTERNAL))
            raise
        self._open.update({(delivery.id, delivery.attempt): delivery for delivery in claimed})
        for delivery in claimed:
            if delivery.is_spent:
                self._end(delivery, AttemptOutcome(None, AttemptFailure.INTERRUPTED))
            elif delivery.endpoint_id not in secrets:
                self._end(delivery, AttemptOutcome(None, AttemptFailure.UNSIGNED))
            elif delivery.id not in bodies:
                self._end(delivery, AttemptOutcome(None, AttemptFailure.INTERNAL))
            else:
                call = WebhookCall(delivery.id, delivery.url, bodies[delivery.id], secrets[delivery.endpoint_id], clock)
                asyncio.run_coroutine_threadsafe(self._call(delivery, call), self._loop)

    async def _call(self, delivery: ClaimedDelivery, call: WebhookCall) -> None:
        self._end(delivery, await self._sender.send(call))

    def _end(self, delivery: ClaimedDelivery, outcome: AttemptOutcome) -> None:
        """Record the outcome soon, together with others. If that fails, the next task repeats it and logs the error."""
        chance = random.random()  # noqa: S311 - jitter, no secret
        wait = None if outcome.error is None else wait_seconds(delivery.tries_left, chance, outcome.retry_after)
        self._ended.append(EndedAttempt(delivery, outcome, wait))
        if not self._is_cycle_wanted and not self._is_closing:
            self._is_cycle_wanted = True
            self._db_thread.submit(self._cycle).add_done_callback(_log_failure)

    def _record(self) -> None:
        """Record ended calls; one that cannot be recorded affects no other, and is due again after its lease."""
        ended = list(self._ended)
        try:
            self._save(ended)
        except DATABASE_ERRORS:
            raise
        except Exception:
            for attempt in ended:
                try:
                    self._save([attempt])
                except DATABASE_ERRORS:
                    raise
                except Exception as error:
                    log.error(
                        "the outcome of a webhook cannot be recorded", delivery=attempt.claimed.id, exc_info=error
                    )
                    self._forget(attempt)

    def _forget(self, attempt: EndedAttempt) -> None:
        self._ended.popleft()
        self._open.pop((attempt.claimed.id, attempt.claimed.attempt), None)
        self._slow.pop(attempt.claimed.endpoint_id, None)
        if attempt.outcome.milliseconds > SLOW_SECONDS * 1000:
            self._slow[attempt.claimed.endpoint_id] = None
            if len(self._slow) > SLOW_MAX:
                del self._slow[next(iter(self._slow))]

    def _save(self, ended: Sequence[EndedAttempt]) -> None:
        if not ended:
            return
        with transaction(self.engine) as connection:
            webhook_queue.note(connection, ended)
            disabled = webhook_queue.disable_hopeless(connection, ended)
        for attempt in ended:
            self._forget(attempt)
            metrics.WEBHOOK_CALLS.labels(attempt.state).inc()
            metrics.WEBHOOK_SECONDS.observe(attempt.outcome.milliseconds / 1000)
            if attempt.claimed.name.startswith("payment."):
                values = {"event": attempt.claimed.name, "state": attempt.state}
                telemetry.called(attempt.claimed.subject_id, attempt.outcome.milliseconds, values)
            log.info(
                "webhook " + attempt.state,
                delivery=attempt.claimed.id,
                endpoint=attempt.claimed.endpoint_id,
                attempt=attempt.claimed.attempt,
                **{name: value for name, value in attempt.outcome._asdict().items() if name not in NOT_LOGGED},
            )
        for id, reason in disabled:
            log.warning("webhook endpoint disabled", endpoint=id, reason=reason)


def _log_failure(cycle: Future[None]) -> None:
    if (error := cycle.exception()) is not None:
        log.warning("left to the next task", error=f"{type(error).__name__}: {error}")


def _bodies(connection: Connection, claimed: Sequence[ClaimedDelivery]) -> dict[str, str]:
    """The JSON body of each delivery, by its id: the event, with its subject as the endpoint's owner may see it now.

    A subject that cannot be represented is left out and does not affect the others.
    """
    views = payment_view.by_ids(
        connection, [delivery.subject_id for delivery in claimed if delivery.name.startswith("payment.")]
    )
    bulks = bulk.by_ids(connection, [delivery.subject_id for delivery in claimed if delivery.name.startswith("bulk.")])
    others = [
        delivery.subject_id
        for delivery in claimed
        if delivery.subject_id not in views and delivery.subject_id not in bulks
    ]
    endpoints = webhook_endpoint.by_ids(connection, others)
    bodies = {}
    for delivery in claimed:
        data: dict[str, Any] = {"id": delivery.subject_id}  # the subject is deleted
        try:
            if delivery.subject_id in views:
                data = payment_body(views[delivery.subject_id], EndpointOwner(delivery.user_id))
            elif delivery.subject_id in bulks:
                data = bulk_body(bulks[delivery.subject_id])
            elif delivery.subject_id in endpoints:
                data = endpoint_body(endpoints[delivery.subject_id])
        except Exception as error:
            log.error("the subject of a webhook cannot be represented", delivery=delivery.id, exc_info=error)
            continue
        event = Event("", delivery.sequence, delivery.name, delivery.subject_id, delivery.version, delivery.occurred_at)
        bodies[delivery.id] = json.dumps(event_body(event, data), separators=(",", ":"))
    return bodies
