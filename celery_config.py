"""The Celery app: queues, safety settings and timetable; and `ring()`, which sends a bell.

A bell is a message without content that wakes a worker, which then looks for due rows in the database. Losing,
doubling or reordering every one of them is harmless.
"""

import gc
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_init, worker_process_init, worker_shutdown
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

import broker
import logs
import settings
from models.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from celery.worker import WorkController

if "celery" in Path(sys.argv[0]).parts[-2:] and not {"worker", "beat"}.isdisjoint(sys.argv):
    logs.take_over()  # a worker or beat, not a program that only sends to them

POST = "workers.tasks.post"
SWEEP = "workers.tasks.sweep"
HEARTBEAT = "workers.tasks.heartbeat"
ENSURE_PARTITIONS = "workers.tasks.ensure_partitions"
WELCOME = "workers.tasks.welcome"
MAIL = "workers.tasks.mail"
FORGET = "workers.tasks.forget"
INSTRUCT = "workers.tasks.instruct"
DISPATCH = "workers.tasks.dispatch"

BELLS = "payments"
"""The posters' queue."""

RAILS = "rails"
"""The queue of the workers that send payouts to the bank."""

WEBHOOKS = "webhooks"
"""The queue of the workers that send webhooks."""

UPKEEP = "upkeep"

QUEUE_OF = {
    POST: BELLS,
    INSTRUCT: RAILS,
    DISPATCH: WEBHOOKS,
    **dict.fromkeys((SWEEP, HEARTBEAT, ENSURE_PARTITIONS, WELCOME, MAIL, FORGET), UPKEEP),
}
"""The queue of each task; each queue has a worker of its own."""

QUEUES = tuple(dict.fromkeys(QUEUE_OF.values()))

WAITING_MAX = Counter(QUEUE_OF.values())
"""By queue, how many of its newest messages are searched for a bell that is enough: one for each of its tasks. A
bell behind messages that others wrote is sent once more, and is then among the newest."""

SWEEP_SECONDS = 3.0

TIMETABLE = {
    SWEEP: SWEEP_SECONDS,
    POST: 5.0,  # besides the sweep's bells, so that posters record heartbeats
    INSTRUCT: 2.0,  # payouts are sent at once; this polls the bank's updates, and asks again
    DISPATCH: 1.0,  # the longest time until an event is sent
    HEARTBEAT: 5.0,
    WELCOME: 5.0,  # new users are rung for at once; these find those whose bell was lost
    MAIL: 5.0,
    ENSURE_PARTITIONS: 3600.0,
    FORGET: 3600.0,
}
"""Seconds after which beat sends each task again: without `expires`, which another process's clock would judge."""

SILENT_PERIODS = 3
"""After this many periods without a bell, a worker runs the task by itself."""

FREQUENT_SECONDS = 60.0
"""Tasks sent more often than this are run by the worker itself after a sweep's silence at most."""

DEBOUNCE_SECONDS = 0.02
"""A gateway process rings once for all payments accepted within this time: one message instead of hundreds, and an
unnoticeable delay."""

BREAKER_SECONDS = 5.0
"""After a failed ring no other is tried for this time: the timetable finds the rows once the broker is back."""

IMPATIENT = {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0}
"""Options for publishing: a frozen broker costs one second, then the breaker opens."""

ANSWER_SECONDS = 0.5
"""A broker that is slower to answer a ping counts as away."""

log = structlog.get_logger("bell")


broker.use(QUEUE_OF)

app = Celery("payments", broker=broker.url(settings.load().redis_url), include=["workers.tasks"])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_ignore_result=True,
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_default_queue=UPKEEP,
    task_create_missing_queues=False,
    task_routes={task: {"queue": queue} for task, queue in QUEUE_OF.items()},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_retry_on_worker_lost=True,
    task_annotations={"*": {"max_retries": 3, "default_retry_delay": 2}},
    task_publish_retry=False,
    task_publish_retry_policy={"max_retries": 0},
    task_soft_time_limit=20,
    task_time_limit=30,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # posters would be gone until the broker is back
    worker_soft_shutdown_timeout=25,
    worker_enable_remote_control=False,  # a worker whose broker was frozen could read its connection without end
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,  # a broker that is read-only or failed over ends no worker
    broker_transport_options={
        "visibility_timeout": 120,
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
        "health_check_interval": 10,
    },
    broker_pool_limit=2,
    result_expires=None,  # there are no results, so Celery's own clean-up task is not needed
    beat_scheduler="timetable:MonotonicScheduler",
    beat_max_loop_interval=SWEEP_SECONDS,
    beat_schedule={task: {"task": task, "schedule": seconds} for task, seconds in TIMETABLE.items()},
)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logs.configure(settings.load().log_level)


