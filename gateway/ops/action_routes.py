"""GET /v1/ops/payments/{id}, and POST /cancel, /fail, /capture, /void, /ask and /resolve: acts of ops users."""

from http import HTTPStatus

from flask import g, request

import bell
from celery_config import INSTRUCT
from gateway.acceptance.reference_data import minor_units
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import PREFER, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.payment_schemas import PaymentSchema
from gateway.ops.action_representations import resolution_body, review_body
from gateway.ops.action_schemas import ActionInput, OpsCaptureInput, PaymentReviewSchema, ResolutionSchema, ResolveInput
from gateway.outcomes.prefer import wait_for
from gateway.outcomes.responses import JsonResult, action_response
from gateway.services import services
from models import ops_payment, payment_action, payment_view, resolution
from models.payment_view import PaymentView
from models.resolution import Evidence
from models.rules.ops_actions import DETAILS, OpsAction, Refusal
from models.session import Connection, statements, transaction

ops_actions = Blueprint(
    "ops_actions",
    __name__,
    url_prefix="/v1/ops/payments",
    description="What ops users may do about one payment: end what is ours alone, ask its bank, resolve what it left.",
)


@ops_actions.route("/<id>")
@requires("ops:read")
@ops_actions.response(200, PaymentReviewSchema)
def get_payment(id: str) -> JsonAnswer:
    """Get a payment with the actions that are possible now, and what ops users and its bank did about it."""
    return _review(path_id(id)), {}


@ops_actions.route("/<id>/cancel", methods=["POST"])
@requires("ops:payments")
@ops_actions.doc(parameters=[PREFER])
@ops_actions.arguments(ActionInput)
@ops_actions.outcome(PaymentSchema, HTTPStatus.OK)
def cancel(body: Body, id: str) -> JsonResult:
    """Cancel a payment that is still INITIATED, parked or not; it fails as `canceled_by_ops`."""
    return _end(OpsAction.CANCEL, id, body)


@ops_actions.route("/<id>/fail", methods=["POST"])
@requires("ops:payments")
@ops_actions.doc(parameters=[PREFER])
@ops_actions.arguments(ActionInput)
@ops_actions.outcome(PaymentSchema, HTTPStatus.OK)
def fail(body: Body, id: str) -> JsonResult:
    """Give up a payment of which no bank knows; it fails as `system_failure`, and what it holds is released."""
    return _end(OpsAction.FAIL, id, body)


@ops_actions.route("/<id>/capture", methods=["POST"])
@requires("ops:payments")
@ops_actions.doc(parameters=[PREFER])
@ops_actions.arguments(OpsCaptureInput)
@ops_actions.outcome(PaymentSchema, HTTPStatus.OK)
def capture(body: Body, id: str) -> JsonResult:
    """Capture a charge for its merchant, in full or in part; the rest of the hold is released."""
    return _end(OpsAction.CAPTURE, id, body)


@ops_actions.route("/<id>/void", methods=["POST"])
@requires("ops:payments")
@ops_actions.doc(parameters=[PREFER])
@ops_actions.arguments(ActionInput)
@ops_actions.outcome(PaymentSchema, HTTPStatus.OK)
def void(body: Body, id: str) -> JsonResult:
    """Void a charge for its merchant: release its hold; it fails as `canceled_by_ops`."""
    return _end(OpsAction.VOID, id, body)


@ops_actions.route("/<id>/ask", methods=["POST"])
@requires("ops:payments")
@ops_actions.doc(parameters=[PREFER])
@ops_actions.arguments(ActionInput)
@ops_actions.outcome(PaymentReviewSchema, HTTPStatus.OK)
def ask(body: Body, id: str) -> JsonResult:
    """Ask the bank about a payout now; its answer is shown beside what is known, and a final one ends the payment."""
    with transaction(services().engine) as connection:
        view = found(payment_view.by_id(connection, path_id(id)))
        _order(connection, OpsAction.ASK, view, body)
    bell.ring(request.environ[REQUEST_ID], INSTRUCT)
    now, applied = wait_for(view, lambda now: now.version != view.version, request.environ, services())
    is_answered = bool(applied) and now.version != view.version
    return _review(id), applied, HTTPStatus.OK if is_answered else HTTPStatus.ACCEPTED


@ops_actions.route("/<id>/resolve", methods=["POST"])
@requires("ops:resolutions", second_factor=True)
@ops_actions.arguments(ResolveInput)
@ops_actions.response(201, ResolutionSchema)
def resolve(body: Body, id: str) -> JsonAnswer:
    """Propose what the bank did with a parked payout; nothing moves until another ops user approves it."""
    evidence = Evidence(body["outcome"], body.get("bank_reference"), body.get("value_date"))
    with transaction(services().engine) as connection:
        found(payment_view.by_id(connection, path_id(id)))
        proposed = resolution.propose(connection, id, evidence, actor(), body["reason"])
    if isinstance(proposed, Refusal):
        raise _refused(proposed)
    return resolution_body(proposed), {}


def _end(action: OpsAction, id: str, body: Body) -> JsonResult:
    """Order an action that ends the payment; the worker judges it again under the payment's lock."""
    with transaction(services().engine) as connection:
        view = found(payment_view.by_id(connection, path_id(id)))
        _order(connection, action, view, body)
    bell.ring(request.environ[REQUEST_ID])
    return action_response(view)


def _order(connection: Connection, action: OpsAction, view: PaymentView, body: Body) -> None:
    amount = None
    if "amount" in body:
        amount = minor_units(body["amount"], services().reference_data.currency(view.currency))
        if amount > view.amount:
            raise invalid([("/amount", "amount_too_large", "More than is held.")])
    refused = payment_action.order(connection, action, view.id, actor(), body["reason"], amount)
    if refused is not None:
        raise _refused(refused)


def _refused(refused: Refusal) -> ApiError:
    return ApiError(refused.value, DETAILS[refused])


def _review(id: str) -> Body:
    with statements(services().engine) as connection:
        return review_body(found(ops_payment.by_id(connection, id)), g.caller)
