"""Dispatching webhooks: events become deliveries, what is due is claimed and called, and what came of it is kept.

It knows no Celery. A receiver may hang for as long as a call lasts: only its own call waits for it.
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

from models import bulk, payment_view, webhook_delivery, webhook_endpoint, webhook_queue
from models.event import Event
from models.representations import bulk_body, endpoint_body, event_body, payment_body
from models.rules.webhook_retry import AttemptFailure, AttemptOutcome, wait_seconds
from models.session import Connection, Contention, DatabaseAway, Engine, StatementTimeout, statements, transaction
from models.webhook_queue import Capacity, ClaimedDelivery, EndedAttempt
from workers.webhooks.sender import Clock, WebhookCall

EVENTS_MAX = 200
"""Made into deliveries in one transaction: of each, three users may have twenty, so many in two seconds."""

FAN_OUT_SECONDS = 2.0
"""How long one task goes on with that; the timetable goes on."""

ROOM = Capacity(first=128, further=128, degraded=64)
"""For calls at once, in one process: each kind has places of its own, so that endpoints which hang eight times over, or
are slow or fail, however many, take none from the first call of one that works."""

SLOW_SECONDS = 2.0
"""Whose last call here took longer is slow."""

SLOW_MAX = 10_000
"""Of more, those known for longest count as quick again: endpoints may be made and deleted without end."""

CLOSE_SECONDS = 20.0
"""Longer than a call takes: who is told to end waits for those under way."""

OUR_TROUBLE = (DatabaseAway, Contention, StatementTimeout)
"""Our own database is lost, locked or slow: no receiver has anything to do with that."""

log = structlog.get_logger("webhooks")


class SendsWebhooks(Protocol):
    """Makes a call, and never raises."""

    async def send(self, call: WebhookCall) -> AttemptOutcome: ...


class EndpointOwner(NamedTuple):
    """Whose endpoint it is: he sees in a webhook what he would see of it at the gateway."""

    id: str
    reads_all: bool = False


class Dispatcher:
    """Sends what is due; one per process. One thread speaks to the database, another makes all calls in its loop."""

    def __init__(self, engine: Engine, sender: SendsWebhooks, events_max: int = EVENTS_MAX) -> None:
        self.engine = engine
        self._sender = sender
        self._events_max = events_max
        self._slow: dict[str, None] = {}
        self._open: dict[tuple[str, int], ClaimedDelivery] = {}
        self._ended: deque[EndedAttempt] = deque()
        self._uncalled: list[ClaimedDelivery] = []
        """Claimed when our own database was lost: they are given back, which costs their receivers no try."""
        self._is_cycle_wanted = False
        self._is_closing = False
        self._db_thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks")
        self._loop = asyncio.new_event_loop()
        self._caller = Thread(target=self._loop.run_forever, name="webhook calls", daemon=True)
        self._caller.start()

    def dispatch(self) -> None:
        """Make deliveries of new events, and begin the calls that are due; each one's end begins others by itself.

        Raises DatabaseAway or Contention: what was claimed by then is due again when its lease is over.
        """
        self._db_thread.submit(self._dispatch).result()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Begin no more, wait for the calls under way, and keep what came of them."""
        self._is_closing = True
        deadline = time.monotonic() + seconds
        try:
            self._db_thread.submit(self._cycle).result()  # after whatever is under way, which may have begun calls
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
        """Keep what has ended, and begin as many calls as there is room for."""
        self._is_cycle_wanted = False
        self._note()
        self._give_back()
        if self._is_closing:
            return
        calls = Counter(one.endpoint_id for one in self._open.values())
        degraded = sum(one.is_degraded for one in self._open.values())
        first = len({one.endpoint_id for one in self._open.values() if not one.is_degraded})
        taken = Capacity(first, len(self._open) - degraded - first, degraded)
        room = Capacity(*(max(0, most - now) for most, now in zip(ROOM, taken, strict=True)))
        claimed: list[ClaimedDelivery] = []
        asked_at = time.monotonic()
        try:
            with transaction(self.engine) as connection:
                claimed = webhook_queue.claim(connection, calls, self._slow, room)
            if claimed:
                self._begin(claimed, Clock(claimed[0].claimed_at, asked_at))
        except OUR_TROUBLE:
            self._uncalled += claimed
            raise

    def _give_back(self) -> None:
        if self._uncalled:
            with transaction(self.engine) as connection:
                webhook_delivery.give_back(connection, self._uncalled)
            self._uncalled = []

    def _begin(self, claimed: Sequence[ClaimedDelivery], clock: Clock) -> None:
        """Call those who are to be told; raises OUR_TROUBLE before anybody was called."""
        try:
            with statements(self.engine) as connection:
                secrets = webhook_queue.secrets(connection, [one.endpoint_id for one in claimed])
                bodies = _bodies(connection, claimed)
        except OUR_TROUBLE:
            raise
        except Exception:  # whatever it is, it must not be tried without end
            for one in claimed:
                self._end(one, AttemptOutcome(None, AttemptFailure.INTERNAL))
            raise
        self._open.update({(one.id, one.attempt): one for one in claimed})
        for one in claimed:
            if one.is_spent:
                self._end(one, AttemptOutcome(None, AttemptFailure.INTERRUPTED))
            elif one.endpoint_id not in secrets:
                self._end(one, AttemptOutcome(None, AttemptFailure.UNSIGNED))
            elif one.id not in bodies:
                self._end(one, AttemptOutcome(None, AttemptFailure.INTERNAL))
            else:
                call = WebhookCall(one.id, one.url, bodies[one.id], secrets[one.endpoint_id], clock)
                asyncio.run_coroutine_threadsafe(self._call(one, call), self._loop)

    async def _call(self, one: ClaimedDelivery, call: WebhookCall) -> None:
        self._end(one, await self._sender.send(call))

    def _end(self, one: ClaimedDelivery, outcome: AttemptOutcome) -> None:
        """Note the outcome soon, with those of others. If that fails, the next task does it, and says why it cannot."""
        chance = random.random()  # noqa: S311 - jitter, no secret
        wait = None if outcome.error is None else wait_seconds(one.tries_left, chance, outcome.retry_after)
        self._ended.append(EndedAttempt(one, outcome, wait))
        if not self._is_cycle_wanted and not self._is_closing:
            self._is_cycle_wanted = True
            self._db_thread.submit(self._cycle).add_done_callback(_complain)

    def _note(self) -> None:
        """Keep what has ended; what cannot be kept harms no other, and is tried again after its lease."""
        ended = list(self._ended)
        try:
            self._keep(ended)
        except OUR_TROUBLE:
            raise
        except Exception:
            for one in ended:
                try:
                    self._keep([one])
                except OUR_TROUBLE:
                    raise
                except Exception as error:
                    log.error("the outcome of a webhook cannot be kept", delivery=one.claimed.id, exc_info=error)
                    self._forget(one)

    def _forget(self, one: EndedAttempt) -> None:
        self._ended.popleft()
        self._open.pop((one.claimed.id, one.claimed.attempt), None)
        self._slow.pop(one.claimed.endpoint_id, None)
        if one.outcome.milliseconds > SLOW_SECONDS * 1000:
            self._slow[one.claimed.endpoint_id] = None
            if len(self._slow) > SLOW_MAX:
                del self._slow[next(iter(self._slow))]

    def _keep(self, ended: Sequence[EndedAttempt]) -> None:
        if not ended:
            return
        with transaction(self.engine) as connection:
            webhook_queue.note(connection, ended)
            disabled = webhook_queue.disable_hopeless(connection, ended)
        for one in ended:
            self._forget(one)
            log.info(
                "webhook " + one.state,
                delivery=one.claimed.id,
                endpoint=one.claimed.endpoint_id,
                attempt=one.claimed.attempt,
                **one.outcome._asdict(),
            )
        for id, reason in disabled:
            log.warning("webhook endpoint disabled", endpoint=id, reason=reason)


