"""POST /v1/refunds: refunds a charge in full or in part; the worker checks under lock how much is left to refund."""

from typing import Any

from gateway.auth.guards import requires
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint
from gateway.http.payment_schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult
from gateway.payments.create import ROUTES
from gateway.payments.create_routes import create
from gateway.payments.schemas import RefundInput

refunds = Blueprint("refunds", __name__, url_prefix="/v1/refunds", description="Refund a charge, in full or in part.")


@refunds.route("", methods=["POST"])
@requires(*ROUTES["/v1/refunds"].scopes)
@refunds.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])
@refunds.arguments(RefundInput)
@refunds.outcome(PaymentSchema)
def refund(body: dict[str, Any]) -> JsonResult:
    """Refund a charge, in full or in part; its refunds never exceed the captured amount."""
    return create(body)
