"""POST /v1/refunds: a merchant gives back a charge or a part of it; how much there is to give is decided under lock."""

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

refunds = Blueprint(
    "refunds", __name__, url_prefix="/v1/refunds", description="Giving back a charge, in whole or in part."
)


@refunds.route("", methods=["POST"])
@requires("charges:write")
@refunds.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])
@refunds.arguments(RefundInput)
@refunds.outcome(PaymentSchema)
def refund(body: dict[str, Any]) -> JsonResult:
    """Give back a charge, whole or in part; the refunds of a charge never exceed what was captured of it."""
    key = idempotency_key(request.environ)
    with statements(services().engine) as connection:
        charge = payment_view.by_id(connection, body["charge"])
    if charge is None or charge.user_id != g.caller.id or charge.type != PaymentType.CHARGE:
        raise invalid([("/charge", "not_found", "There is no such charge of yours.")])
    shown = services().group_commit.submit(
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
    view = shown.view._replace(source=charge.target, target=charge.source)  # he gave tokens with the charge, if at all
    return payment_response(shown._replace(view=view))


def _amount(charge: PaymentView, asked: str | None) -> int:
    """In minor units; unless an amount is named, what is left as far as can be told here."""
    if asked is not None:
        return minor_units(asked, services().reference_data.currency(charge.currency))
    captured = charge.captured_amount or charge.amount
    return captured - charge.refunded or captured
