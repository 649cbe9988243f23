"""GET /console/workers: who works, who posts now, the queues, and the newest posted batches."""

from flask import Response

from gateway.pages.console.pages import console
from gateway.pages.formats import moment
from gateway.pages.rendering import render
from gateway.pages.visitors import get

STUCK_SECONDS = 60
"""A process that is in one task for this long ends itself, to be started again."""


@console.get("/workers")
def workers() -> Response:
    """Workers and queues as they are now."""
    answer = get("/v1/ops/workers")
    batches, now = answer.body["batches"], moment(answer.body["at"])
    last = moment(batches[0]["posted_at"]) if batches else None
    return render(
        "console/workers.html",
        body=answer.body,
        last_batch=batches[0] if batches else None,
        last_batch_seconds=(now - last).total_seconds() if now and last else None,
        mean=round(sum(batch["payments"] for batch in batches) / len(batches), 1) if batches else None,
        largest=max((batch["payments"] for batch in batches), default=0),
        stuck_seconds=STUCK_SECONDS,
        call=answer.call,
    )