def _complain(round: Future[None]) -> None:
    if (error := round.exception()) is not None:
        log.warning("left to the next task", error=f"{type(error).__name__}: {error}")


def _bodies(connection: Connection, claimed: Sequence[ClaimedDelivery]) -> dict[str, str]:
    """What each delivery says, by its id: the event, with its subject as the endpoint's owner may see it now.

    One that cannot be shown is left out: it harms no other.
    """
    views = payment_view.by_ids(connection, [one.subject_id for one in claimed if one.name.startswith("payment.")])
    bulks = bulk.by_ids(connection, [one.subject_id for one in claimed if one.name.startswith("bulk.")])
    others = [one.subject_id for one in claimed if one.subject_id not in views and one.subject_id not in bulks]
    endpoints = webhook_endpoint.by_ids(connection, others)
    bodies = {}
    for one in claimed:
        data: dict[str, Any] = {"id": one.subject_id}  # all that is left to say of what is gone
        try:
            if one.subject_id in views:
                data = payment_body(views[one.subject_id], EndpointOwner(one.user_id))
            elif one.subject_id in bulks:
                data = bulk_body(bulks[one.subject_id])
            elif one.subject_id in endpoints:
                data = endpoint_body(endpoints[one.subject_id])
        except Exception as error:
            log.error("the subject of a webhook cannot be shown", delivery=one.id, exc_info=error)
            continue
        event = Event("", one.sequence, one.name, one.subject_id, one.version, one.occurred_at)
        bodies[one.id] = json.dumps(event_body(event, data), separators=(",", ":"))
    return bodies
