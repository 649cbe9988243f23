"""GET /v1/ops/payments/{id}/explanation: why a payment waits, and what would help."""

from flask import g

import bell
from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.found import found, path_id
from gateway.ops.explanation_schemas import ExplanationSchema
from gateway.services import services
from models import payment_explanation
from models.session import statements

explanations = Blueprint(
    "explanations", __name__, url_prefix="/v1/ops/payments", description="Why a payment waits, and what would help."
)


@explanations.route("/<id>/explanation")
@requires("ops:read")
@explanations.response(200, ExplanationSchema)
def get_explanation(id: str) -> JsonAnswer:
    """Explain why a payment waits: causes and what would help, its errors, locks and steps, and who is alive."""
    broker_is_up = bell.is_broker_up(services().settings.broker_url)
    with statements(services().engine) as connection:
        explained = found(payment_explanation.of_payment(connection, path_id(id), broker_is_up=broker_is_up))
    return payment_explanation.body(explained, g.caller), {}
