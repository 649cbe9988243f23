"""GET /v1/ops/payments, and POST /{id}/retry and /retry: retries are commands that a worker carries out."""

from http import HTTPStatus
from typing import Any

from flask import Response, request
from uuid_utils import uuid7

import bell
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import PREFER, Blueprint, JsonAnswer, JsonResponse, encode
from gateway.http.errors import ApiError
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.representations import stuck_body
from gateway.ops.schemas import OpsPaymentQuery, OpsPaymentSchema, RetriesInput, RetriesSchema, RetryInput
from gateway.outcomes.responses import JsonResult, action_response
from gateway.payments.schemas import PaymentSchema
from gateway.services import services
from models import payment_command, payment_stuck, payment_view
from models.payment_command import NewCommand
from models.payment_stuck import OLDEST_FIRST, StuckFilter
from models.session import Connection, statements

ops_payments = Blueprint(
    "ops_payments",
    __name__,
    url_prefix="/v1/ops/payments",
    description="Payments that were not posted in time, and retrying them.",
)


@ops_payments.route("")
@requires("ops:read")
@ops_payments.arguments(OpsPaymentQuery, location="query")
@ops_payments.response(200, page_of(OpsPaymentSchema))
def list_stuck(query: dict[str, Any]) -> JsonAnswer:
    """List payments that are stuck for some seconds, parked, or sent to the bank without a result yet; newest first."""
    return paginated(query, payment_stuck.find, stuck_body, which=_stuck_filter(query))


@ops_payments.route("/<id>/retry", methods=["POST"])
@requires("ops:retry")
@ops_payments.doc(parameters=[PREFER])
@ops_payments.arguments(RetryInput)
@ops_payments.outcome(PaymentSchema, HTTPStatus.OK)
def retry(body: dict[str, Any], id: str) -> JsonResult:
    """Retry a payment now, with a full set of attempts."""
    with statements(services().engine) as connection:
        view = found(payment_view.by_id(connection, path_id(id)))
        if view.finalized_at is not None:
            raise ApiError("payment_final", "A payment that is COMPLETED or FAILED does not change.")
        _order_retries(connection, [id], body["reason"])
    _ring()
    return action_response(view)


@ops_payments.route("/retry", methods=["POST"])
@requires("ops:retry")
@ops_payments.arguments(RetriesInput)
@ops_payments.response(202, RetriesSchema)
@ops_payments.alt_response(200, schema=RetriesSchema, description="A dry run: the payments that would be retried.")
def retry_many(body: dict[str, Any]) -> JsonAnswer | Response:
    """Retry many payments now, oldest first; unless dry_run is false, only list them."""
    filter, dry_run = body["filter"], body["dry_run"]
    with statements(services().engine) as connection:
        rows = payment_stuck.find(connection, _stuck_filter(filter), filter["limit"] + 1, OLDEST_FIRST)
        ids = [row.id for row in rows[: filter["limit"]]]
        if ids and not dry_run:
            _order_retries(connection, ids, body["reason"])
    answer = {"dry_run": dry_run, "count": len(ids), "payments": ids, "has_more": len(rows) > len(ids)}
    if dry_run:
        return JsonResponse(encode(answer), 200, content_type="application/json")
    _ring()
    return answer, {}


def _stuck_filter(query: dict[str, Any]) -> StuckFilter:
    return StuckFilter(query.get("stuck"), query.get("type", ()), query.get("currency"), "undecided" in query)


def _order_retries(connection: Connection, ids: list[str], reason: str) -> None:
    payment_command.order_retries(connection, [NewCommand(str(uuid7()), id) for id in ids], actor(), reason)


def _ring() -> None:
    bell.ring(request.environ[REQUEST_ID])
