"""The bell: a message without content that wakes a worker, which then looks for due rows in the database.

Losing, doubling or reordering every one of them is harmless.
"""

import threading
import time
from collections import Counter
from typing import Any

import structlog
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

import broker_amqp
import metrics
import redis_urls
import telemetry
from celery_config import CARRY_OUT, INSTRUCT, MAIL, POST, QUEUE_OF, QUEUES, WELCOME, app
from models.circuit_breaker import CircuitBreaker

WAITING_MAX = Counter(QUEUE_OF.values())
"""By queue, how many of its newest messages are searched for a bell that is enough: one for each of its tasks. A
bell behind messages that others wrote is sent once more, and is then among the newest."""

SHARED_QUEUE_MAX = 100
"""Messages that may wait in a queue of RabbitMQ that several tasks share: some minutes of the timetable."""

DEBOUNCE_SECONDS = 0.02
"""A gateway process rings once for all payments accepted within this time: one message instead of hundreds, and an
unnoticeable delay."""

BREAKER_SECONDS = 5.0
"""After a failed ring no other is tried for this time: the timetable finds the rows once the broker is back."""

IMPATIENT = {
    **{"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0},
    **{"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1},
}
"""Options for publishing, of Redis and of RabbitMQ: a frozen broker costs one second, then the breaker opens."""

ANSWER_SECONDS = 0.5
"""A broker that is slower to answer a ping counts as unavailable."""

log = structlog.get_logger("bell")

metrics.preset(metrics.BELLS, QUEUE_OF, metrics.BELL_RESULTS)


class BrokerUnavailable(Exception):
    """The broker cannot be reached; nothing is lost, since a sweep finds what is due."""


class Bell:
    """Debounced wake-up of a worker: one message for all rows that this process commits within some milliseconds."""

    def __init__(self, task: str, debounce_seconds: float) -> None:
        self.task = task
        self.debounce_seconds = debounce_seconds
        self._is_wanted = threading.Event()
        self._request_id: str | None = None
        self._breaker = CircuitBreaker(BREAKER_SECONDS)
        self._ringer: threading.Thread | None = None
        self._starting = threading.Lock()

    def ring(self, request_id: str | None = None) -> None:
        """Request a message; returns at once and never raises: the timetable would find the committed row."""
        if self._ringer is None:
            with self._starting:
                if self._ringer is None:
                    self._ringer = threading.Thread(target=self._ring_when_wanted, name="bell", daemon=True)
                    self._ringer.start()
        self._request_id = request_id
        self._is_wanted.set()

    def _ring_when_wanted(self) -> None:
        while True:
            self._is_wanted.wait()
            time.sleep(self.debounce_seconds)
            self._is_wanted.clear()
            if not self._breaker.is_open:
                self._publish()

    def _publish(self) -> None:
        try:
            publish(self._request_id, self.task)
        except BrokerUnavailable as error:
            self._breaker.open()
            log.warning("the broker is unavailable, a sweep will find what is due", task=self.task, error=str(error))
        except Exception:  # no content of the broker may end this thread
            self._breaker.open()
            log.exception("bell could not be sent, a sweep will find what is due", task=self.task)


_bells = {task: Bell(task, DEBOUNCE_SECONDS) for task in (POST, WELCOME, MAIL, INSTRUCT, CARRY_OUT)}


def ring(request_id: str | None = None, task: str = POST) -> None:
    """Wake a worker for the task soon, a poster by default; call it after the commit.

    The request's id is sent along for the worker's log.
    """
    _bells[task].ring(request_id)


_publishing: Connection | None = None
_publishing_lock = threading.Lock()
"""Tasks of different queues, beat and each bell are threads of their own."""


def publish(request_id: str | None = None, task: str = POST) -> None:
    """Send one bell now, unless one for the same task waits: its worker will see all rows committed until it is taken.

    Raises BrokerUnavailable after a second at the most.
    """
    global _publishing  # noqa: PLW0603 - one connection a process, replaced when it breaks
    with _publishing_lock:
        try:
            if _publishing is None:
                _publishing = app.connection_for_write()
                _publishing.transport_options = {**app.conf.broker_transport_options, **IMPATIENT}
            channel: Any = _publishing.default_channel
            is_amqp = isinstance(channel, broker_amqp.Channel)
            is_needed = not (_is_full(channel, task) if is_amqp else _is_waiting(channel.client, task))
            if is_needed:
                sent_to = broker_amqp.route(QUEUE_OF[task]) if is_amqp else {}
                producer = app.amqp.Producer(_publishing)
                app.send_task(task, producer=producer, headers={"request_id": request_id}, **sent_to)
            _count(task, "sent" if is_needed else "doubled")
        except (OperationalError, RedisError, *broker_amqp.FAILURES) as error:
            _count(task, "failed")
            broken, _publishing = _publishing, None
            if broken is not None:
                broken.collect(ANSWER_SECONDS)  # says no good-bye, for which RabbitMQ's answer would be waited for
            raise BrokerUnavailable(str(error)) from error


def _is_waiting(client: Redis, task: str) -> bool:
    """Whether a message of the task is among the newest that wait."""
    queue = QUEUE_OF[task]
    return any(f'"{task}"'.encode() in message for message in client.lrange(queue, 0, WAITING_MAX[queue] - 1))


def _is_full(channel: broker_amqp.Channel, task: str) -> bool:
    """Whether so many messages wait that the task's worker is behind: one, or where tasks share a queue, a hundred."""
    queue = QUEUE_OF[task]
    return broker_amqp.length(channel, queue) >= (1 if WAITING_MAX[queue] == 1 else SHARED_QUEUE_MAX)


def _count(task: str, result: str) -> None:
    metrics.BELLS.labels(task, result).inc()
    telemetry.rung(task, result)


def is_broker_up(url: str) -> bool:
    """Return True if the broker answers in time."""
    if broker_amqp.is_amqp(url):
        return broker_amqp.is_up(url, ANSWER_SECONDS)
    try:
        with _impatient_client(url) as client:
            return bool(client.ping())
    except RedisError:
        return False


def depths(url: str) -> dict[str, int] | None:
    """The number of messages in each queue; None if the broker does not answer in time."""
    if broker_amqp.is_amqp(url):
        return broker_amqp.depths(url, QUEUES, ANSWER_SECONDS)
    try:
        with _impatient_client(url) as client:
            return {queue: int(client.llen(queue)) for queue in QUEUES}
    except RedisError:
        return None


def _impatient_client(url: str) -> Redis:
    return redis_urls.client(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None)
