"""The Celery tasks: each wakes a story that stands elsewhere, and may run twice or never."""

import structlog

from celery_config import ENSURE_PARTITIONS, HEARTBEAT, POST, SWEEP, BrokerAway, app, publish
from models import partitions, payment
from models.session import DatabaseAway, transaction
from workers import runtime

log = structlog.get_logger("tasks")


@app.task(name=POST, bind=True)
def post(self) -> None:
    """Post what is due; ring again only if time ran out before the work did."""
    try:
        _, remains = runtime.poster().drain()
        runtime.pulse(self.request.hostname)
    except DatabaseAway as error:
        log.warning("the database is away, a sweep will come back", error=str(error.__cause__))
        return
    if remains:
        _ring_again()


@app.task(name=SWEEP)
def sweep() -> None:
    """Ring if anything is due: for bells lost, retries come due, and workers that died."""
    with transaction(runtime.engine()) as connection:
        due = payment.is_anything_due(connection)
    if due:
        _ring_again()


@app.task(name=HEARTBEAT, bind=True)
def heartbeat(self) -> None:
    """Say that this worker takes and ends tasks: a stuck one answers pings, but not this."""
    runtime.pulse(self.request.hostname)


@app.task(name=ENSURE_PARTITIONS)
def ensure_partitions() -> None:
    """Make the partitions of the coming months."""
    with transaction(runtime.engine()) as connection:
        partitions.ensure(connection)


def _ring_again() -> None:
    try:
        publish()
    except BrokerAway as error:
        log.warning("the broker is away, the next sweep will ring", error=str(error))