@celeryd_init.connect
def _log_plain_output(instance: object, **_: object) -> None:
    """Silence the banner and log the messages about signals, which Celery writes past sys.stdout."""
    from celery.apps import worker as program  # noqa: PLC0415 - of no use to those who only send

    instance.quiet = True  # type: ignore[attr-defined]
    program.safe_say = lambda text, *_: logs.say(text)


class BrokerAway(Exception):
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
        except BrokerAway as error:
            self._breaker.open()
            log.warning("the broker is away, the timetable will find what is due", task=self.task, error=str(error))
        except Exception:  # no content of the broker may end this thread
            self._breaker.open()
            log.exception("bell could not be sent, the timetable will find what is due", task=self.task)


_bells = {task: Bell(task, DEBOUNCE_SECONDS) for task in (POST, WELCOME, MAIL, INSTRUCT)}


def ring(request_id: str | None = None, task: str = POST) -> None:
    """Wake a worker for the task soon, a poster by default; call it after the commit.

    The request's id is sent along for the worker's log.
    """
    _bells[task].ring(request_id)


_publishing: Connection | None = None


def publish(request_id: str | None = None, task: str = POST) -> None:
    """Send one bell now, unless one for the same task waits: its worker will see all rows committed until it is taken.

    Raises BrokerAway after a second at the most.
    """
    global _publishing  # noqa: PLW0603 - one connection a process, replaced when it breaks
    try:
        if _publishing is None:
            _publishing = app.connection_for_write()
            _publishing.transport_options = {**app.conf.broker_transport_options, **IMPATIENT}
        client: Redis = _publishing.default_channel.client  # type: ignore[union-attr]
        queue = QUEUE_OF[task]
        waiting = client.lrange(queue, 0, WAITING_MAX[queue] - 1)
        if not any(f'"{task}"'.encode() in message for message in waiting):
            app.send_task(task, producer=app.amqp.Producer(_publishing), headers={"request_id": request_id})
    except (OperationalError, RedisError, OSError) as error:
        broken, _publishing = _publishing, None
        if broken is not None:
            broken.release()
        raise BrokerAway(str(error)) from error


def is_broker_up(redis_url: str) -> bool:
    """Return True if the broker answers a ping in time."""
    timeouts = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    if redis_url.startswith("unix://"):
        del timeouts["socket_connect_timeout"]
    try:
        with Redis.from_url(redis_url, **timeouts, retry=None) as client:
            return bool(client.ping())
    except RedisError:
        return False


@worker_init.connect
def _preflight(sender: "WorkController", **_: object) -> None:
    from workers import process  # noqa: PLC0415 - the workers import this module

    process.bound_statements()
    process.worker_name = sender.hostname
    process.preflight(rails=RAILS in app.amqp.queues.consume_from)


@worker_process_init.connect
def _drop_inherited_connections(**_: object) -> None:
    from workers import process  # noqa: PLC0415 - the workers import this module

    process.forget_connections()


@worker_process_init.connect
def _start_own_clock(**_: object) -> None:
    """Let each task process run the tasks of its queues by its own clock when no bells arrive."""
    from workers import task_loop  # noqa: PLC0415 - the workers import this module

    tasks = {task for task, queue in QUEUE_OF.items() if queue in app.amqp.queues.consume_from}
    task_loop.run_overdue_tasks({task: (app.tasks[task], silence_seconds(task)) for task in tasks})


def silence_seconds(task: str) -> float:
    """Seconds without a bell after which a worker runs this task by itself."""
    seconds = TIMETABLE[task]
    return SILENT_PERIODS * (min(seconds, SWEEP_SECONDS) if seconds < FREQUENT_SECONDS else seconds)


@worker_process_init.connect
def _freeze_loaded_objects(**_: object) -> None:
    """Exclude loaded objects from garbage collection, which would also copy memory that the pool's processes share."""
    gc.freeze()


@worker_shutdown.connect
def _finish_webhooks(**_: object) -> None:
    from workers import process  # noqa: PLC0415 - the workers import this module

    process.finish_webhooks()
