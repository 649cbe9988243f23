"""Celery's signals: what a worker process does when it starts, is forked from its parent, and ends."""

import gc

from celery import beat
from celery.apps import worker as program
from celery.concurrency.thread import TaskPool as Threads
from celery.signals import celeryd_init, worker_init, worker_process_init, worker_ready, worker_shutdown
from celery.worker import WorkController
from celery.worker.consumer import Consumer

import logs
import settings
import telemetry
from celery_config import BELLS, QUEUE_OF, RAILS, SWEEP_SECONDS, TIMETABLE, WAITS_FOR_OTHERS, app
from workers import metrics_server, process, task_loop

SILENT_PERIODS = 3
"""After this many periods without a bell, a worker runs the task by itself."""

FREQUENT_SECONDS = 60.0
"""Tasks sent more often than this are run by the worker itself after a sweep's silence at most."""

beat._Process = None  # beat within a worker (--beat) is a thread: a process takes 30 MB


Consumer.Blueprint.default_steps.remove("celery.worker.consumer.delayed_delivery:DelayedDelivery")
"""No task has a time to come: Celery would make 28 queues for these in RabbitMQ."""


@celeryd_init.connect
def _log_plain_output(instance: object, **_: object) -> None:
    """Silence the banner and log the messages about signals, which Celery writes past sys.stdout."""
    instance.quiet = True  # type: ignore[attr-defined]
    program.safe_say = lambda text, *_: logs.say(text)


@worker_init.connect
def _preflight(sender: WorkController, **_: object) -> None:
    process.bound_statements()
    process.worker_name = sender.hostname
    process.preflight(rails=RAILS in app.amqp.queues.consume_from)
    if issubclass(sender.pool_cls, Threads):
        worker_process_init.send(sender=sender.hostname)  # as the other pools do


@worker_init.connect
def _leave_bells_to_posters(**_: object) -> None:
    """Let RabbitMQ give a worker of several queues only the bells that posters have no room for."""
    queues = app.amqp.queues.consume_from
    if len(queues) > 1 and BELLS in queues:
        queues[BELLS].consumer_arguments = WAITS_FOR_OTHERS


@worker_process_init.connect
def _drop_inherited_connections(**_: object) -> None:
    process.forget_connections()
    process.engine()  # one for all threads


@worker_process_init.connect
def _start_own_clock(**_: object) -> None:
    """Let each task process run the tasks of its queues by its own clock when no bells arrive."""
    queues: dict[str, dict[str, task_loop.Task]] = {queue: {} for queue in app.amqp.queues.consume_from}
    for task, queue in QUEUE_OF.items():
        if queue in queues:
            queues[queue][task] = app.tasks[task], silence_seconds(task)
    task_loop.run_overdue_tasks(queues)


def silence_seconds(task: str) -> float:
    """Seconds without a bell after which a worker runs this task by itself."""
    seconds = TIMETABLE[task]
    return SILENT_PERIODS * (min(seconds, SWEEP_SECONDS) if seconds < FREQUENT_SECONDS else seconds)


@worker_process_init.connect
def _start_telemetry(**_: object) -> None:
    telemetry.start("worker")


@worker_process_init.connect
def _freeze_loaded_objects(**_: object) -> None:
    """Exclude loaded objects from garbage collection, which would also copy memory that the pool's processes share."""
    gc.freeze()


@worker_ready.connect
def _serve_metrics(**_: object) -> None:
    metrics_server.start(settings.load())


@worker_process_init.connect
def _leave_metrics_to_parent(**_: object) -> None:
    metrics_server.forget()


@worker_shutdown.connect
def _finish_webhooks(**_: object) -> None:
    process.finish_webhooks()
    telemetry.stop()
