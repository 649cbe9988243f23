"""GET /v1/payments/{id}/timeline: the steps of a payment, each with its actor and the time since the step before."""

from flask import g

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page
from gateway.payments.routes import visible_payment
from gateway.payments.schemas import StepSchema
from gateway.services import services
from models import payment_timeline as steps
from models.session import statements

timeline = Blueprint(
    "timeline", __name__, url_prefix="/v1/payments", description="The steps of a payment, failed attempts included."
)


@timeline.route("/<id>/timeline")
@requires("payments:read")
@timeline.response(200, page_of(StepSchema))
def list_steps(id: str) -> JsonAnswer:
    """List the steps of a payment, oldest first, with at most the newest 200 attempts, commands and refunds each."""
    view = visible_payment(id)
    with statements(services().engine) as connection:
        entries = steps.of_payment(connection, view)
    return only_page(steps.bodies(entries, view, g.caller))
