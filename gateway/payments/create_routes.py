"""POST /v1/deposits, /v1/transfers, /v1/charges and /v1/withdrawals: create a payment, answer 202 or its outcome."""

from flask import g, request

from gateway.auth.guards import requires
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint
from gateway.http.parsing import body_of_request
from gateway.http.payment_schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult, payment_response
from gateway.payments.create import ROUTES, Body, create_payment
from gateway.payments.schemas import ChargeInput, DepositInput, TransferInput, WithdrawalInput
from gateway.services import services

orders = Blueprint("orders", __name__, url_prefix="/v1", description="Create deposits, transfers and charges.")
keyed = orders.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])


@orders.route("/deposits", methods=["POST"])
@requires(*ROUTES["/v1/deposits"].scopes)
@keyed
@orders.arguments(DepositInput)
@orders.outcome(PaymentSchema)
def deposit(body: Body) -> JsonResult:
    """Create a deposit: money from outside into a wallet."""
    return create(body)


@orders.route("/transfers", methods=["POST"])
@requires(*ROUTES["/v1/transfers"].scopes)
@keyed
@orders.arguments(TransferInput)
@orders.outcome(PaymentSchema)
def transfer(body: Body) -> JsonResult:
    """Create a transfer from one of your wallets to any wallet."""
    return create(body)


@orders.route("/charges", methods=["POST"])
@requires(*ROUTES["/v1/charges"].scopes)
@keyed
@orders.arguments(ChargeInput)
@orders.outcome(PaymentSchema)
def charge(body: Body) -> JsonResult:
    """Create a charge: money from a customer's wallet into one of yours."""
    return create(body)


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
def withdraw(body: Body) -> JsonResult:
    """Create a withdrawal from one of your wallets."""
    return create(body)


def create(body: Body) -> JsonResult:
    """Create the payment of the request's path and answer with it."""
    return payment_response(
        create_payment(request.path, body_of_request(), body, request.environ, g.caller, services())
    )
