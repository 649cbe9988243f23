"""GET /v1/payments, /v1/payments/{id} and its operations."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, request

from gateway import exports, lists
from gateway.auth import requires
from gateway.contract import IF_NONE_MATCH, Blueprint
from gateway.errors import flawed, not_found
from gateway.fields import is_id
from gateway.list_schemas import PaymentQuery
from gateway.schemas import OperationSchema, PaymentSchema, page_of
from gateway.services import services
from gateway.showing import READ_ALL, Shown, is_visible, operation_bodies, payment_body, payment_headers
from models import account, operation, payment_list
from models.currency import Currency
from models.payment_list import BOUNDED, Filter
from models.payment_view import PaymentView
from models.session import statements

payments = Blueprint("payments", __name__, url_prefix="/v1/payments", description="How far orders have come.")

SORTED_DAYS_MAX = 31
"""Amounts have no index: what is sorted by them is bounded by a month."""

EMPTY_PAGE = {"data": [], "has_more": False, "next_cursor": None, "prev_cursor": None}


@payments.route("")
@requires("payments:read", others=exports.FILES)
@payments.doc(responses=exports.as_well(*exports.FILES))
@payments.arguments(PaymentQuery, location="query")
@payments.response(200, page_of(PaymentSchema))
def list_payments(query: dict[str, Any]) -> Response | tuple[dict[str, Any], dict[str, str]]:
    """The payments you ordered and those of your wallets, newest first; amounts need one currency.

    Sorted by amount, the largest first, created_at must be bounded to at most 31 days.
    """
    where, caller, engine = _filter(query), g.caller, services().engine
    user_id = None if READ_ALL in caller.scopes else caller.id

    def read(limit: int, at: lists.Place) -> list[PaymentView]:
        with statements(engine) as connection:
            found = where
            if "wallet" in query:
                party = account.parties_by_token(connection, [query["wallet"]]).get(query["wallet"])
                if party is None:
                    return []
                found = replace(where, account_id=party.id)
            return payment_list.page(connection, user_id, found, limit, before=at.before, after=at.after)

    return exports.answer(query, read, lambda row: payment_body(row, caller), PaymentSchema)


def _filter(query: dict[str, Any]) -> Filter:
    created_from, created_before = lists.span(query)
    by_amount = query["sort"] == "amount"
    if by_amount:
        _refuse_unbounded(created_from, created_before)
    limits: list[tuple[str, str, Any]] = []
    if by_amount or lists.bounds(query, "amount"):
        limits += [("amount", word, amount) for word, amount in lists.amounts(query, _one_currency(query))]
    for name in set(BOUNDED) - {"amount"}:
        limits += [(name, word, time) for word, time in lists.bounds(query, name).items()]
    return Filter(
        states=query.get("state", ()),
        types=query.get("type", ()),
        created_from=created_from,
        created_before=created_before,
        currencies=query.get("currency", ()),
        parents=query.get("parent", ()),
        reasons=query.get("reason", ()),
        failures=query.get("failure", ()),
        reference=query.get("reference"),
        summary=query.get("summary"),
        metadata=query.get("labels"),
        bounds=limits,
        by_amount=by_amount,
    )


def _one_currency(query: dict[str, Any]) -> Currency:
    """The currency whose amounts are compared; raises Refusal if there are several, or none that is known."""
    codes = query.get("currency", [])
    if len(codes) != 1:
        raise flawed([("currency", "required", "Amounts compare in one currency; name it.")], "parameter")
    known = services().catalogue.currencies().get(codes[0])
    if known is None:
        raise flawed([("currency", "currency_unknown", "This currency is not known.")], "parameter")
    return known


def _refuse_unbounded(created_from: datetime | None, created_before: datetime | None) -> None:
    missing = {"created_at[gte]": created_from is None, "created_at[lt]": created_before is None}
    names = [name for name, is_missing in missing.items() if is_missing]
    if names:
        raise flawed(
            [(name, "required", "What is sorted by amount is bounded in time.") for name in names], "parameter"
        )
    if created_from and created_before and created_before - created_from > timedelta(days=SORTED_DAYS_MAX):
        detail = f"At most {SORTED_DAYS_MAX} days are sorted by amount."
        raise flawed([("created_at[lt]", "invalid_value", detail)], "parameter")


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
    view = _visible(id)
    with statements(services().engine) as connection:
        rows = operation.of_payment(connection, id)
    return {**EMPTY_PAGE, "data": operation_bodies(rows, view, g.caller)}, {}


def _visible(text: str) -> PaymentView:
    """The payment with this id; raises Refusal not_found, also for one that the caller may not see."""
    if not is_id(text):
        raise not_found()
    view = services().finals.payment(text)
    if view is None or not is_visible(view, g.caller):
        raise not_found()
    return view
