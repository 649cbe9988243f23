"""The Celery tasks: each calls one function of the workers, and may run twice or never without harm."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

import structlog

from bell import BrokerUnavailable, publish
from celery_config import (
    CARRY_OUT,
    DISPATCH,
    ENSURE_PARTITIONS,
    FORGET,
    HEARTBEAT,
    INSTRUCT,
    MAIL,
    POST,
    QUEUE_OF,
    QUEUE_OF_KIND,
    SUM_UP,
    SWEEP,
    VERIFY,
    WELCOME,
    app,
)
from models import backlog, login_throttle, partitions, payment, selection, webhook_queue
from models.heartbeat import BEAT, kind_of
from models.session import Contention, DatabaseUnavailable, NoPartition, StatementTimeout, transaction
from workers import auditor, final_counts, merchant_sums, process, task_loop
from workers.posting import batches

log = structlog.get_logger("tasks")

KIND_OF_QUEUE = {queue: kind for kind, queue in QUEUE_OF_KIND.items()}


def _exclusive(name: str) -> Callable[[Callable[[], None]], Any]:
    """Make it the task of this name, which runs while no other task of its queue does in this process.

    That it ended is recorded as a heartbeat. Unavailable servers are logged as a warning: the timetable sends the task
    again soon. Logging is inside the lock, because a task can be stuck in a log that is not read.
    """

    def register(run: Callable[[], None]) -> Any:
        @app.task(name=name, bind=True)
        @wraps(run)
        def alone(task: Any) -> None:
            request_id = task.request.get("request_id")
            with task_loop.locks[QUEUE_OF[name]].hold(name) as has_turn:
                if not has_turn:
                    return
                try:
                    with structlog.contextvars.bound_contextvars(request_id=request_id):
                        run()
                        _record_heartbeat(name, task.request)
                except (DatabaseUnavailable, Contention, StatementTimeout, NoPartition, BrokerUnavailable) as error:
                    cause = str(error.__cause__).strip()
                    log.warning("left to the next one", reason=type(error).__name__, error=cause)

        return alone

    return register


def _record_heartbeat(task: str, request: Any) -> None:
    """Record that this worker ended a task, by a bell or its own clock, and beat's heartbeat if beat sent it.

    A worker of several queues has a heartbeat for each, of the name that a worker of that queue alone would have.
    """
    name = request.hostname or process.worker_name
    if name and kind_of(name) not in QUEUE_OF_KIND:
        name = f"{KIND_OF_QUEUE[QUEUE_OF[task]]}@{name.partition('@')[2]}"
    process.record_heartbeat(name, has_heard=request.hostname is not None)
    if request.get("request_id") == BEAT:
        process.record_heartbeat(BEAT, has_heard=True)


@_exclusive(POST)
def post() -> None:
    """Post due payments; ring again only if time ran out before the work was done."""
    poster = process.poster()
    _, remains = poster.drain()
    if remains:
        publish()
    if poster.has_instructed:
        poster.has_instructed = False
        publish(task=INSTRUCT)


@_exclusive(INSTRUCT)
def instruct() -> None:
    """Send due payouts to the bank and poll its updates; posters finish the payments that it has answered."""
    has_ended, remains = process.payout_sender().drain()
    if has_ended:
        publish()
    if remains:
        publish(task=INSTRUCT)


@_exclusive(DISPATCH)
def dispatch() -> None:
    """Begin to send due webhooks, without waiting for receivers."""
    process.dispatcher().dispatch()


@_exclusive(SWEEP)
def sweep() -> None:
    """Ring if any payment is due or has to end, after lost bells and worker deaths; and sample the backlog."""
    with transaction(process.engine()) as connection:
        due = payment.is_anything_due(connection) or payment.is_anything_to_end(connection)
    if due:
        publish()
    with transaction(process.engine()) as connection:
        backlog.sample(connection)


@_exclusive(HEARTBEAT)
def heartbeat() -> None:
    """Nothing but to end, which is recorded: a worker that is stuck answers pings, but does not end tasks."""


@_exclusive(ENSURE_PARTITIONS)
def ensure_partitions() -> None:
    """Create the partitions of the coming months, and log an error if one is missing; drop superseded indexes."""
    with transaction(process.engine()) as connection:
        partitions.ensure(connection)
    with transaction(process.engine()) as connection:
        missing = partitions.missing(connection)
    if missing:
        log.error("months have no partition", months=list(missing), command="flask payments partitions")
    with suppress(Contention), transaction(process.engine()) as connection:
        partitions.drop_superseded_indexes(connection)


@_exclusive(WELCOME)
def welcome() -> None:
    """Open wallets for new users, and pay their bonus."""
    if process.onboarding().welcome():
        publish()


@_exclusive(MAIL)
def mail() -> None:
    """Send due mail."""
    process.mail_sender().deliver()


@_exclusive(CARRY_OUT)
def carry_out_batches() -> None:
    """Carry out batches of retries, and ring posters for each portion."""
    if batches.carry_out(process.engine(), publish):
        publish(task=CARRY_OUT)  # other tasks of this worker come first


@_exclusive(FORGET)
def forget() -> None:
    """Delete expired login attempts, selections, samples of the backlog and old webhook deliveries."""
    with transaction(process.engine()) as connection:
        selection.forget_old(connection)
    with transaction(process.engine()) as connection:
        login_throttle.forget_old(connection)
    with transaction(process.engine()) as connection:
        backlog.forget_old(connection)
    with transaction(process.engine()) as connection:
        deleted = webhook_queue.forget_old(connection)
    if deleted == webhook_queue.FORGOTTEN_MAX:
        publish(task=FORGET)  # other tasks of this worker come first


@_exclusive(VERIFY)
def verify() -> None:
    """Verify what is new in the books, and sign it; ring again for what is left, unless posters need the machine."""
    remains = auditor.run(process.engine(), freezes_max=process.freezes_max()).remains
    auditor.sign(process.engine(), process.signing_key())
    if not remains:
        return
    with transaction(process.engine()) as connection:
        is_busy = payment.is_anything_due(connection)
    if not is_busy:
        publish(task=VERIFY)


@_exclusive(SUM_UP)
def sum_up() -> None:
    """Sum up what merchants took in, count what became final, and ring again for what is left."""
    remains = [sum_up(process.engine()) for sum_up in (merchant_sums.sum_up, final_counts.count_up)]
    if any(remains):
        publish(task=SUM_UP)  # other tasks of this worker come first
