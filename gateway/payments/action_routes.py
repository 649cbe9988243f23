"""POST /v1/charges/{id}/capture and /void, /v1/payments/{id}/cancel: wishes of the maker that a worker decides."""

from http import HTTPStatus

from flask import g, request
from uuid_utils import uuid7

import celery_config
from gateway.acceptance.accepted import AcceptedPayment
from gateway.acceptance.reference_data import minor_units
from gateway.auth.tokens import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint, Body
from gateway.http.errors import ApiError, invalid, not_found
from gateway.http.fields import is_id
from gateway.http.idempotency import find_replay, idempotency_key, request_fingerprint
from gateway.http.parsing import body_of_request
from gateway.http.schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult, action_response
from gateway.payments.schemas import CaptureInput, EndingInput
from gateway.services import services
from models import bulk, idempotency, payment_command, payment_view
from models.payment_view import PaymentView
from models.rules.posting import ENDS
from models.rules.types import PaymentAction, PaymentType
from models.session import Connection, transaction

endings = Blueprint(
    "endings",
    __name__,
    url_prefix="/v1",
    description="Taking or releasing what a charge holds, and cancelling what is not posted yet.",
)
keyed = endings.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])


@endings.route("/charges/<id>/capture", methods=["POST"])
@requires("charges:write")
@keyed
@endings.arguments(CaptureInput)
@endings.outcome(PaymentSchema, HTTPStatus.OK)
def capture(body: Body, id: str) -> JsonResult:
    """Take what a charge holds, or a part of it; the rest is released."""
    return _ordered(id, PaymentAction.CAPTURE, body.get("amount"))


@endings.route("/charges/<id>/void", methods=["POST"])
@requires("charges:write")
@keyed
@endings.arguments(EndingInput)
@endings.outcome(PaymentSchema, HTTPStatus.OK)
def void(_: Body, id: str) -> JsonResult:
    """Release what a charge holds."""
    return _ordered(id, PaymentAction.VOID)


@endings.route("/payments/<id>/cancel", methods=["POST"])
@requires("transfers:write", "withdrawals:write", "charges:write", "deposits:own", "deposits:write")
@keyed
@endings.arguments(EndingInput)
@endings.outcome(PaymentSchema, HTTPStatus.OK)
def cancel(_: Body, id: str) -> JsonResult:
    """Take back a payment that is INITIATED still, such as a scheduled one."""
    return _ordered(id, PaymentAction.CANCEL)


def _ordered(id: str, ending: PaymentAction, amount: str | None = None) -> JsonResult:
    """Keep the wish, or find that its key kept it before; the worker decides it under the payment's lock."""
    key, fingerprint = idempotency_key(request.environ), request_fingerprint(request.path, body_of_request())
    with transaction(services().engine) as connection:
        view = _own(connection, id, ending)
        claim = (g.caller.id, key)
        is_replay = find_replay(connection, claim, fingerprint) is not None
        if not is_replay:
            if view.state not in ENDS[ending]:
                raise ApiError("illegal_transition", f"The payment is {view.state}.")
            if view.bulk_id is not None and bulk.is_atomic(connection, view.bulk_id):
                raise ApiError("illegal_transition", "A line of an atomic bulk goes with its bulk.")
            captured = None if amount is None else _part(view, amount)
            is_replay = not idempotency.keep(connection, g.caller.id, key, fingerprint, payment_id=id)
            if is_replay:  # another request with the key was faster; its row is committed now
                find_replay(connection, claim, fingerprint)
            elif not payment_command.order_ending(connection, str(uuid7()), ending, id, captured, actor()):
                raise ApiError("ending_ordered", "Only the first capture, void or cancel of a payment counts.")
    if not is_replay:
        celery_config.ring(request.environ[REQUEST_ID])
    return action_response(AcceptedPayment(view, is_replay))


def _own(connection: Connection, id: str, ending: PaymentAction) -> PaymentView:
    """The caller's own payment, of a type that can be ended so; raises ApiError not_found."""
    view = payment_view.by_id(connection, id) if is_id(id) else None
    if view is None or view.user_id != g.caller.id:
        raise not_found()
    if ending is not PaymentAction.CANCEL and view.type != PaymentType.CHARGE:
        raise not_found()
    return view


def _part(view: PaymentView, amount: str) -> int:
    """What to capture, in minor units; raises ApiError for more than is held."""
    part = minor_units(amount, services().reference_data.currency(view.currency))
    if part > view.amount:
        raise invalid([("/amount", "amount_too_large", "More than is held.")])
    return part
