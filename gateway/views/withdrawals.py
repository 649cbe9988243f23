"""POST /v1/withdrawals: money leaves the house, out of one of the caller's own wallets."""

from typing import Any

from flask import g, request

from gateway.auth import requires
from gateway.contract import IDEMPOTENCY_KEY, Blueprint
from gateway.order_schemas import WithdrawalInput
from gateway.parsing import body_of_request
from gateway.placing import ROUTES, place
from gateway.schemas import PaymentSchema
from gateway.services import services
from gateway.showing import payment_body, payment_headers

withdrawals = Blueprint("withdrawals", __name__, url_prefix="/v1/withdrawals", description="Money leaves the house.")


@withdrawals.route("", methods=["POST"])
@requires(*ROUTES["/v1/withdrawals"].scopes)
@withdrawals.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}])
@withdrawals.arguments(WithdrawalInput)
@withdrawals.response(202, PaymentSchema)
def withdraw(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Take money out of one of your wallets, to the outside."""
    shown = place(request.path, body_of_request(), body, request.environ, g.caller, services())
    return payment_body(shown.view, g.caller), payment_headers(shown, g.caller)
