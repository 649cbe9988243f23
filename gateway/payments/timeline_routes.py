"""GET /v1/payments/{id}/timeline: the steps of a payment, each with its actor and the time since the step before."""

from collections.abc import Iterator
from typing import Any

from flask import g

from gateway.auth.guards import requires
from gateway.auth.tokens import Caller
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page
from gateway.payments.routes import visible_payment
from gateway.payments.schemas import StepSchema
from gateway.services import services
from models import payment_timeline as steps
from models.payment_timeline import Step, TimelineActor, TimelineEntry
from models.payment_view import PaymentView
from models.representations import failure_body, iso
from models.session import statements

timeline = Blueprint(
    "timeline", __name__, url_prefix="/v1/payments", description="The steps of a payment, failed attempts included."
)

NEUTRAL = {
    TimelineActor.WORKER: "The payment could not be posted yet.",
    TimelineActor.BANK: "The bank could not be reached, or has not decided yet.",
}
"""The text of a failed attempt for all but ops and auditors: the error itself would reveal internals."""


@timeline.route("/<id>/timeline")
@requires("payments:read")
@timeline.response(200, page_of(StepSchema))
def list_steps(id: str) -> JsonAnswer:
    """List the steps of a payment, oldest first, with at most the newest 200 attempts, commands and refunds each."""
    view = visible_payment(id)
    with statements(services().engine) as connection:
        entries = steps.of_payment(connection, view)
    return only_page(_bodies(entries, view, g.caller))


def _bodies(entries: list[TimelineEntry], view: PaymentView, caller: Caller) -> Iterator[dict[str, Any]]:
    previous = None
    for entry in entries:
        is_attempt = entry.step == Step.ATTEMPT_FAILED
        text = entry.text if caller.reads_all else NEUTRAL.get(entry.actor) if is_attempt else None
        yield {
            "at": entry.at.isoformat(),
            "step": entry.step,
            "actor": entry.actor,
            "actor_id": entry.actor_id if caller.reads_all or entry.actor_id == caller.id else None,
            "attempt": entry.attempt,
            "waited_seconds": None if previous is None else round((entry.at - previous).total_seconds(), 3),
            "next_attempt_at": iso(entry.next_attempt_at),
            "outcome": entry.outcome,
            "reason": None if is_attempt else text,
            "error": text if is_attempt else None,
            "failure": failure_body(view.failure_code) if entry.step == Step.FAILED else None,
            "payment": entry.payment_id,
        }
        previous = entry.at
