"""GET and POST /v1/ops/adjustments, and /{id}/approve and /reject: two of ops put a balance right, or do not."""

from flask import g, request
from uuid_utils import uuid7

import celery_config
from gateway.acceptance.reference_data import minor_units
from gateway.auth import tokens
from gateway.auth.tokens import requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid, not_found
from gateway.http.fields import is_id
from gateway.http.idempotency import find_replay, idempotency_key, request_fingerprint
from gateway.http.parsing import body_of_request
from gateway.http.schemas import page_of
from gateway.lists.paging import paginated
from gateway.ops.representations import adjustment_body
from gateway.ops.schemas import AdjustmentInput, AdjustmentQuery, AdjustmentSchema, ApprovalInput, RejectionInput
from gateway.outcomes.responses import JsonResult, related_response
from gateway.services import services
from models import account, adjustment, audit, idempotency, payment, payment_view
from models.adjustment import Adjustment, AdjustmentState
from models.payment import NewPayment
from models.rules.types import PaymentType
from models.session import Connection, Contention, transaction

adjustments = Blueprint(
    "adjustments",
    __name__,
    url_prefix="/v1/ops/adjustments",
    description="Corrections of a balance: one of ops proposes, another approves.",
)


@adjustments.route("")
@requires("ops:read")
@adjustments.arguments(AdjustmentQuery, location="query")
@adjustments.response(200, page_of(AdjustmentSchema))
def list_adjustments(query: Body) -> JsonAnswer:
    """Adjustments, newest first."""
    return paginated(query, adjustment.page, _shown, states=query.get("state", list(AdjustmentState)))


@adjustments.route("", methods=["POST"])
@requires("ops:adjustments")
@adjustments.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}])
@adjustments.arguments(AdjustmentInput)
@adjustments.response(201, AdjustmentSchema)
def propose(body: Body) -> JsonAnswer:
    """Propose to credit or debit a wallet; nothing moves until another of ops approves it."""
    key, print_ = idempotency_key(request.environ), request_fingerprint(request.path, body_of_request())
    currency = services().reference_data.currency(body["currency"])
    amount, id = minor_units(body["amount"], currency), str(uuid7())
    with transaction(services().engine) as connection:
        earlier = _earlier(connection, key, print_)
        if earlier is not None:
            return _shown(earlier), {"Idempotent-Replayed": "true"}
        by_id = "account" in body
        find = account.wallet_by_id if by_id else account.wallet_by_token
        wallet = find(connection, body["account" if by_id else "wallet"])
        if wallet is None:
            raise invalid([("/account" if by_id else "/wallet", "not_found", "There is no such account.")])
        if wallet.currency != currency.code:
            raise invalid([("/currency", "currency_mismatch", f"The account does not hold {currency.code}.")])
        if not idempotency.keep(connection, g.caller.id, key, print_, adjustment_id=id):
            # Another request with the key was faster; its row is committed now.
            earlier = _earlier(connection, key, print_)
            if earlier is None:
                raise Contention
            return _shown(earlier), {"Idempotent-Replayed": "true"}
        said = (wallet.id, body["direction"], amount, currency.code, body["reason"])
        adjustment.propose(connection, id, *said, g.caller.id)
        kept = _known(connection, id)
        audit.note(connection, tokens.actor(), "adjustments.propose", id, body["reason"], after=adjustment_body(kept))
    return _shown(kept), {}


@adjustments.route("/<id>/approve", methods=["POST"])
@requires("ops:adjustments")
@adjustments.doc(parameters=[PREFER])
@adjustments.arguments(ApprovalInput)
@adjustments.outcome(AdjustmentSchema)
def approve(body: Body, id: str) -> JsonResult:
    """Approve what another of ops proposed: the payment is ordered in your name; with Prefer 201 once it is final."""
    with transaction(services().engine) as connection:
        proposed, payment_id = _known(connection, id), str(uuid7())
        if proposed.proposed_by == g.caller.id:
            raise ApiError("own_adjustment", "Another of ops approves what you propose; you may reject it.")
        is_new = adjustment.approve(connection, id, g.caller.id, body.get("reason"), payment_id)
        approved = _decided(connection, id, AdjustmentState.APPROVED)
        if is_new:
            payment.accept(connection, [_wish(approved, payment_id)])
            before, after = adjustment_body(proposed), adjustment_body(approved)
            audit.note(connection, tokens.actor(), "adjustments.approve", id, body.get("reason"), before, after)
        ordered = payment_view.by_id(connection, approved.payment_id or payment_id)
    if is_new:
        celery_config.ring(request.environ[REQUEST_ID])
    return related_response(_shown(approved), ordered)


@adjustments.route("/<id>/reject", methods=["POST"])
@requires("ops:adjustments")
@adjustments.arguments(RejectionInput)
@adjustments.response(200, AdjustmentSchema)
def reject(body: Body, id: str) -> JsonAnswer:
    """Reject what another of ops proposed, or take back what you did: nothing will move by it."""
    with transaction(services().engine) as connection:
        proposed = _known(connection, id)
        is_new = adjustment.reject(connection, id, g.caller.id, body["reason"])
        rejected = _decided(connection, id, AdjustmentState.REJECTED)
        before, after = adjustment_body(proposed), adjustment_body(rejected)
        if is_new:
            audit.note(connection, tokens.actor(), "adjustments.reject", id, body["reason"], before, after)
    return _shown(rejected), {}


def _shown(known: Adjustment) -> Body:
    """The adjustment as the caller sees it: the token, which the audit log has not, for those who may propose by it."""
    return {**adjustment_body(known), "wallet": known.token if "ops:adjustments" in g.caller.scopes else None}


def _decided(connection: Connection, id: str, state: AdjustmentState) -> Adjustment:
    """The adjustment as the caller decided it, now or before; raises ApiError if he did not."""
    found = _known(connection, id)
    if found.state != state or g.caller.id not in (found.approved_by, found.rejected_by):
        raise ApiError("adjustment_decided", f"It is {found.state} already.")
    return found


def _wish(approved: Adjustment, payment_id: str) -> NewPayment:
    """The payment that the approval orders, under a key that nobody can send: it has a space."""
    catalogue = services().reference_data
    ours = catalogue.technical("internal", catalogue.currency(approved.currency).code).id
    sides = (ours, approved.account_id) if approved.direction == "credit" else (approved.account_id, ours)
    key = f"adjustment {approved.id}"
    order = (payment_id, PaymentType.ADJUSTMENT.value, g.caller.id, *sides, approved.amount, approved.currency)
    return NewPayment(*order, key, request_fingerprint(request.path, key))


def _earlier(connection: Connection, key: str, print_: bytes) -> Adjustment | None:
    kept = find_replay(connection, (g.caller.id, key), print_)
    return adjustment.by_id(connection, kept.adjustment_id) if kept and kept.adjustment_id else None


def _known(connection: Connection, id: str) -> Adjustment:
    """The adjustment; raises ApiError not_found."""
    known = adjustment.by_id(connection, id) if is_id(id) else None
    if known is None:
        raise not_found()
    return known
