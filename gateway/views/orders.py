"""POST /v1/deposits, /v1/transfers, /v1/charges: a wish is checked, kept and answered with 202."""

from typing import Any

from flask import g
from uuid_utils import uuid7

from gateway.auth import requires
from gateway.catalogue import minor_units, objection
from gateway.contract import IDEMPOTENCY_KEY, Blueprint
from gateway.errors import Refusal, flawed
from gateway.idempotency import fingerprint_of_request, key_of_request
from gateway.orders import Order
from gateway.schemas import ChargeInput, DepositInput, PaymentSchema, TransferInput
from gateway.services import services
from gateway.showing import payment_body, payment_headers
from models.rules.posting import PaymentType

orders = Blueprint("orders", __name__, url_prefix="/v1", description="Money is ordered to move.")
keyed = orders.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}])

Body = dict[str, Any]
Answer = tuple[Body, dict[str, str]]


@orders.route("/deposits", methods=["POST"])
@requires("deposits:write", "deposits:own")
@keyed
@orders.arguments(DepositInput)
@orders.response(202, PaymentSchema)
def deposit(body: Body) -> Answer:
    """Bring money into a wallet, from outside."""
    into_any = "deposits:write" in g.caller.scopes
    if not into_any and not services().settings.deposits_open:
        raise Refusal("deposits_closed", "This needs the scope deposits:write.")
    return submit(PaymentType.DEPOSIT, body, source=body["source"], target=body["wallet"], into_any=into_any)


@orders.route("/transfers", methods=["POST"])
@requires("transfers:write")
@keyed
@orders.arguments(TransferInput)
@orders.response(202, PaymentSchema)
def transfer(body: Body) -> Answer:
    """Move money from one of your wallets to any wallet."""
    if body["source"] == body["target"]:
        raise flawed([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    return submit(PaymentType.TRANSFER, body, source=body["source"], target=body["target"])


@orders.route("/charges", methods=["POST"])
@requires("charges:write")
@keyed
@orders.arguments(ChargeInput)
@orders.response(202, PaymentSchema)
def charge(body: Body) -> Answer:
    """Take money out of a customer's wallet, into one of yours."""
    if not body["capture"]:
        raise flawed([("/capture", "capture_unsupported", "Charges are captured at once.")])
    return submit(PaymentType.CHARGE, body, source=body["wallet"], target=body.get("target"))


def submit(type: PaymentType, body: Body, *, source: str, target: str | None, into_any: bool = False) -> Answer:
    """The payment kept for this order, or the one its key kept before."""
    key = key_of_request()
    caller, ours = g.caller, services()
    currency = ours.catalogue.currency(body["currency"])
    amount = minor_units(body["amount"], currency)
    shown = ours.intake.submit(
        Order(
            id=str(uuid7()),
            type=type,
            user_id=caller.id,
            source=source,
            target=target,
            amount=amount,
            currency=currency.code,
            digits=currency.digits,
            key=key,
            fingerprint=fingerprint_of_request(),
            summary=body.get("summary"),
            reference=body.get("reference"),
            metadata=body.get("metadata"),
            objection=objection(amount, currency),
            into_any=into_any,
        )
    )
    return payment_body(shown.view, caller), payment_headers(shown, caller)
