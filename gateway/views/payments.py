"""GET /v1/payments, /v1/payments/{id} and its operations."""

from datetime import timedelta
from typing import Any

from flask import Response, g, request

from gateway import lists
from gateway.auth import requires
from gateway.contract import IF_NONE_MATCH, Blueprint
from gateway.errors import not_found
from gateway.fields import is_id
from gateway.schemas import OperationSchema, PaymentQuery, PaymentSchema, page_of
from gateway.services import services
from gateway.showing import READ_ALL, Shown, is_visible, operation_body, payment_body, payment_headers
from models import account, operation, payment_view
from models.payment_view import Filter, PaymentView
from models.session import statements

payments = Blueprint("payments", __name__, url_prefix="/v1/payments", description="How far orders have come.")

MOMENT = timedelta(microseconds=1)
"""The database's finest step, by which > becomes >= and <= becomes <."""

EMPTY_PAGE = {"data": [], "has_more": False, "next_cursor": None, "prev_cursor": None}


@payments.route("")
@requires("payments:read")
@payments.arguments(PaymentQuery, location="query")
@payments.response(200, page_of(PaymentSchema))
def list_payments(query: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The payments you ordered and those of your wallets, newest first."""
    at = lists.place(query)
    user_id = None if READ_ALL in g.caller.scopes else g.caller.id
    with statements(services().engine) as connection:
        where = _filter(query)
        if "wallet" in query:
            party = account.parties_by_token(connection, [query["wallet"]]).get(query["wallet"])
            if party is None:
                return EMPTY_PAGE, {}
            where = Filter(where.states, where.types, party.id, where.created_from, where.created_before)
        rows = payment_view.page(connection, user_id, where, query["limit"] + 1, before=at.before, after=at.after)
    return lists.page(query, at, rows, lambda row: payment_body(row, g.caller))


def _filter(query: dict[str, Any]) -> Filter:
    since = [query.get("created_from"), query["created_after"] + MOMENT if "created_after" in query else None]
    until = [query.get("created_before"), query["created_until"] + MOMENT if "created_until" in query else None]
    return Filter(
        states=query.get("state", ()),
        types=query.get("type", ()),
        created_from=max(filter(None, since), default=None),
        created_before=min(filter(None, until), default=None),
    )


@payments.route("/<id>")
@requires("payments:read")
@payments.doc(parameters=[IF_NONE_MATCH])
@payments.response(200, PaymentSchema)
def get_payment(id: str) -> tuple[dict[str, Any], dict[str, str]] | Response:
    """A payment, in whatever state it is."""
    view = _visible(id)
    headers = payment_headers(Shown(view, is_replay=False), g.caller)
    del headers["Location"]
    if request.if_none_match.contains_weak(headers["ETag"][1:-1]):
        return Response(status=304, headers=headers)
    return payment_body(view, g.caller), headers


@payments.route("/<id>/operations")
@requires("payments:read")
@payments.response(200, page_of(OperationSchema))
def list_operations(id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The double entry of a payment; empty unless it COMPLETED."""
    _visible(id)
    with statements(services().engine) as connection:
        rows = operation.of_payment(connection, id)
    return {**EMPTY_PAGE, "data": [operation_body(row, g.caller) for row in rows]}, {}


def _visible(text: str) -> PaymentView:
    """The payment with this id; raises Refusal not_found, also for one that the caller may not see."""
    if not is_id(text):
        raise not_found()
    view = services().finals.payment(text)
    if view is None or not is_visible(view, g.caller):
        raise not_found()
    return view
