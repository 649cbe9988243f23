"""GET /v1/payments/{id}/receipt and /v1/receipt-keys: proof that a payment was posted, to be verified offline."""

from typing import Any

from flask import g

from gateway.auth.guards import public, requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page
from gateway.payments.receipt_schemas import ReceiptKeySchema, ReceiptSchema
from gateway.payments.routes import visible_payment
from gateway.services import services
from models import checkpoint, operation, payment_receipt
from models.payment_receipt import NotCovered
from models.session import statements

receipts = Blueprint("receipts", __name__, url_prefix="/v1", description="Proofs that payments were posted.")


@receipts.route("/payments/<id>/receipt")
@requires("payments:read")
@receipts.response(200, ReceiptSchema)
def get_receipt(id: str) -> JsonAnswer:
    """Get the receipt of a COMPLETED payment: its operations, and the proof that a signed checkpoint covers them.

    Operations of other users' accounts have only their hash. 409 receipt_pending until they are signed, a minute or two
    after the payment was posted.
    """
    view, caller = visible_payment(id), g.caller
    if view.finalized_at is None:
        raise ApiError("receipt_pending", "The payment is not posted yet.")
    with statements(services().engine) as connection:
        own = [row.account_id for row in operation.of_payment(connection, id) if row.owner_id == caller.id]
        try:
            return payment_receipt.receipt(connection, id, None if caller.reads_all else own), {}
        except NotCovered as error:
            if error.is_later:
                raise ApiError("receipt_pending", "It is signed a minute or two after it was posted.") from None
    raise ApiError("receipt_unavailable", "It FAILED, or was posted before there were receipts.")


@receipts.route("/receipt-keys")
@public
@receipts.response(200, page_of(ReceiptKeySchema))
def list_keys() -> JsonAnswer:
    """List the public keys (Ed25519) that receipts are verified against, newest first."""
    with statements(services().engine) as connection:
        return only_page([_key_body(key) for key in checkpoint.keys(connection)])


def _key_body(key: checkpoint.ReceiptKey) -> dict[str, Any]:
    return {"id": key.id, "public_key": key.public_key, "created_at": key.created_at.isoformat()}
