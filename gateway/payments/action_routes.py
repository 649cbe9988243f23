"""POST /v1/charges/{id}/capture and /void, /v1/payments/{id}/cancel: commands that a worker carries out."""

from http import HTTPStatus

from flask import request
from uuid_utils import uuid7

import bell
from gateway.acceptance.reference_data import minor_units
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint, Body
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, owned, path_id
from gateway.http.idempotency import find_replay, keep_key, request_key
from gateway.http.payment_schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult, action_response
from gateway.payments.schemas import CaptureInput, EndingInput
from gateway.services import services
from models import bulk, payment_command, payment_view
from models.payment_view import PaymentView
from models.rules.posting import ACTION_STATES
from models.rules.types import PaymentAction, PaymentType
from models.session import Connection, transaction

endings = Blueprint(
    "endings",
    __name__,
    url_prefix="/v1",
    description="Capture or release the amount that a charge holds, and cancel a payment that is not posted yet.",
)
keyed = endings.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])


@endings.route("/charges/<id>/capture", methods=["POST"])
@requires("charges:write")
@keyed
@endings.arguments(CaptureInput)
@endings.outcome(PaymentSchema, HTTPStatus.OK)
def capture(body: Body, id: str) -> JsonResult:
    """Capture a charge, in full or in part; the rest of the hold is released."""
    return _order_action(id, PaymentAction.CAPTURE, body.get("amount"))


@endings.route("/charges/<id>/void", methods=["POST"])
@requires("charges:write")
@keyed
@endings.arguments(EndingInput)
@endings.outcome(PaymentSchema, HTTPStatus.OK)
def void(_: Body, id: str) -> JsonResult:
    """Void a charge: release its hold."""
    return _order_action(id, PaymentAction.VOID)


@endings.route("/payments/<id>/cancel", methods=["POST"])
@requires("transfers:write", "withdrawals:write", "charges:write", "deposits:own", "deposits:write")
@keyed
@endings.arguments(EndingInput)
@endings.outcome(PaymentSchema, HTTPStatus.OK)
def cancel(_: Body, id: str) -> JsonResult:
    """Cancel a payment that is still INITIATED, such as a scheduled one."""
    return _order_action(id, PaymentAction.CANCEL)


def _order_action(id: str, action: PaymentAction, amount: str | None = None) -> JsonResult:
    """Store the command, unless its idempotency key already did; the worker decides it under the payment's lock."""
    key = request_key()
    with transaction(services().engine) as connection:
        view = _own_payment(connection, id, action)
        earlier_id = find_replay(connection, key)
        if earlier_id is None:
            if view.state not in ACTION_STATES[action] or view.type == PaymentType.RETURN:
                raise ApiError("illegal_transition", f"The payment is {view.state}.")
            if view.bulk_id is not None and bulk.is_atomic(connection, view.bulk_id):
                raise ApiError("illegal_transition", "A line of an atomic bulk is decided with its bulk.")
            captured = None if amount is None else _captured_amount(view, amount)
            earlier_id = keep_key(connection, key, payment_id=id, is_action=True)
        if earlier_id is None and not payment_command.order_action(
            connection, str(uuid7()), action, id, captured, actor()
        ):
            raise ApiError("ending_ordered", "Only the first capture, void or cancel of a payment is accepted.")
    if earlier_id is None:
        bell.ring(request.environ[REQUEST_ID])
    return action_response(view, is_replay=earlier_id is not None)


def _own_payment(connection: Connection, id: str, action: PaymentAction) -> PaymentView:
    """The caller's own payment, of a type that the action applies to; raises ApiError not_found."""
    view = owned(payment_view.by_id(connection, path_id(id)))
    return found(view, lambda view: action is PaymentAction.CANCEL or view.type == PaymentType.CHARGE)


def _captured_amount(view: PaymentView, amount: str) -> int:
    """The amount to capture, in minor units; raises ApiError for more than the hold."""
    captured = minor_units(amount, services().reference_data.currency(view.currency))
    if captured > view.amount:
        raise invalid([("/amount", "amount_too_large", "More than is held.")])
    return captured
