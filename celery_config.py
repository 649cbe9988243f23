"""The Celery app: its safety settings, its timetable, and `ring()`, the bell that wakes a poster.

A message is only a bell: losing, doubling or reordering every one of them is harmless.
"""

import gc
import sys
import threading
import time
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
    logs.take_over()  # this is a worker or beat, rather than a program that sends to them

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
"""The posters' queue: nothing but bells are sent to it."""

RAILS = "rails"
"""The queue of those who tell the bank."""

WEBHOOKS = "webhooks"
"""The queue of those who send webhooks."""

UPKEEP = "upkeep"

QUEUE_OF = {
    POST: BELLS,
    INSTRUCT: RAILS,
    DISPATCH: WEBHOOKS,
    **dict.fromkeys((SWEEP, HEARTBEAT, ENSURE_PARTITIONS, WELCOME, MAIL, FORGET), UPKEEP),
}
"""Where each task waits; each queue has a worker of its own, which takes no other task from it."""

QUEUES = tuple(dict.fromkeys(QUEUE_OF.values()))

WAITING_MAX = 32
"""Messages of a queue that are looked through for a bell that is enough: more than there are tasks."""

SWEEP_SECONDS = 3.0

TIMETABLE = {
    SWEEP: SWEEP_SECONDS,
    POST: 5.0,  # besides the sweep's bells, so that the posters have a heartbeat
    INSTRUCT: 2.0,  # what is held is told to the bank at once; this hears its news, and asks again
    DISPATCH: 1.0,  # so soon after its transition an event is on its way
    HEARTBEAT: 5.0,
    WELCOME: 5.0,  # who signed up is welcomed and written to at once; these find those whose bell was lost
    MAIL: 5.0,
    ENSURE_PARTITIONS: 3600.0,
    FORGET: 3600.0,
}
"""After how many seconds beat sends each task again: without `expires`, which another process's clock would judge."""

SILENT_PERIODS = 3
"""Without a bell for so long, a worker does by itself what beat sends."""

FREQUENT_SECONDS = 60.0
"""What is sent more often than this waits no longer than a sweep would."""

DEBOUNCE_SECONDS = 0.02
"""A gateway process rings once for all that it accepted within this time: one message instead of hundreds, and a delay
that nobody notices."""

BREAKER_SECONDS = 5.0
"""After a failed ring nobody tries for so long: the timetable finds the rows once the broker is back."""

IMPATIENT = {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0}
"""For publishing: a frozen broker may cost a second, and then the breaker opens."""

ANSWER_SECONDS = 0.5

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
    worker_cancel_long_running_tasks_on_connection_loss=False,  # posters would be gone until it is back
    worker_soft_shutdown_timeout=25,
    worker_enable_remote_control=False,  # a worker whose broker was frozen could read its line for ever
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,  # a broker that refuses to write, or another has taken over from, ends no worker
    broker_transport_options={
        "visibility_timeout": 120,
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
        "health_check_interval": 10,
    },
    broker_pool_limit=2,
    result_expires=None,  # no results, and so no timed task of Celery's own that would clean them up
    beat_scheduler="timetable:MonotonicScheduler",
    beat_max_loop_interval=SWEEP_SECONDS,
    beat_schedule={task: {"task": task, "schedule": seconds} for task, seconds in TIMETABLE.items()},
)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logs.configure(settings.load().log_level)


@celeryd_init.connect
def _say_nothing_plain(instance: object, **_: object) -> None:
    """The banner, and what is said when a signal comes, go past every stream that Python knows."""
    from celery.apps import worker as program  # noqa: PLC0415 - of no use to those who only send

    instance.quiet = True  # type: ignore[attr-defined]
    program.safe_say = lambda words, *_: logs.say(words)


class BrokerAway(Exception):
    """The broker cannot be reached; nothing is lost, a sweep finds what is due."""


class Bell:
    """Rings at the trailing edge: one message for all rows that this process kept in the last few milliseconds."""

    def __init__(self, task: str, debounce_seconds: float) -> None:
        self.task = task
        self.debounce_seconds = debounce_seconds
        self._is_wanted = threading.Event()
        self._request_id: str | None = None
        self._breaker = CircuitBreaker(BREAKER_SECONDS)
        self._ringer: threading.Thread | None = None
        self._starting = threading.Lock()

    def ring(self, request_id: str | None = None) -> None:
        """Ask for a ring; returns at once and never raises: the row is kept, and the timetable would find it."""
        if self._ringer is None:
            with self._starting:
                if self._ringer is None:
                    self._ringer = threading.Thread(target=self._ring_for_ever, name="bell", daemon=True)
                    self._ringer.start()
        self._request_id = request_id
        self._is_wanted.set()

    def _ring_for_ever(self) -> None:
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
        except Exception:  # whatever stands in the broker must not end this thread
            self._breaker.open()
            log.exception("the bell could not be sent, the timetable will find what is due", task=self.task)


_bells = {task: Bell(task, DEBOUNCE_SECONDS) for task in (POST, WELCOME, MAIL, INSTRUCT)}


def ring(request_id: str | None = None, task: str = POST) -> None:
    """Wake a poster, or whoever does that task, soon; call it after the commit.

    The request's id goes along into the worker's log.
    """
    _bells[task].ring(request_id)


_publishing: Connection | None = None


def publish(request_id: str | None = None, task: str = POST) -> None:
    """Send one bell now, unless one for the same task waits: whoever takes it sees all that is committed by then.

    Raises BrokerAway after a second at the most.
    """
    global _publishing  # noqa: PLW0603 - one connection a process, replaced when it breaks
    try:
        if _publishing is None:
            _publishing = app.connection_for_write()
            _publishing.transport_options = {**app.conf.broker_transport_options, **IMPATIENT}
        client: Redis = _publishing.default_channel.client  # type: ignore[union-attr]
        waiting = client.lrange(QUEUE_OF[task], 0, WAITING_MAX - 1)
        if not any(f'"{task}"'.encode() in message for message in waiting):
            app.send_task(task, producer=app.amqp.Producer(_publishing), headers={"request_id": request_id})
    except (OperationalError, RedisError, OSError) as error:
        broken, _publishing = _publishing, None
        if broken is not None:
            broken.release()
        raise BrokerAway(str(error)) from error


def is_broker_up(redis_url: str) -> bool:
    """Whether the broker answers, within half a second: one that is slower is as good as away."""
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
def _forget_the_parents_connections(**_: object) -> None:
    from workers import process  # noqa: PLC0415 - the workers import this module

    process.forget_connections()


@worker_process_init.connect
def _keep_going(**_: object) -> None:
    """In each process that does tasks: those of its queues go on without bells."""
    from workers import task_loop  # noqa: PLC0415 - the workers import this module

    tasks = {task for task, queue in QUEUE_OF.items() if queue in app.amqp.queues.consume_from}
    task_loop.run_overdue_tasks({task: (app.tasks[task], silence_seconds(task)) for task in tasks})


def silence_seconds(task: str) -> float:
    """After how long a worker does this task by itself."""
    seconds = TIMETABLE[task]
    return SILENT_PERIODS * (min(seconds, SWEEP_SECONDS) if seconds < FREQUENT_SECONDS else seconds)


@worker_process_init.connect
def _keep_what_is_loaded(**_: object) -> None:
    """No need to look through it for garbage again, which would also copy what the processes of a pool share."""
    gc.freeze()


@worker_shutdown.connect
def _end_calls(**_: object) -> None:
    from workers import process  # noqa: PLC0415 - the workers import this module

    process.end_calls()
