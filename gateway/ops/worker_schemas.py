"""Schemas of workers and their queues."""

import marshmallow as ma

from celery_config import QUEUE_OF_KIND
from gateway.http.schemas import Output, one_of


class WorkerDetailSchema(Output):
    """A worker that was seen within the hour, or beat."""

    name = ma.fields.String()
    queue = ma.fields.String(allow_none=True, metadata={"enum": [*dict.fromkeys(QUEUE_OF_KIND.values()), None]})
    is_fresh = ma.fields.Boolean()
    age_seconds = ma.fields.Float()
    hears = ma.fields.Boolean()
    heard_seconds = ma.fields.Float(allow_none=True)


class PosterSchema(Output):
    """A process that posts payments now, or waits to."""

    pid = ma.fields.Integer()
    name = ma.fields.String()
    posts = ma.fields.Boolean()


class QueueSchema(Output):
    """A queue of messages that wake workers."""

    name = ma.fields.String()
    messages = ma.fields.Integer(allow_none=True)


class PostedBatchSchema(Output):
    """Payments that were posted in one transaction."""

    number = ma.fields.Integer()
    posted_at = ma.fields.DateTime()
    payments = ma.fields.Integer()


class WorkersSchema(Output):
    """Who works, who posts now, and what was posted last."""

    at = ma.fields.DateTime()
    broker = one_of(["ok", "away"])
    stale_after_seconds = ma.fields.Float()
    workers = ma.fields.List(ma.fields.Nested(WorkerDetailSchema))
    posters = ma.fields.List(ma.fields.Nested(PosterSchema))
    queues = ma.fields.List(ma.fields.Nested(QueueSchema))
    batches = ma.fields.List(ma.fields.Nested(PostedBatchSchema))
    waiting = ma.fields.Integer()
    oldest_due_seconds = ma.fields.Float()
