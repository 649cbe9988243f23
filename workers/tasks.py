"""The Celery tasks: each wakes a story that stands elsewhere, and may run twice or never."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from celery_config import (
    DISPATCH,
    ENSURE_PARTITIONS,
    FORGET,
    HEARTBEAT,
    INSTRUCT,
    MAIL,
    POST,
    SWEEP,
    WELCOME,
    BrokerAway,
    app,
    publish,
)
from models import login_throttle, partitions, payment, webhook_queue
from models.heartbeat import BEAT
from models.session import Contention, DatabaseAway, NoPartition, StatementTimeout, transaction
from workers import process, task_loop

log = structlog.get_logger("tasks")


@app.task(name=POST, bind=True)
def post(self) -> None:
    """Post what is due; ring again only if time ran out before the work did."""
    with _turn(POST), structlog.contextvars.bound_contextvars(request_id=self.request.get("request_id")):
        poster = process.poster()
        _, remains = poster.drain()
        if remains:
            publish()
        if poster.has_instructed:
            poster.has_instructed = False
            publish(task=INSTRUCT)
        _pulse(self.request)


@app.task(name=INSTRUCT, bind=True)
def instruct(self) -> None:
    """Tell the bank what is due and hear what it tells; the posters end what it has answered."""
    with _turn(INSTRUCT), structlog.contextvars.bound_contextvars(request_id=self.request.get("request_id")):
        has_ended, remains = process.payout_sender().drain()
        if has_ended:
            publish()
        if remains:
            publish(task=INSTRUCT)
        _pulse(self.request)


@app.task(name=DISPATCH, bind=True)
def dispatch(self) -> None:
    """Begin to send the webhooks that are due; no receiver is waited for."""
    with _turn(DISPATCH):
        process.dispatcher().dispatch()
        _pulse(self.request)


@app.task(name=SWEEP)
def sweep() -> None:
    """Ring if anything is due or to be ended: for bells lost, times that have come, and workers that died."""
    with _turn(SWEEP):
        with transaction(process.engine()) as connection:
            due = payment.is_anything_due(connection) or payment.is_anything_to_end(connection)
        if due:
            publish()


@app.task(name=HEARTBEAT, bind=True)
def heartbeat(self) -> None:
    """Say that this worker takes and ends tasks: a stuck one answers pings, but not this."""
    with _turn(HEARTBEAT):
        _pulse(self.request)


@app.task(name=ENSURE_PARTITIONS)
def ensure_partitions() -> None:
    """Make the partitions of the coming months, and say so when one is missing all the same."""
    with _turn(ENSURE_PARTITIONS):
        with transaction(process.engine()) as connection:
            partitions.ensure(connection)
        with transaction(process.engine()) as connection:
            missing = partitions.missing(connection)
        if missing:
            log.error("months have no partition", months=list(missing), command="flask payments partitions")


@app.task(name=WELCOME)
def welcome() -> None:
    """Open wallets for those who signed up, and pay their bonus."""
    with _turn(WELCOME):
        if process.onboarding().welcome():
            publish()


@app.task(name=MAIL)
def mail() -> None:
    """Send the mail that is due."""
    with _turn(MAIL):
        process.mail_sender().deliver()


@app.task(name=FORGET)
def forget() -> None:
    """Forget guesses at passwords that no longer count, and old deliveries of webhooks."""
    with _turn(FORGET):
        with transaction(process.engine()) as connection:
            login_throttle.forget_old(connection)
        with transaction(process.engine()) as connection:
            forgotten = webhook_queue.forget_old(connection)
        if forgotten == webhook_queue.FORGOTTEN_MAX:
            publish(task=FORGET)  # what else this worker has to do comes first


def _pulse(request: Any) -> None:
    """Note that this worker has ended a task, whether by a bell or its own clock, and that beat lives if it sent it."""
    process.record_heartbeat(request.hostname or process.worker_name, has_heard=request.hostname is not None)
    if request.get("request_id") == BEAT:
        process.record_heartbeat(BEAT, has_heard=True)


@contextmanager
def _turn(task: str) -> Iterator[None]:
    """One task at a time. Servers come and go; the timetable sends the same task again in a moment.

    What it has to say is part of its turn: a log that nobody reads may be what it is stuck in.
    """
    with task_loop.task_lock.take(task):
        try:
            yield
        except (DatabaseAway, Contention, StatementTimeout, NoPartition, BrokerAway) as error:
            log.warning("left to the next one", reason=type(error).__name__, error=str(error.__cause__).strip())
