"""The Celery tasks: each calls one function of the workers, and may run twice or never without harm."""

from collections.abc import Iterator
from contextlib import contextmanager
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
    SUM_UP,
    SWEEP,
    VERIFY,
    WELCOME,
    app,
)
from models import backlog, login_throttle, partitions, payment, selection, webhook_queue
from models.heartbeat import BEAT
from models.session import Contention, DatabaseUnavailable, NoPartition, StatementTimeout, transaction
from workers import auditor, final_counts, merchant_sums, process, task_loop
from workers.posting import batches

log = structlog.get_logger("tasks")


@app.task(name=POST, bind=True)
def post(self) -> None:
    """Post due payments; ring again only if time ran out before the work was done."""
    with _exclusive(POST), structlog.contextvars.bound_contextvars(request_id=self.request.get("request_id")):
        poster = process.poster()
        _, remains = poster.drain()
        if remains:
            publish()
        if poster.has_instructed:
            poster.has_instructed = False
            publish(task=INSTRUCT)
        _record_heartbeat(self.request)


@app.task(name=INSTRUCT, bind=True)
def instruct(self) -> None:
    """Send due payouts to the bank and poll its updates; posters finish the payments that it has answered."""
    with _exclusive(INSTRUCT), structlog.contextvars.bound_contextvars(request_id=self.request.get("request_id")):
        has_ended, remains = process.payout_sender().drain()
        if has_ended:
            publish()
        if remains:
            publish(task=INSTRUCT)
        _record_heartbeat(self.request)


@app.task(name=DISPATCH, bind=True)
def dispatch(self) -> None:
    """Begin to send due webhooks, without waiting for receivers."""
    with _exclusive(DISPATCH):
        process.dispatcher().dispatch()
        _record_heartbeat(self.request)


@app.task(name=SWEEP)
def sweep() -> None:
    """Ring if any payment is due or has to end, after lost bells and worker deaths; and sample the backlog."""
    with _exclusive(SWEEP):
        with transaction(process.engine()) as connection:
            due = payment.is_anything_due(connection) or payment.is_anything_to_end(connection)
        if due:
            publish()
        with transaction(process.engine()) as connection:
            backlog.sample(connection)


@app.task(name=HEARTBEAT, bind=True)
def heartbeat(self) -> None:
    """Record that this worker finishes tasks: a stuck one answers pings, but not this."""
    with _exclusive(HEARTBEAT):
        _record_heartbeat(self.request)


@app.task(name=ENSURE_PARTITIONS)
def ensure_partitions() -> None:
    """Create the partitions of the coming months, and log an error if one is still missing."""
    with _exclusive(ENSURE_PARTITIONS):
        with transaction(process.engine()) as connection:
            partitions.ensure(connection)
        with transaction(process.engine()) as connection:
            missing = partitions.missing(connection)
        if missing:
            log.error("months have no partition", months=list(missing), command="flask payments partitions")


@app.task(name=WELCOME)
def welcome() -> None:
    """Open wallets for new users, and pay their bonus."""
    with _exclusive(WELCOME):
        if process.onboarding().welcome():
            publish()


@app.task(name=MAIL)
def mail() -> None:
    """Send due mail."""
    with _exclusive(MAIL):
        process.mail_sender().deliver()


@app.task(name=CARRY_OUT)
def carry_out_batches() -> None:
    """Carry out batches of retries, and ring posters for each portion."""
    with _exclusive(CARRY_OUT):
        if batches.carry_out(process.engine(), publish):
            publish(task=CARRY_OUT)  # other tasks of this worker come first


@app.task(name=FORGET)
def forget() -> None:
    """Delete expired login attempts, selections, samples of the backlog and old webhook deliveries."""
    with _exclusive(FORGET):
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


@app.task(name=VERIFY)
def verify() -> None:
    """Verify what is new in the books, and sign it; ring again for what is left, unless posters need the machine."""
    with _exclusive(VERIFY):
        remains = auditor.run(process.engine(), freezes_max=process.freezes_max()).remains
        auditor.sign(process.engine(), process.signing_key())
        if not remains:
            return
        with transaction(process.engine()) as connection:
            is_busy = payment.is_anything_due(connection)
        if not is_busy:
            publish(task=VERIFY)


@app.task(name=SUM_UP)
def sum_up() -> None:
    """Sum up what merchants took in, count what became final, and ring again for what is left."""
    with _exclusive(SUM_UP):
        remains = [sum_up(process.engine()) for sum_up in (merchant_sums.sum_up, final_counts.count_up)]
        if any(remains):
            publish(task=SUM_UP)  # other tasks of this worker come first


def _record_heartbeat(request: Any) -> None:
    """Record that this worker ended a task, by a bell or its own clock, and beat's heartbeat if beat sent it."""
    process.record_heartbeat(request.hostname or process.worker_name, has_heard=request.hostname is not None)
    if request.get("request_id") == BEAT:
        process.record_heartbeat(BEAT, has_heard=True)


@contextmanager
def _exclusive(task: str) -> Iterator[None]:
    """Run one task at a time, and log unavailable servers as a warning: the timetable sends the task again soon.

    Logging is inside the lock, because a task can be stuck in a log that is not read.
    """
    with task_loop.task_lock.hold(task):
        try:
            yield
        except (DatabaseUnavailable, Contention, StatementTimeout, NoPartition, BrokerUnavailable) as error:
            log.warning("left to the next one", reason=type(error).__name__, error=str(error.__cause__).strip())
