"""POST /v1/refunds: refunds a charge in full or in part; the worker checks under lock how much is left to refund."""

from typing import Any

from flask import g, request
from uuid_utils import uuid7

from gateway.acceptance.payment_request import PaymentRequest
from gateway.acceptance.reference_data import minor_units
from gateway.auth.tokens import requires
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint
from gateway.http.errors import invalid
from gateway.http.idempotency import idempotency_key, request_fingerprint
from gateway.http.parsing import body_of_request
from gateway.http.schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult, payment_response
from gateway.payments.schemas import RefundInput
from gateway.services import services
from models import payment_view
from models.payment_view import PaymentView
from models.rules.types import PaymentType
from models.session import statements

refunds = Blueprint("refunds", __name__, url_prefix="/v1/refunds", description="Refund a charge, in full or in part.")


@refunds.route("", methods=["POST"])
@requires("charges:write")
@refunds.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])
@refunds.arguments(RefundInput)
@refunds.outcome(PaymentSchema)
def refund(body: dict[str, Any]) -> JsonResult:
    """Refund a charge, in full or in part; its refunds never exceed the captured amount."""
    key = idempotency_key(request.environ)
    with statements(services().engine) as connection:
        charge = payment_view.by_id(connection, body["charge"])
    if charge is None or charge.user_id != g.caller.id or charge.type != PaymentType.CHARGE:
        raise invalid([("/charge", "not_found", "You have no such charge.")])
    accepted = services().group_commit.submit(
        PaymentRequest(
            id=str(uuid7()),
            type=PaymentType.REFUND,
            user_id=g.caller.id,
            source=charge.target.token or "",
            target=charge.source.token,
            amount=_amount(charge, body.get("amount")),
            currency=charge.currency,
            digits=charge.digits,
            key=key,
            fingerprint=request_fingerprint(request.path, body_of_request()),
            metadata=body.get("metadata"),
            parent=charge.id,
            reason=body["reason"],
        )
    )
    view = accepted.view._replace(source=charge.target, target=charge.source)  # no token was given with the refund
    return payment_response(accepted._replace(view=view))


def _amount(charge: PaymentView, amount: str | None) -> int:
    """The amount in minor units; without `amount`, what is left to refund as read without a lock."""
    if amount is not None:
        return minor_units(amount, services().reference_data.currency(charge.currency))
    captured = charge.captured_amount or charge.amount
    return captured - charge.refunded or captured
