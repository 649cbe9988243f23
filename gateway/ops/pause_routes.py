"""GET and POST /v1/ops/pauses, and POST /{id}/resume: pausing a type of payment, a merchant, a currency or a rail."""

from flask import Response, request

import bell
from gateway.auth.guards import actor, requires
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, JsonResponse, encode
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.pause_schemas import PauseInput, PauseQuery, PauseSchema, ResumeInput
from gateway.services import services
from models import pause, user
from models.pause import RAIL, Ending, Scope
from models.session import Connection, transaction

pauses = Blueprint(
    "pauses",
    __name__,
    url_prefix="/v1/ops/pauses",
    description="Types of payments, merchants and currencies that are not posted for a while, and rails not used.",
)


@pauses.route("")
@requires("ops:read")
@pauses.arguments(PauseQuery, location="query")
@pauses.response(200, page_of(PauseSchema))
def list_pauses(query: Body) -> JsonAnswer:
    """List pauses, newest first."""
    return paginated(query, pause.page, pause.body, is_open=query.get("in_force"))


@pauses.route("", methods=["POST"])
@requires("ops:pause")
@pauses.arguments(PauseInput)
@pauses.response(201, PauseSchema)
@pauses.alt_response(200, schema=PauseSchema, description="It was paused already: this is the pause in force.")
def create_pause(body: Body) -> JsonAnswer | Response:
    """Pause posting of a type of payment, of what a merchant orders, or of a currency; or sending over a rail.

    Payments are accepted as before, stay INITIATED and can be canceled. Holds that were made before are captured,
    voided and ended as usual. A rail that is paused is sent nothing; what its bank says is read.
    """
    with transaction(services().engine) as connection:
        scope = _scope(connection, body)
        try:
            kept = pause.pause(connection, scope, body["reason"], body.get("until"), actor())
        except Ending:
            raise ApiError("pause_ending", "The pause before is over and being ended: send it again.") from None
    if kept is None:
        raise invalid([("/until", "invalid_value", "It must be in the future.")])
    if kept[1]:
        return pause.body(kept[0]), {}
    return JsonResponse(encode(pause.body(kept[0])), 200, content_type="application/json")


@pauses.route("/<id>/resume", methods=["POST"])
@requires("ops:pause")
@pauses.arguments(ResumeInput)
@pauses.response(200, PauseSchema)
def resume(body: Body, id: str) -> JsonAnswer:
    """Resume what was paused: payments are posted in the order they had. A pause that is over is answered as it is."""
    with transaction(services().engine) as connection:
        record = found(pause.by_id(connection, path_id(id)))
        after, is_new = pause.resume(connection, record, body["reason"], actor())
    if is_new:
        bell.ring(request.environ[REQUEST_ID])
    return pause.body(after), {}


def _scope(connection: Connection, body: Body) -> Scope:
    """What the body names; raises ApiError if there is none."""
    if "currency" in body:
        services().reference_data.currency(body["currency"])
    if "merchant" in body and not user.merchants_among(connection, [body["merchant"]]):
        raise invalid([("/merchant", "not_found", "There is no such merchant.")])
    if "rail" in body and not RAIL.fullmatch(body["rail"]):
        raise invalid([("/rail", "invalid_value", "The name of a rail, such as simulator or sepa.")])
    return Scope(body.get("type"), body.get("merchant"), body.get("currency"), body.get("rail"))
