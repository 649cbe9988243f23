"""Workers as ops see them: who is alive, who posts now, and what was posted last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import heartbeat, payment
from models.heartbeat import STALE_SECONDS, Heartbeat
from models.posting_lock import POSTING_LOCK
from models.records import records

BATCHES_MAX = 20
"""Posted batches that are shown, the newest."""

WORKER_PREFIX = "payments-worker "
"""What the name of a worker's connections begins with; its own name follows."""


class PostingProcess(NamedTuple):
    """A connection that has the posting lock, or waits for it; `name` is its worker, empty if it does not say."""

    pid: int
    name: str
    posts: bool


class PostedBatch(NamedTuple):
    """A posted batch: its number, when it was posted, and how many payments are in it."""

    number: int
    posted_at: datetime
    payments: int


class WorkerView(NamedTuple):
    """The workers at the time `at` of the database."""

    at: datetime
    workers: list[Heartbeat]
    posters: list[PostingProcess]
    batches: list[PostedBatch]
    waiting: int
    oldest_due_seconds: float


POSTERS = f"""
SELECT l.pid, coalesce(a.application_name, '') AS name, l.granted AS posts
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = {POSTING_LOCK} AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY l.granted DESC, l.pid
"""

BATCHES = f"""
SELECT number, posted_at, cardinality(payments) AS payments FROM ledger_batches
WHERE number > 0 ORDER BY number DESC LIMIT {BATCHES_MAX}
"""


def view(connection: Connection) -> WorkerView:
    """The workers as they are now."""
    waiting, oldest_due_seconds = payment.waiting(connection)
    posters = records(PostingProcess, connection.exec_driver_sql(POSTERS))
    return WorkerView(
        payment.clock(connection),
        heartbeat.recent(connection),
        [poster._replace(name=poster.name.removeprefix(WORKER_PREFIX)) for poster in posters],
        records(PostedBatch, connection.exec_driver_sql(BATCHES)),
        waiting,
        oldest_due_seconds,
    )


def body(found: WorkerView, depths: Mapping[str, int] | None, queues: Mapping[str, str]) -> dict[str, Any]:
    """The JSON of workers; `depths` are the messages by queue, None if the broker does not say.

    `queues` are those of the kinds of workers.
    """
    return {
        "at": found.at.isoformat(),
        "broker": "away" if depths is None else "ok",
        "stale_after_seconds": STALE_SECONDS,
        "workers": [
            {
                **{"name": worker.name, "queue": queues.get(worker.kind), "is_fresh": worker.is_fresh},
                **{"age_seconds": round(worker.age_seconds, 1), "hears": worker.hears},
                "heard_seconds": None if worker.heard_seconds is None else round(worker.heard_seconds, 1),
            }
            for worker in found.workers
        ],
        "posters": [poster._asdict() for poster in found.posters],
        "queues": [
            {"name": name, "messages": None if depths is None else depths.get(name, 0)}
            for name in dict.fromkeys(queues.values())
        ],
        "batches": [{**batch._asdict(), "posted_at": batch.posted_at.isoformat()} for batch in found.batches],
        "waiting": found.waiting,
        "oldest_due_seconds": round(found.oldest_due_seconds, 3),
    }
