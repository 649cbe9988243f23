"""The Celery app: its tasks, queues, safety settings and timetable. `bell.py` sends the messages."""

import sys
from pathlib import Path

from celery import Celery
from celery.signals import setup_logging
from kombu import Exchange, Queue

import broker
import broker_amqp
import logs
import redis_urls
import settings

if "celery" in Path(sys.argv[0]).parts[-2:] and not {"worker", "beat"}.isdisjoint(sys.argv):
    logs.take_over()  # a worker or beat, not a program that only sends to them
    settings.begin_metrics()

POST = "workers.tasks.post"
SWEEP = "workers.tasks.sweep"
HEARTBEAT = "workers.tasks.heartbeat"
ENSURE_PARTITIONS = "workers.tasks.ensure_partitions"
WELCOME = "workers.tasks.welcome"
MAIL = "workers.tasks.mail"
FORGET = "workers.tasks.forget"
INSTRUCT = "workers.tasks.instruct"
DISPATCH = "workers.tasks.dispatch"
CARRY_OUT = "workers.tasks.carry_out_batches"
VERIFY = "workers.tasks.verify"
SUM_UP = "workers.tasks.sum_up"

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
    **dict.fromkeys((SWEEP, HEARTBEAT, ENSURE_PARTITIONS, WELCOME, MAIL, FORGET, CARRY_OUT, VERIFY, SUM_UP), UPKEEP),
}
"""The queue of each task; each queue has a worker of its own."""

QUEUES = tuple(dict.fromkeys(QUEUE_OF.values()))

QUEUE_OF_KIND = {"posting": BELLS, "upkeep": UPKEEP, "rails": RAILS, "webhooks": WEBHOOKS}
"""The queue of each kind of workers, by the beginning of their names."""

SWEEP_SECONDS = 3.0

TIMETABLE = {
    SWEEP: SWEEP_SECONDS,
    POST: 5.0,  # besides the sweep's bells, so that posters record heartbeats
    INSTRUCT: 2.0,  # payouts are sent at once; this polls the bank's updates, and asks again
    DISPATCH: 1.0,  # the longest time until an event is sent
    HEARTBEAT: 5.0,
    WELCOME: 5.0,  # new users are rung for at once; these find those whose bell was lost
    MAIL: 5.0,
    CARRY_OUT: 5.0,  # batches are begun at once; this finds those whose bell or worker was lost
    ENSURE_PARTITIONS: 3600.0,
    FORGET: 3600.0,
    VERIFY: 60.0,
    SUM_UP: 10.0,  # what is not summed up yet is read with each page of a merchant's month
}
"""Seconds after which beat sends each task again: without `expires`, which another process's clock would judge."""


broker.use(QUEUE_OF, spared={BELLS})
broker_amqp.use(QUEUE_OF)

WAITS_FOR_OTHERS = broker_amqp.LOW_PRIORITY
URL = settings.load().broker_url

app = Celery("payments", broker=redis_urls.for_kombu(URL), include=["workers.tasks", "workers.signals"])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_ignore_result=True,
    task_queues=[Queue(name, Exchange(name), routing_key=name, queue_arguments=broker_amqp.QUEUE) for name in QUEUES],
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
        "unacked_restore_throttle": 1,  # messages of a worker that died: looked at every 10 s, not every 100
        "master_name": redis_urls.primary_name(URL),
        "read_timeout": 5,  # this and the next are RabbitMQ's; each transport takes what it knows
        "write_timeout": 5,
    },
    broker_heartbeat=broker_amqp.HEARTBEAT_SECONDS,
    broker_pool_limit=2,
    result_expires=None,  # there are no results, so Celery's own clean-up task is not needed
    beat_scheduler="timetable:MonotonicScheduler",
    beat_max_loop_interval=SWEEP_SECONDS,
    beat_schedule={task: {"task": task, "schedule": seconds} for task, seconds in TIMETABLE.items()},
)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logs.configure(settings.load().log_level)
