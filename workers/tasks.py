"""The Celery tasks: each wakes a story that stands elsewhere, and may run twice or never."""

import structlog

from celery_config import ENSURE_PARTITIONS, HEARTBEAT, POST, SWEEP, app, publish
from models import heartbeat as heartbeats
from models import partitions, payment
from models.session import DatabaseAway, transaction
from workers import runtime

log = structlog.get_logger("tasks")


@app.task(name=POST, autoretry_for=())
def post() -> None:
    """Post what is due; ring again only if time ran out before the work did."""
    try:
        _, remains = runtime.poster().drain()
    except DatabaseAway as error:
        log.warning("the database is away, a sweep will come back", error=str(error.__cause__))
        return
    if remains:
        publish()


@app.task(name=SWEEP)
def sweep() -> None:
    """Ring if anything is due: for bells lost, retries come due, and workers that died."""
    with transaction(runtime.engine()) as connection:
        due = payment.is_anything_due(connection)
    if due:
        publish()


@app.task(name=HEARTBEAT, bind=True)
def heartbeat(self) -> None:
    """Say that this worker takes and ends tasks: a stuck one answers pings, but not this."""
    with transaction(runtime.engine()) as connection:
        heartbeats.beat(connection, self.request.hostname)


@app.task(name=ENSURE_PARTITIONS)
def ensure_partitions() -> None:
    """Make the partitions of the coming months."""
    with transaction(runtime.engine()) as connection:
        partitions.ensure(connection)
