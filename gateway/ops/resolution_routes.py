"""GET /v1/ops/resolutions, and POST /{id}/approve and /reject: what a bank did, as two ops users agree on it."""

from flask import request

import bell
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.action_representations import resolution_body
from gateway.ops.action_schemas import ResolutionQuery, ResolutionSchema
from gateway.ops.schemas import ApprovalInput, RejectionInput
from gateway.services import services
from models import resolution
from models.resolution import Decided, Resolution
from models.session import transaction

resolutions = Blueprint(
    "resolutions",
    __name__,
    url_prefix="/v1/ops/resolutions",
    description="What a bank did with a payout that it never answered: one ops user proposes, another approves.",
)


@resolutions.route("")
@requires("ops:read")
@resolutions.arguments(ResolutionQuery, location="query")
@resolutions.response(200, page_of(ResolutionSchema))
def list_resolutions(query: Body) -> JsonAnswer:
    """List resolutions, newest first."""
    return paginated(
        query, resolution.page, resolution_body, states=query.get("state"), payment_id=query.get("payment")
    )


@resolutions.route("/<id>/approve", methods=["POST"])
@requires("ops:resolutions", second_factor=True)
@resolutions.arguments(ApprovalInput)
@resolutions.response(202, ResolutionSchema)
def approve(body: Body, id: str) -> JsonAnswer:
    """Approve another ops user's resolution; a worker judges it again, and refuses it if its payment has moved on."""
    with transaction(services().engine) as connection:
        proposed = found(resolution.by_id(connection, path_id(id)))
        if proposed.proposed_by == actor().name:
            raise ApiError("own_resolution", "Another ops user must approve it; you can reject it.")
        decided = resolution.approve(connection, proposed, actor(), body.get("reason"))
    answer = _decided(decided, proposed)
    bell.ring(request.environ[REQUEST_ID])
    return answer


@resolutions.route("/<id>/reject", methods=["POST"])
@requires("ops:resolutions")
@resolutions.arguments(RejectionInput)
@resolutions.response(200, ResolutionSchema)
def reject(body: Body, id: str) -> JsonAnswer:
    """Reject another ops user's resolution, or withdraw your own; nothing moves."""
    with transaction(services().engine) as connection:
        proposed = found(resolution.by_id(connection, path_id(id)))
        decided = resolution.reject(connection, proposed, actor(), body["reason"])
    return _decided(decided, proposed)


def _decided(decided: Decided | None, proposed: Resolution) -> JsonAnswer:
    """The resolution as the caller decided it, now or before; raises ApiError if it was decided otherwise."""
    if decided is None:
        raise ApiError("resolution_decided", f"Resolution {proposed.id} was approved or rejected already.")
    return resolution_body(decided.resolution), {}
