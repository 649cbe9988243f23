"""GET /v1/ops/closing: the books of a month for ops; GET /v1/closing: a merchant's own month by day."""

from typing import Any

from flask import Response, g

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import invalid
from gateway.http.schemas import Output
from gateway.lists import exports
from gateway.lists.exports import CSV, HTML, JSON_LINES, csv_of, json_lines_of, stream
from gateway.lists.print_page import print_page
from gateway.ops.closing_schemas import (
    ClosingQuery,
    ClosingRowSchema,
    ClosingSchema,
    MerchantClosingSchema,
    MerchantDaySchema,
)
from gateway.services import reader, services
from models import closing, closing_body, closing_month, merchant_closing
from models.closing import Closing
from models.closing_month import ClosingMonth
from models.merchant_closing import MerchantDay
from models.session import Connection

closings = Blueprint("closings", __name__, url_prefix="/v1", description="The books of a month.")

FORMATS = (CSV, JSON_LINES, HTML)


@closings.route("/ops/closing")
@requires("ops:read", others=FORMATS)
@closings.doc(responses=exports.document_formats(*FORMATS))
@closings.arguments(ClosingQuery, location="query")
@closings.response(200, ClosingSchema)
def get_closing(query: Body) -> Response | JsonAnswer:
    """Close a month: trial balance, payments that became final, commission, what was open, returns, adjustments.

    A month begins and ends at midnight of the time zone. Debits and credits of a currency are equal, and its opening
    and closing balances sum to zero. A month that is not over is closed as it is now. `open` is null if,
    before all is summed up after an upgrade, more than 20,000,000 events happened since the month ended.
    """

    def read(connection: Connection) -> tuple[ClosingMonth, Closing]:
        closing.read_one_snapshot(connection)
        month = _month(connection, query)
        return month, closing.close(connection, month)

    with services().large_reads.turn():
        month, closed = reader()(read, in_transaction=True)
    body = closing_body.body(closed, _name(query), query["timezone"], month, _digits)
    return _answer(body, closing_body.rows(body), ClosingRowSchema, "closing.html")


@closings.route("/closing")
@requires("payments:read", others=FORMATS)
@closings.doc(responses=exports.document_formats(*FORMATS))
@closings.arguments(ClosingQuery, location="query")
@closings.response(200, MerchantClosingSchema)
def get_own_closing(query: Body) -> Response | JsonAnswer:
    """Show your month as a merchant, by day: what charges brought, commission, refunds, and what is left."""
    merchant_id = g.caller.id

    def read(connection: Connection) -> tuple[ClosingMonth, list[MerchantDay]]:
        month = _month(connection, query)
        return month, merchant_closing.by_day(connection, merchant_id, month, query["timezone"])

    with services().large_reads.turn():
        month, days = reader()(read)
    rows = [closing_body.day_body(day, _digits) for day in days]
    body = {**closing_body.head(_name(query), query["timezone"], month), "days": rows}
    return _answer(body, rows, MerchantDaySchema, "merchant_closing.html")


def _answer(
    body: dict[str, Any], rows: list[dict[str, Any]], schema: type[Output], template: str
) -> Response | JsonAnswer:
    """The closing in the format that the request accepts; a file has the rows."""
    media_type = exports.accepted_format(*FORMATS)
    if media_type == HTML:
        return print_page(template, body)
    if media_type in exports.FILES:
        lines = csv_of([rows], schema) if media_type == CSV else json_lines_of([rows])
        return stream(lines, media_type, rows_max=None)
    return body, {}


def _month(connection: Connection, query: Body) -> ClosingMonth:
    """The month of the query; raises ApiError for an unknown time zone."""
    found = closing_month.month_of(connection, query["month"], query["timezone"])
    if found is None:
        detail = "A name of the time zone database, such as Europe/Berlin."
        raise invalid([("timezone", "invalid_value", detail)], "parameter")
    return found


def _name(query: Body) -> str:
    return f"{query['month']:%Y-%m}"


def _digits(currency: str) -> int:
    return services().reference_data.currency(currency).digits
