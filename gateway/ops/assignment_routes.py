"""GET /v1/ops/open-items, and /v1/ops/assignments: what needs a person, taking it and giving it back."""

from functools import partial

from flask import Response

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, JsonResponse, encode
from gateway.http.errors import ApiError, not_found
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page, paginated
from gateway.ops.assignment_schemas import (
    AssignmentInput,
    AssignmentQuery,
    AssignmentSchema,
    GiveBackInput,
    OpenItemQuery,
    OpenItemSchema,
)
from gateway.services import reader, services
from models import open_item
from models.open_item import Taken
from models.session import transaction

assignments = Blueprint(
    "assignments", __name__, url_prefix="/v1/ops", description="What no machine goes on with, and who took it."
)


@assignments.route("/open-items")
@requires("ops:read")
@assignments.arguments(OpenItemQuery, location="query")
@assignments.response(200, page_of(OpenItemSchema))
def list_open_items(query: Body) -> JsonAnswer:
    """List what no machine goes on with, the oldest 100 first, with who took each."""
    items = reader()(partial(open_item.items, kinds=query.get("kind", ())))
    return only_page(map(open_item.item_body, items))


@assignments.route("/assignments")
@requires("ops:read")
@assignments.arguments(AssignmentQuery, location="query")
@assignments.response(200, page_of(AssignmentSchema))
def list_assignments(query: Body) -> JsonAnswer:
    """List who took what and gave it back, newest first; what is done meanwhile need not be given back."""
    filters = {"user_id": query.get("user"), "is_open": query.get("in_force")}
    return paginated(query, open_item.assignments, open_item.assignment_body, **filters)


@assignments.route("/assignments", methods=["POST"])
@requires("ops:assignments")
@assignments.arguments(AssignmentInput)
@assignments.response(201, AssignmentSchema)
@assignments.alt_response(200, schema=AssignmentSchema, description="You had taken it already.")
def take(body: Body) -> JsonAnswer | Response:
    """Take an open item: others see that you are at it. It changes nothing about the item itself."""
    if not open_item.is_subject(body["kind"], body["subject"]):
        raise not_found()
    try:
        with transaction(services().engine) as connection:
            taken = open_item.take(connection, body["kind"], body["subject"], actor(), body.get("reason"))
            assignment, is_new = found(taken)
    except Taken as error:
        raise ApiError("item_taken", f"The user {error.assignment.taken_by or 'shell'} has it.") from None
    shown = open_item.assignment_body(assignment)
    return (shown, {}) if is_new else JsonResponse(encode(shown), 200, content_type="application/json")


@assignments.route("/assignments/<id>/give-back", methods=["POST"])
@requires("ops:assignments")
@assignments.arguments(GiveBackInput)
@assignments.response(200, AssignmentSchema)
def give_back(body: Body, id: str) -> JsonAnswer:
    """Give an item back, yours or that of another ops user; what was given back already is answered as it is."""
    with transaction(services().engine) as connection:
        before = found(open_item.by_id(connection, path_id(id)))
        after = open_item.give_back(connection, before, actor(), body.get("reason"))
    return open_item.assignment_body(after), {}
