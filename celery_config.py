"""The Celery app: its safety settings, its timetable, and `ring()`, the bell that wakes a poster.

A message is only a bell: losing, doubling or reordering every one of them is harmless.
"""

import threading
import time

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_process_init
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

import logs
import settings

POST = "workers.tasks.post"
SWEEP = "workers.tasks.sweep"
HEARTBEAT = "workers.tasks.heartbeat"
ENSURE_PARTITIONS = "workers.tasks.ensure_partitions"

QUEUES = ("payments", "upkeep")
"""All queues that anything is routed to; each has a worker of its own."""

SWEEP_SECONDS = 3.0
HEARTBEAT_SECONDS = 5.0
PARTITIONS_SECONDS = 3600.0

BREAKER_SECONDS = 5.0
"""After a failed ring nobody tries for so long: the sweep finds the payments once the broker is back."""

log = structlog.get_logger("bell")


def _broker_url(url: str) -> str:
    """The broker's URL as kombu spells it: a Unix socket is redis+socket://."""
    return url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")


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
    task_routes={POST: {"queue": "payments"}},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_publish_retry=False,
    task_publish_retry_policy={"max_retries": 0},
    task_soft_time_limit=20,
    task_time_limit=30,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_soft_shutdown_timeout=25,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
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
        "heartbeat of posting": {
            "task": HEARTBEAT,
            "schedule": HEARTBEAT_SECONDS,
            "options": {"queue": "payments", "expires": 2 * HEARTBEAT_SECONDS},
        },
        "heartbeat of upkeep": {
            "task": HEARTBEAT,
            "schedule": HEARTBEAT_SECONDS,
            "options": {"queue": "upkeep", "expires": 2 * HEARTBEAT_SECONDS},
        },
        "partitions": {"task": ENSURE_PARTITIONS, "schedule": PARTITIONS_SECONDS},
    },
)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logs.configure(settings.load().log_level)


class Bell:
    """Rings at the trailing edge: one message for all payments of the last few milliseconds of this process."""

    def __init__(self, debounce_seconds: float) -> None:
        self.debounce_seconds = debounce_seconds
        self._is_wanted = threading.Event()
        self._closed_until = 0.0
        self._ringer: threading.Thread | None = None
        self._starting = threading.Lock()

    def ring(self) -> None:
        """Ask for a ring; returns at once and never raises: the payment is kept, and a sweep would find it."""
        if self._ringer is None:
            with self._starting:
                if self._ringer is None:
                    self._ringer = threading.Thread(target=self._ring_for_ever, name="bell", daemon=True)
                    self._ringer.start()
        self._is_wanted.set()

    def _ring_for_ever(self) -> None:
        while True:
            self._is_wanted.wait()
            time.sleep(self.debounce_seconds)
            self._is_wanted.clear()
            if time.monotonic() >= self._closed_until:
                self._publish()

    def _publish(self) -> None:
        try:
            publish()
        except (OperationalError, RedisError, OSError) as error:
            self._closed_until = time.monotonic() + BREAKER_SECONDS
            log.warning("the broker is away, the sweep will find the payments", error=str(error))


def publish() -> None:
    """Send one bell now, waiting a second at the most; raises kombu's OperationalError when the broker is away."""
    with app.producer_or_acquire() as producer:
        app.send_task(POST, producer=producer)


_bell = Bell(settings.load().bell_debounce_ms / 1000)


def ring() -> None:
    """Wake a poster, soon; call it after the commit."""
    _bell.ring()


@worker_process_init.connect
def _open_own_connections(**_: object) -> None:
    from workers import runtime

    runtime.forget_connections()
