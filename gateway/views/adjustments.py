"""GET and POST /v1/ops/adjustments, POST /v1/ops/adjustments/{id}/approve: two of ops put a balance right."""

from typing import Any

from flask import g, request
from uuid_utils import uuid7

import celery_config
from gateway import auth, lists
from gateway.auth import requires
from gateway.catalogue import minor_units
from gateway.contract import IDEMPOTENCY_KEY, Blueprint
from gateway.envelope import REQUEST_ID
from gateway.errors import Refusal, flawed, not_found
from gateway.fields import is_id
from gateway.idempotency import fingerprint_of, key_of
from gateway.ops_schemas import AdjustmentInput, AdjustmentQuery, AdjustmentSchema, ApprovalInput
from gateway.parsing import body_of_request
from gateway.schemas import page_of
from gateway.services import services
from gateway.showing import adjustment_body
from models import account, adjustment, audit, idempotency, payment
from models.adjustment import Adjustment
from models.payment import Wish
from models.rules.values import PaymentType
from models.session import Connection, Contention, statements, transaction

adjustments = Blueprint(
    "adjustments", __name__, url_prefix="/v1/ops/adjustments", description="Two of ops put a balance right."
)

Body = dict[str, Any]
Answer = tuple[Body, dict[str, str]]


@adjustments.route("")
@requires("ops:read")
@adjustments.arguments(AdjustmentQuery, location="query")
@adjustments.response(200, page_of(AdjustmentSchema))
def list_adjustments(query: Body) -> Answer:
    """Adjustments, newest first."""
    at, wanted = lists.place(query), query.get("approved")
    is_approved = None if wanted is None else wanted == "true"
    with statements(services().engine) as connection:
        rows = adjustment.page(
            connection, query["limit"] + 1, is_approved=is_approved, before=at.before, after=at.after
        )
    return lists.page(query, at, rows, adjustment_body)


@adjustments.route("", methods=["POST"])
@requires("ops:adjustments")
@adjustments.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}])
@adjustments.arguments(AdjustmentInput)
@adjustments.response(201, AdjustmentSchema)
def propose(body: Body) -> Answer:
    """Propose to credit or debit a wallet; nothing moves until another of ops approves it."""
    key, print_ = key_of(request.environ), fingerprint_of(request.path, body_of_request())
    currency = services().catalogue.currency(body["currency"])
    amount, id = minor_units(body["amount"], currency), str(uuid7())
    with transaction(services().engine) as connection:
        earlier = _earlier(connection, key, print_)
        if earlier is not None:
            return adjustment_body(earlier), {"Idempotent-Replayed": "true"}
        wallet = account.wallet_by_id(connection, body["account"])
        if wallet is None:
            raise flawed([("/account", "not_found", "There is no such account.")])
        if wallet.currency != currency.code:
            raise flawed([("/currency", "currency_mismatch", f"The account does not hold {currency.code}.")])
        if not idempotency.keep_adjustment(connection, g.caller.id, key, print_, id):
            # Another request with the key was faster; its row is committed now.
            earlier = _earlier(connection, key, print_)
            if earlier is None:
                raise Contention
            return adjustment_body(earlier), {"Idempotent-Replayed": "true"}
        said = (wallet.id, body["direction"], amount, currency.code, body["reason"])
        adjustment.propose(connection, id, *said, g.caller.id)
        kept = adjustment_body(_known(connection, id))
        audit.note(connection, auth.actor(), "adjustments.propose", id, body["reason"], after=kept)
    return kept, {}


@adjustments.route("/<id>/approve", methods=["POST"])
@requires("ops:adjustments")
@adjustments.arguments(ApprovalInput)
@adjustments.response(202, AdjustmentSchema)
def approve(body: Body, id: str) -> Answer:
    """Approve what another of ops proposed: the payment is ordered in your name."""
    if not is_id(id):
        raise not_found()
    with transaction(services().engine) as connection:
        proposed, payment_id = _known(connection, id), str(uuid7())
        if proposed.proposed_by == g.caller.id:
            raise Refusal("own_adjustment", "Another of ops approves what you propose.")
        is_new = adjustment.approve(connection, id, g.caller.id, body.get("reason"), payment_id)
        approved = _known(connection, id)
        if approved.approved_by != g.caller.id:
            raise Refusal("adjustment_approved", "Another of ops has approved it.")
        if is_new:
            payment.accept(connection, [_wish(approved, payment_id)])
            before, after = adjustment_body(proposed), adjustment_body(approved)
            audit.note(connection, auth.actor(), "adjustments.approve", id, body.get("reason"), before, after)
    if is_new:
        celery_config.ring(request.environ[REQUEST_ID])
    return adjustment_body(approved), {}


def _wish(approved: Adjustment, payment_id: str) -> Wish:
    """The payment that the approval orders, under a key that nobody can send: it has a space."""
    catalogue = services().catalogue
    ours = catalogue.technical("internal", catalogue.currency(approved.currency).code).id
    sides = (ours, approved.account_id) if approved.direction == "credit" else (approved.account_id, ours)
    key = f"adjustment {approved.id}"
    order = (payment_id, PaymentType.ADJUSTMENT.value, g.caller.id, *sides, approved.amount, approved.currency)
    return Wish(*order, key, fingerprint_of(request.path, key))


def _earlier(connection: Connection, key: str, print_: bytes) -> Adjustment | None:
    claim = (g.caller.id, key)
    kept = idempotency.find(connection, [claim]).get(claim)
    if kept is None:
        return None
    if kept.fingerprint != print_ or kept.adjustment_id is None:
        raise Refusal("idempotency_key_reused", "This key stands for another request of yours.")
    return adjustment.by_id(connection, kept.adjustment_id)


def _known(connection: Connection, id: str) -> Adjustment:
    """The adjustment; raises Refusal not_found."""
    known = adjustment.by_id(connection, id)
    if known is None:
        raise not_found()
    return known
