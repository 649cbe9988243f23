"""GET /v1/ops/payments, and POST /{id}/retry and /retry: retries are orders that a worker carries out."""

from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Response, g, request
from uuid_utils import uuid7

import bell
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import PREFER, Blueprint, JsonAnswer, JsonResponse, encode
from gateway.http.errors import ApiError
from gateway.http.found import found, path_id
from gateway.http.payment_schemas import PaymentSchema
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.action_schemas import ListedPaymentSchema
from gateway.ops.batch_routes import create_batch
from gateway.ops.representations import selection_body
from gateway.ops.retry_schemas import (
    BatchDetailSchema,
    OpsPaymentFilter,
    OpsPaymentQuery,
    PaymentCountSchema,
    RetriesInput,
    RetryInput,
    SelectionSchema,
    stuck_filter,
)
from gateway.outcomes.responses import JsonResult, action_response
from gateway.services import reader, services
from models import ops_payment, payment_action, payment_command, payment_count, payment_view, selection
from models.payment_command import NewCommand
from models.rules.ops_actions import DETAILS, OpsAction, refusal
from models.session import statements, transaction

ops_payments = Blueprint(
    "ops_payments",
    __name__,
    url_prefix="/v1/ops/payments",
    description="Payments that were not posted in time, and retrying them.",
)


@ops_payments.route("")
@requires("ops:read")
@ops_payments.arguments(OpsPaymentQuery, location="query")
@ops_payments.response(200, page_of(ListedPaymentSchema))
def list_stuck(query: dict[str, Any]) -> JsonAnswer:
    """List payments, newest first; or those stuck for some seconds, parked, or sent to the bank without a result yet.

    Payments are found by user, merchant, account, wallet, bulk, batch, error or ids without reading others. By any
    other filter alone a page reads a limited number of payments: it may be short or empty while has_more is true. Only
    payments that are not final have a last error.
    """
    return paginated(query, ops_payment.page, ops_payment.listed_body, which=stuck_filter(query))


@ops_payments.route("/count")
@requires("ops:read")
@ops_payments.arguments(OpsPaymentFilter, location="query")
@ops_payments.response(200, PaymentCountSchema)
def count_payments(query: dict[str, Any]) -> JsonAnswer:
    """Count the payments of a filter of the list, up to 10,000.

    By type, state, currency and failure they are counted already. By another filter that no index finds only the newest
    100,000 payments are looked at; `is_exact` is false then, too.
    """
    counted = reader()(partial(payment_count.count, which=stuck_filter(query)))
    return {"count": counted.number, "is_exact": counted.is_exact}, {}


@ops_payments.route("/<id>/retry", methods=["POST"])
@requires("ops:retry")
@ops_payments.doc(parameters=[PREFER])
@ops_payments.arguments(RetryInput)
@ops_payments.outcome(PaymentSchema, HTTPStatus.OK)
def retry(body: dict[str, Any], id: str) -> JsonResult:
    """Retry a payment now, with a full set of attempts."""
    with statements(services().engine) as connection:
        view = found(payment_view.by_id(connection, path_id(id)))
        refused = refusal(OpsAction.RETRY, payment_action.facts(connection, [id])[id])
        if refused is not None:
            raise ApiError(refused.value, DETAILS[refused])
        payment_command.order_retries(connection, [NewCommand(str(uuid7()), id)], actor(), body["reason"])
    bell.ring(request.environ[REQUEST_ID])
    return action_response(view)


@ops_payments.route("/retry", methods=["POST"])
@requires("ops:retry")
@ops_payments.arguments(RetriesInput)
@ops_payments.response(202, BatchDetailSchema)
@ops_payments.alt_response(200, schema=SelectionSchema, description="A dry run: what the filter selects.")
def retry_many(body: dict[str, Any]) -> JsonAnswer | Response:
    """Select payments by a filter, or retry those of a selection: exactly the payments that it showed you."""
    if "filter" in body:
        filter = body["filter"]
        with transaction(services().engine) as connection:
            chosen = selection.select(connection, g.caller.id, stuck_filter(filter), filter["limit"])
        return JsonResponse(encode(selection_body(chosen)), 200, content_type="application/json")
    return create_batch(body["selection"], body["reason"])
