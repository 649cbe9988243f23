"""GET /v1/payments, /v1/payments/{id}, and its operations and request."""

from functools import partial
from typing import Any

from flask import Response, g, request

from gateway.auth.guards import requires
from gateway.http.blueprint import IF_NONE_MATCH, PREFER, Blueprint, JsonAnswer
from gateway.http.etag import unless_known
from gateway.http.found import found, path_id, readable
from gateway.http.payment_schemas import AcceptingRequestSchema, PaymentSchema
from gateway.http.schemas import page_of
from gateway.lists import exports, pagination
from gateway.lists.pagination import only_page
from gateway.outcomes.prefer import wait_for_change
from gateway.outcomes.responses import payment_headers
from gateway.payments.representations import operation_bodies
from gateway.payments.schemas import OperationSchema, PaymentQuery
from gateway.services import services
from models import account, idempotency, operation, payment_list
from models.keyset import Cursor
from models.payment_list import COLUMNS, Viewer
from models.payment_search import Page
from models.payment_view import PaymentView
from models.representations import is_visible, payment_body
from models.session import Connection, statements

payments = Blueprint(
    "payments",
    __name__,
    url_prefix="/v1/payments",
    description="Read payments, their states and their operations.",
)


@payments.route("")
@requires("payments:read", others=exports.FILES)
@payments.doc(responses=exports.document_formats(*exports.FILES))
@payments.arguments(PaymentQuery, location="query")
@payments.response(200, page_of(PaymentSchema))
def list_payments(query: dict[str, Any]) -> Response | JsonAnswer:
    """List the payments you created and those of your wallets, newest first; filter and sort by what you can see.

    A filter or order by amount needs one currency. Any order but by created_at needs a range of created_at of at most
    31 days. A page scans a limited number of payments: it may be short or empty while has_more is true.
    """
    caller = g.caller
    where = pagination.parse_filters(query, COLUMNS, partial(pagination.one_currency, query))
    viewer = Viewer(caller.id, caller.reads_all)

    def read(connection: Connection, limit: int, at: Cursor) -> Page:
        of = None
        if "wallet" in query:
            of = account.parties_by_token(connection, [query["wallet"]]).get(query["wallet"])
            if of is None:
                return Page((), ())
        return payment_list.page(connection, viewer, where, limit, at, of=of, key=query.get("idempotency_key"))

    return exports.export_response(query, read, lambda row: payment_body(row, caller), PaymentSchema)


@payments.route("/<id>")
@requires("payments:read")
@payments.doc(parameters=[IF_NONE_MATCH, PREFER])
@payments.response(200, PaymentSchema)
def get_payment(id: str) -> JsonAnswer | Response:
    """Get a payment; with Prefer, wait until it is final or AUTHORIZED, or differs from If-None-Match."""
    view, is_known, applied = wait_for_change(visible_payment(id), request.environ, services())
    headers = payment_headers(view, g.caller) | applied
    del headers["Location"]
    return unless_known(payment_body(view, g.caller), headers, is_known=is_known)


@payments.route("/<id>/operations")
@requires("payments:read")
@payments.response(200, page_of(OperationSchema))
def list_operations(id: str) -> JsonAnswer:
    """List the double entry of a payment; empty unless it is COMPLETED."""
    view = visible_payment(id)
    with statements(services().engine) as connection:
        rows = operation.of_payment(connection, id)
    return only_page(operation_bodies(rows, view, g.caller))


@payments.route("/<id>/request")
@requires("payments:read")
@payments.response(200, AcceptingRequestSchema)
def get_request(id: str) -> JsonAnswer:
    """Get the idempotency key and the Request-Id of the request that ordered a payment, and the quote that it used.

    Only who ordered the payment finds it. All are null if no request ordered it by itself: for a line of a bulk, a
    bonus, an adjustment, a return.
    """
    view = readable(visible_payment(id))
    with statements(services().engine) as connection:
        return idempotency.accepted_by(connection, view.id)._asdict(), {}


def visible_payment(id: str) -> PaymentView:
    """The payment, if the caller may see it; raises ApiError not_found."""
    return found(services().final_payments.payment(path_id(id)), lambda view: is_visible(view, g.caller))
