"""POST /v1/deposits, /v1/transfers, /v1/charges: a wish is checked, kept and answered with 202."""

from typing import Any

from flask import g, request

from gateway.auth import requires
from gateway.contract import IDEMPOTENCY_KEY, Blueprint
from gateway.order_schemas import ChargeInput, DepositInput, TransferInput
from gateway.parsing import body_of_request
from gateway.placing import ROUTES, Body, place
from gateway.schemas import PaymentSchema
from gateway.services import services
from gateway.showing import payment_body, payment_headers

orders = Blueprint("orders", __name__, url_prefix="/v1", description="Money is ordered to move.")
keyed = orders.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}])

Answer = tuple[dict[str, Any], dict[str, str]]


@orders.route("/deposits", methods=["POST"])
@requires(*ROUTES["/v1/deposits"].scopes)
@keyed
@orders.arguments(DepositInput)
@orders.response(202, PaymentSchema)
def deposit(body: Body) -> Answer:
    """Bring money into a wallet, from outside."""
    return _placed(body)


@orders.route("/transfers", methods=["POST"])
@requires(*ROUTES["/v1/transfers"].scopes)
@keyed
@orders.arguments(TransferInput)
@orders.response(202, PaymentSchema)
def transfer(body: Body) -> Answer:
    """Move money from one of your wallets to any wallet."""
    return _placed(body)


@orders.route("/charges", methods=["POST"])
@requires(*ROUTES["/v1/charges"].scopes)
@keyed
@orders.arguments(ChargeInput)
@orders.response(202, PaymentSchema)
def charge(body: Body) -> Answer:
    """Take money out of a customer's wallet, into one of yours."""
    return _placed(body)


def _placed(body: Body) -> Answer:
    shown = place(request.path, body_of_request(), body, request.environ, g.caller, services())
    return payment_body(shown.view, g.caller), payment_headers(shown, g.caller)
