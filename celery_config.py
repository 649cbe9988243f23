"""The Celery app: its safety settings, its timetable, and `ring()`, the bell that wakes a poster.

A message is only a bell: losing, doubling or reordering every one of them is harmless.
"""

import gc
import threading
import time

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_init, worker_shutdown
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport import redis as transport
from kombu.transport import virtual
from redis import Redis
from redis.exceptions import ConnectionError as LineLost
from redis.exceptions import RedisError

import logs
import settings

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

QUEUES = (BELLS, "upkeep", RAILS, WEBHOOKS)
"""All queues that anything is routed to; each has a worker of its own."""

ONE_BELL_IS_ENOUGH = {POST: BELLS, INSTRUCT: RAILS, DISPATCH: WEBHOOKS}
"""Tasks with a queue of their own: whoever takes the bell that waits there sees all that is committed by then."""

SWEEP_SECONDS = 3.0
NEWCOMERS_SECONDS = 5.0
"""Who signed up is welcomed and written to at once; this finds those whose bell was lost."""
INSTRUCT_SECONDS = 2.0
"""What is held is told to the bank at once; this hears its news, and asks again."""
DISPATCH_SECONDS = 1.0
"""So soon after its transition an event is on its way."""
HEARTBEAT_SECONDS = 5.0
HOUSEKEEPING_SECONDS = 3600.0

BREAKER_SECONDS = 5.0
"""After a failed ring nobody tries for so long: the timetable finds the rows once the broker is back."""

IMPATIENT = {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0}
"""For publishing: a frozen broker may cost a second, and then the breaker opens."""

log = structlog.get_logger("bell")


def _broker_url(url: str) -> str:
    """The broker's URL as kombu spells it: a Unix socket is redis+socket://."""
    return url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")


class QoS(transport.QoS):
    """Kombu 5.7 gives the place of a message back once it is acknowledged, and never if the line is lost by then; a
    worker whose places were all gone listened no more, and did not notice that its line was lost.
    """

    def ack(self, delivery_tag: str) -> None:
        """Give the place back whatever happens: a bell that is not acknowledged rings again."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """As `ack`."""
        try:
            super().reject(delivery_tag, requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)


class Channel(transport.Channel):
    """Celery 5.7 closes a lost connection twice. A channel with a bell in hand would give it back the second time, over
    what is no connection any more; the AttributeError of that ended the worker.
    """

    QoS = QoS

    def _connparams(self, *args: object, **kwargs: object) -> dict[str, object]:
        if self.connection.client is None:
            raise LineLost("this connection to the broker was closed")
        return super()._connparams(*args, **kwargs)


transport.Transport.Channel = Channel

app = Celery("payments", broker=_broker_url(settings.load().redis_url), include=["workers.tasks"])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_ignore_result=True,
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_default_queue="upkeep",
    task_create_missing_queues=False,
    task_routes={task: {"queue": queue} for task, queue in ONE_BELL_IS_ENOUGH.items()},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_retry_on_worker_lost=True,
    task_annotations={"*": {"max_retries": 3, "default_retry_delay": 2}},
    task_publish_retry=False,
    task_publish_retry_policy={"max_retries": 0},
    task_soft_time_limit=20,
    task_time_limit=30,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
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
    beat_max_loop_interval=SWEEP_SECONDS,
    beat_schedule={
        "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": 2 * SWEEP_SECONDS}},
        "instruct": {"task": INSTRUCT, "schedule": INSTRUCT_SECONDS, "options": {"expires": 2 * INSTRUCT_SECONDS}},
        "dispatch": {"task": DISPATCH, "schedule": DISPATCH_SECONDS, "options": {"expires": 2 * DISPATCH_SECONDS}},
        "heartbeat of posting": {
            "task": POST,
            "schedule": HEARTBEAT_SECONDS,
            "options": {"expires": 2 * HEARTBEAT_SECONDS},
        },
        "heartbeat of upkeep": {
            "task": HEARTBEAT,
            "schedule": HEARTBEAT_SECONDS,
            "options": {"expires": 2 * HEARTBEAT_SECONDS},
        },
        **{
            task: {"task": task, "schedule": NEWCOMERS_SECONDS, "options": {"expires": 2 * NEWCOMERS_SECONDS}}
            for task in (WELCOME, MAIL)
        },
        "partitions": {"task": ENSURE_PARTITIONS, "schedule": HOUSEKEEPING_SECONDS},
        "forget": {"task": FORGET, "schedule": HOUSEKEEPING_SECONDS},
    },
)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logs.configure(settings.load().log_level)


class BrokerAway(Exception):
    """The broker cannot be reached; nothing is lost, a sweep finds what is due."""


class Bell:
    """Rings at the trailing edge: one message for all rows that this process kept in the last few milliseconds."""

    def __init__(self, task: str, debounce_seconds: float) -> None:
        self.task = task
        self.debounce_seconds = debounce_seconds
        self._is_wanted = threading.Event()
        self._request_id: str | None = None
        self._is_broken_until = 0.0
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
            if time.monotonic() >= self._is_broken_until:
                self._publish()

    def _publish(self) -> None:
        try:
            publish(self._request_id, self.task)
        except BrokerAway as error:
            self._is_broken_until = time.monotonic() + BREAKER_SECONDS
            log.warning("the broker is away, the timetable will find what is due", task=self.task, error=str(error))


_bells = {task: Bell(task, settings.load().bell_debounce_ms / 1000) for task in (POST, WELCOME, MAIL, INSTRUCT)}


def ring(request_id: str | None = None, task: str = POST) -> None:
    """Wake a poster, or whoever does that task, soon; call it after the commit.

    The request's id goes along into the worker's log.
    """
    _bells[task].ring(request_id)


_publishing: Connection | None = None


def publish(request_id: str | None = None, task: str = POST) -> None:
    """Send one bell now, unless one that is enough waits already.

    Raises BrokerAway after a second at the most.
    """
    global _publishing  # noqa: PLW0603 - one connection a process, replaced when it breaks
    try:
        if _publishing is None:
            _publishing = app.connection_for_write()
            _publishing.transport_options = {**app.conf.broker_transport_options, **IMPATIENT}
        broker: Redis = _publishing.default_channel.client  # type: ignore[union-attr]
        if task not in ONE_BELL_IS_ENOUGH or broker.llen(ONE_BELL_IS_ENOUGH[task]) == 0:
            app.send_task(task, producer=app.amqp.Producer(_publishing), headers={"request_id": request_id})
    except (OperationalError, RedisError, OSError) as error:
        broken, _publishing = _publishing, None
        if broken is not None:
            broken.release()
        raise BrokerAway(str(error)) from error


@worker_init.connect
def _preflight(**_: object) -> None:
    from workers import runtime  # noqa: PLC0415 - the workers import this module

    runtime.preflight(rails=RAILS in app.amqp.queues.consume_from)


@worker_process_init.connect
def _forget_the_parents_connections(**_: object) -> None:
    from workers import runtime  # noqa: PLC0415 - the workers import this module

    runtime.forget_connections()


@worker_process_init.connect
def _keep_what_is_loaded(**_: object) -> None:
    """No need to look through it for garbage again, which would also copy what the processes of a pool share."""
    gc.freeze()


@worker_shutdown.connect
def _end_calls(**_: object) -> None:
    from workers import runtime  # noqa: PLC0415 - the workers import this module

    runtime.end_calls()
