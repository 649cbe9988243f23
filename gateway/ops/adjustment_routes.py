"""GET and POST /v1/ops/adjustments, and /{id}/approve and /reject: corrections of a balance by two ops users."""

from flask import g, request
from uuid_utils import uuid7

import bell
from gateway.acceptance.reference_data import minor_units
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.idempotency import REPLAYED, find_replay, keep_key, request_key
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.schemas import AdjustmentInput, AdjustmentQuery, AdjustmentSchema, ApprovalInput, RejectionInput
from gateway.outcomes.responses import JsonResult, related_response
from gateway.services import services
from models import account, adjustment, payment_view
from models.adjustment import Adjustment, DecidedAdjustment, Proposal
from models.currency import Currency
from models.session import Connection, transaction

adjustments = Blueprint(
    "adjustments",
    __name__,
    url_prefix="/v1/ops/adjustments",
    description="Corrections of a balance: one ops user proposes, another approves.",
)


@adjustments.route("")
@requires("ops:read")
@adjustments.arguments(AdjustmentQuery, location="query")
@adjustments.response(200, page_of(AdjustmentSchema))
def list_adjustments(query: Body) -> JsonAnswer:
    """List adjustments, newest first."""
    return paginated(query, adjustment.page, _body, states=query.get("state"))


@adjustments.route("", methods=["POST"])
@requires("ops:adjustments", second_factor=True)
@adjustments.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}])
@adjustments.arguments(AdjustmentInput)
@adjustments.response(201, AdjustmentSchema)
def propose(body: Body) -> JsonAnswer:
    """Propose to credit or debit a wallet; no money moves until another ops user approves it."""
    key = request_key()
    currency = services().reference_data.currency(body["currency"])
    amount, id = minor_units(body["amount"], currency), str(uuid7())
    with transaction(services().engine) as connection:
        earlier_id = find_replay(connection, key)
        if earlier_id is None:
            account_id = _account_id(connection, body, currency)
            earlier_id = keep_key(connection, key, adjustment_id=id)
        if earlier_id is not None:
            return _body(found(adjustment.by_id(connection, earlier_id))), REPLAYED
        new = Proposal(account_id, body["direction"], amount, currency.code, body["reason"])
        proposed = adjustment.propose(connection, id, new, actor())
    return _body(proposed), {}


@adjustments.route("/<id>/approve", methods=["POST"])
@requires("ops:adjustments", second_factor=True)
@adjustments.doc(parameters=[PREFER])
@adjustments.arguments(ApprovalInput)
@adjustments.outcome(AdjustmentSchema)
def approve(body: Body, id: str) -> JsonResult:
    """Approve another ops user's adjustment; its payment is created in your name. With Prefer: 201 once it is final."""
    with transaction(services().engine) as connection:
        proposed = found(adjustment.by_id(connection, path_id(id)))
        if proposed.proposed_by == g.caller.id:
            raise ApiError("own_adjustment", "Another ops user must approve it; you can reject it.")
        approved, is_new = _decided(adjustment.approve(connection, proposed, actor(), body.get("reason")))
        view = payment_view.by_id(connection, approved.payment_id or "")
    if is_new:
        bell.ring(request.environ[REQUEST_ID])
    return related_response(_body(approved), view)


@adjustments.route("/<id>/reject", methods=["POST"])
@requires("ops:adjustments")
@adjustments.arguments(RejectionInput)
@adjustments.response(200, AdjustmentSchema)
def reject(body: Body, id: str) -> JsonAnswer:
    """Reject another ops user's adjustment, or withdraw your own; no money moves."""
    with transaction(services().engine) as connection:
        proposed = found(adjustment.by_id(connection, path_id(id)))
        rejected, _ = _decided(adjustment.reject(connection, proposed, actor(), body["reason"]))
    return _body(rejected), {}


def _account_id(connection: Connection, body: Body, currency: Currency) -> str:
    """The id of the account that the body names by its id or token; raises ApiError."""
    member, find = ("account", account.wallet_by_id) if "account" in body else ("wallet", account.wallet_by_token)
    wallet = find(connection, body[member])
    if wallet is None:
        raise invalid([(f"/{member}", "not_found", "There is no such account.")])
    if wallet.currency != currency.code:
        raise invalid([("/currency", "currency_mismatch", f"The account does not hold {currency.code}.")])
    return wallet.id


def _body(record: Adjustment) -> Body:
    """The adjustment for the caller; only those who may propose see the wallet token, which the audit log lacks."""
    return {**adjustment.body(record), "wallet": record.token if "ops:adjustments" in g.caller.scopes else None}


def _decided(decided: DecidedAdjustment | None) -> DecidedAdjustment:
    """The adjustment as the caller decided it, now or before; raises ApiError if it was decided otherwise."""
    if decided is None:
        raise ApiError("adjustment_decided", "It was approved or rejected already.")
    return decided
