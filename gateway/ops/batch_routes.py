"""GET /v1/ops/batches, and POST /{id}/stop and /retry: retries of many payments, and how far they are."""

from flask import request
from uuid_utils import uuid7

import bell
import celery_config
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.pagination import paginated
from gateway.ops.representations import batch_body, batch_item_body
from gateway.ops.retry_schemas import BatchDetailSchema, BatchItemQuery, BatchItemSchema, BatchSchema, RetryInput
from gateway.services import services
from models import batch
from models.batch import SelectionProblem
from models.session import Connection, statements, transaction

batches = Blueprint(
    "batches",
    __name__,
    url_prefix="/v1/ops/batches",
    description="Retries of many payments: who ordered them and why, and how far they are.",
)

DETAILS = {
    SelectionProblem.USED: "A batch of these payments exists already.",
    SelectionProblem.OF_ANOTHER: "Another user was shown these payments; select them yourself.",
    SelectionProblem.EXPIRED: "Select the payments again.",
}


@batches.route("")
@requires("ops:read")
@batches.arguments(PageQuery, location="query")
@batches.response(200, page_of(BatchSchema))
def list_batches(query: Body) -> JsonAnswer:
    """List batches of retries, newest first."""
    return paginated(query, batch.page, batch_body)


@batches.route("/<id>")
@requires("ops:read")
@batches.response(200, BatchDetailSchema)
def get_batch(id: str) -> JsonAnswer:
    """Get a batch, with the number of its payments by outcome."""
    with statements(services().engine) as connection:
        return _detail(connection, path_id(id)), {}


@batches.route("/<id>/payments")
@requires("ops:read")
@batches.arguments(BatchItemQuery, location="query")
@batches.response(200, page_of(BatchItemSchema))
def list_batch_payments(query: Body, id: str) -> JsonAnswer:
    """List the payments of a batch and what became of each, the oldest first."""
    with statements(services().engine) as connection:
        found(batch.by_id(connection, path_id(id)))
    return paginated(query, batch.items, batch_item_body, batch_id=id, outcomes=query.get("outcome", ()))


@batches.route("/<id>/stop", methods=["POST"])
@requires("ops:retry")
@batches.arguments(RetryInput)
@batches.response(200, BatchDetailSchema)
def stop(body: Body, id: str) -> JsonAnswer:
    """Stop a batch: the payments that are not due yet are skipped."""
    with transaction(services().engine) as connection:
        found(batch.by_id(connection, path_id(id)))
        if not batch.stop(connection, id, actor(), body["reason"]):
            raise ApiError("batch_ended", "It was stopped before, or each of its payments was retried or skipped.")
    return _after_ring(id), {}


@batches.route("/<id>/retry", methods=["POST"])
@requires("ops:retry")
@batches.arguments(RetryInput)
@batches.response(202, BatchDetailSchema)
def retry(body: Body, id: str) -> JsonAnswer:
    """Make another batch of the payments of this one that are parked: again, or still because it was stopped."""
    new_id = str(uuid7())
    with transaction(services().engine) as connection:
        found(batch.by_id(connection, path_id(id)))
        if not batch.retry_parked(connection, new_id, id, actor(), body["reason"]):
            raise ApiError("nothing_to_retry", "None of its payments is parked and in no other batch that waits.")
    return _created(new_id)


def create_batch(selection_id: str, reason: str) -> JsonAnswer:
    """The new batch of a selection of the caller's; raises ApiError."""
    id = str(uuid7())
    with transaction(services().engine) as connection:
        problem = batch.create(connection, id, selection_id, actor(), reason)
        if problem is SelectionProblem.UNKNOWN:
            raise invalid([("/selection", problem, "There is no such selection.")])
        if problem is SelectionProblem.USED:
            raise ApiError(problem, DETAILS[problem], batch=batch.of_selection(connection, selection_id))
        if problem is not None:
            raise ApiError(problem, DETAILS[problem])
    return _created(id)


def _after_ring(id: str) -> Body:
    """The batch, after its worker was woken."""
    bell.ring(request.environ[REQUEST_ID], celery_config.CARRY_OUT)
    with statements(services().engine) as connection:
        return _detail(connection, id)


def _created(id: str) -> JsonAnswer:
    return _after_ring(id), {"Location": f"/v1/ops/batches/{id}"}


def _detail(connection: Connection, id: str) -> Body:
    return {**batch_body(found(batch.by_id(connection, id))), "outcomes": batch.outcomes(connection, id)}
