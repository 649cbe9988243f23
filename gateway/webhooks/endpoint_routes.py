"""/v1/webhook-endpoints: where events are sent to; made, changed, tested and deleted by their owner."""

from flask import Response, g
from uuid_utils import uuid7

from gateway.auth.tokens import actor, requires
from gateway.http.blueprint import IF_MATCH, Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import ApiError, not_found
from gateway.http.etag import etag, precondition_failed, require_if_match
from gateway.http.fields import is_id
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.paging import paginated
from gateway.services import services
from gateway.webhooks.schemas import (
    EndpointChange,
    EndpointInput,
    EndpointSchema,
    NewEndpointSchema,
    PingInput,
    PingSchema,
    SecretRotationInput,
)
from gateway.webhooks.url_check import check_url
from models import audit, user, webhook_endpoint
from models.representations import endpoint_body
from models.session import Connection, statements, transaction
from models.webhook_endpoint import ENDPOINTS_MAX, Endpoint, new_secret

webhook_endpoints = Blueprint(
    "webhook_endpoints",
    __name__,
    url_prefix="/v1/webhook-endpoints",
    description="Where events are sent, and the events that are sent.",
)

WHAT = "webhook endpoint"
CHANGEABLE = ("url", "event_types", "description", "is_active")


@webhook_endpoints.route("", methods=["POST"])
@requires("webhooks:write")
@webhook_endpoints.arguments(EndpointInput)
@webhook_endpoints.response(201, NewEndpointSchema)
def create_endpoint(body: Body) -> JsonAnswer:
    """Have events sent to a URL; the secret that signs them is shown this once."""
    check_url(body["url"])
    id, secret = str(uuid7()), new_secret()
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        kept = webhook_endpoint.create(
            connection, id, g.caller.id, body["url"], body["event_types"], body.get("description")
        )
        if kept is None:
            raise ApiError("too_many_webhook_endpoints", f"You may have {ENDPOINTS_MAX}; delete one first.")
        webhook_endpoint.add_secret(connection, str(uuid7()), id, secret)
        audit.note(connection, actor(), "webhook_endpoints.create", id, after=body)
    headers = {**_tag(kept), "Location": f"/v1/webhook-endpoints/{id}"}
    return {**endpoint_body(kept), "secret": secret}, headers


@webhook_endpoints.route("")
@requires("webhooks:read")
@webhook_endpoints.arguments(PageQuery, location="query")
@webhook_endpoints.response(200, page_of(EndpointSchema))
def list_endpoints(query: Body) -> JsonAnswer:
    """Your webhook endpoints, newest first."""
    return paginated(query, webhook_endpoint.page, endpoint_body, user_id=g.caller.id)


@webhook_endpoints.route("/<id>")
@requires("webhooks:read")
@webhook_endpoints.response(200, EndpointSchema)
def get_endpoint(id: str) -> JsonAnswer:
    """One of your webhook endpoints; its ETag is that of what PATCH changes."""
    with statements(services().engine) as connection:
        known = own(connection, id)
    return endpoint_body(known), _tag(known)


@webhook_endpoints.route("/<id>", methods=["PATCH"])
@requires("webhooks:write")
@webhook_endpoints.doc(parameters=[IF_MATCH])
@webhook_endpoints.arguments(EndpointChange)
@webhook_endpoints.response(200, EndpointSchema)
def change_endpoint(body: Body, id: str) -> JsonAnswer:
    """Change one of your webhook endpoints, make it inactive, or active again, also after we disabled it.

    What happens while it is inactive is sent once it is active again.
    """
    with statements(services().engine) as connection:
        known = own(connection, id)
    require_if_match(known.version, WHAT)
    if "url" in body:
        check_url(body["url"])
    wished, is_forgiven = known._replace(**body), body.get("is_active", False)
    if wished == known and not (is_forgiven and known.failing_since):
        return endpoint_body(known), _tag(known)
    with transaction(services().engine) as connection:
        changed = webhook_endpoint.change(connection, wished, is_forgiven=is_forgiven)
        if changed is None:
            raise precondition_failed(WHAT)
        before, after = (endpoint_body(one) for one in (known, changed))
        told = ({name: one[name] for name in CHANGEABLE if before[name] != after[name]} for one in (before, after))
        audit.note(connection, actor(), "webhook_endpoints.change", id, None, *told)
    return after, _tag(changed)


@webhook_endpoints.route("/<id>", methods=["DELETE"])
@requires("webhooks:write")
@webhook_endpoints.doc(parameters=[IF_MATCH])
@webhook_endpoints.response(204)
def delete_endpoint(id: str) -> Response:
    """Delete one of your webhook endpoints: nothing is sent to it any more, not even what was on its way."""
    with transaction(services().engine) as connection:
        known = own(connection, id)
        require_if_match(known.version, WHAT)
        if not webhook_endpoint.delete(connection, id, known.version):
            raise precondition_failed(WHAT)
        audit.note(connection, actor(), "webhook_endpoints.delete", id, before={"url": known.url})
    return no_content()


@webhook_endpoints.route("/<id>/rotate-secret", methods=["POST"])
@requires("webhooks:write")
@webhook_endpoints.arguments(SecretRotationInput)
@webhook_endpoints.response(200, NewEndpointSchema)
def rotate_secret(body: Body, id: str) -> JsonAnswer:
    """Sign with a new secret, shown this once, and for a while with the one before it as well; older ones end."""
    secret = new_secret()
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        known = own(connection, id)
        webhook_endpoint.add_secret(connection, str(uuid7()), id, secret, body["overlap_seconds"])
        audit.note(connection, actor(), "webhook_endpoints.rotate", id, after=body)
    return {**endpoint_body(known), "secret": secret}, _tag(known)


@webhook_endpoints.route("/<id>/test", methods=["POST"])
@requires("webhooks:write")
@webhook_endpoints.arguments(PingInput)
@webhook_endpoints.response(202, PingSchema)
def ping_endpoint(_: Body, id: str) -> JsonAnswer:
    """Have a ping sent to one of your webhook endpoints, whatever event types it asks for."""
    with transaction(services().engine) as connection:
        own(connection, id)
        if not webhook_endpoint.ping(connection, id):
            raise ApiError("webhook_endpoint_inactive", "Make it active first; then it can be tested.")
    deliveries = f"/v1/webhook-endpoints/{id}/deliveries?type=ping"
    return {"type": "ping", "endpoint": id, "deliveries": deliveries}, {"Location": deliveries}


def own(connection: Connection, id: str) -> Endpoint:
    """The caller's endpoint; raises ApiError not_found."""
    known = webhook_endpoint.by_id(connection, id) if is_id(id) else None
    if known is None or known.user_id != g.caller.id:
        raise not_found()
    return known


def _tag(known: Endpoint) -> dict[str, str]:
    return {"ETag": etag(known.version, g.caller.id)}
