"""POST /v1/withdrawals: money leaves the house, out of one of the caller's own wallets."""

from typing import Any

from gateway.auth.tokens import requires
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint
from gateway.http.schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult
from gateway.payments.create import ROUTES
from gateway.payments.create_routes import create
from gateway.payments.schemas import WithdrawalInput

withdrawals = Blueprint(
    "withdrawals",
    __name__,
    url_prefix="/v1/withdrawals",
    description="Payouts to bank accounts, e-wallets and crypto addresses.",
)


@withdrawals.route("", methods=["POST"])
@requires(*ROUTES["/v1/withdrawals"].scopes)
@withdrawals.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])
@withdrawals.arguments(WithdrawalInput)
@withdrawals.outcome(PaymentSchema)
def withdraw(body: dict[str, Any]) -> JsonResult:
    """Create a withdrawal from one of your wallets."""
    return create(body)
