"""/v1/webhook-endpoints: URLs that events are sent to; created, changed, tested and deleted by their owner."""

from flask import Response, g
from uuid_utils import uuid7

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import IF_MATCH, Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import ApiError
from gateway.http.etag import etag, precondition_failed, require_if_match
from gateway.http.found import owned, path_id, readable
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.pagination import paginated
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
from models.session import statements, transaction
from models.webhook_endpoint import ENDPOINTS_MAX, Endpoint, new_secret

webhook_endpoints = Blueprint(
    "webhook_endpoints",
    __name__,
    url_prefix="/v1/webhook-endpoints",
    description="URLs that events are sent to, and the events that are sent.",
)

NOUN = "webhook endpoint"
CHANGEABLE = ("url", "event_types", "payment_types", "description", "is_active")


@webhook_endpoints.route("", methods=["POST"])
@requires("webhooks:write")
@webhook_endpoints.arguments(EndpointInput)
@webhook_endpoints.response(201, NewEndpointSchema)
def create_endpoint(body: Body) -> JsonAnswer:
    """Create a webhook endpoint; the secret that signs its events is shown only once."""
    check_url(body["url"])
    id, secret = str(uuid7()), new_secret()
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        created = webhook_endpoint.create(
            connection,
            id,
            g.caller.id,
            body["url"],
            body["event_types"],
            body.get("description"),
            body.get("payment_types"),
        )
        if created is None:
            raise ApiError("too_many_webhook_endpoints", f"At most {ENDPOINTS_MAX}; delete one first.")
        webhook_endpoint.add_secret(connection, str(uuid7()), id, secret)
        audit.note(connection, actor(), "webhook_endpoints.create", id, after=body)
    headers = {**_etag_header(created), "Location": f"/v1/webhook-endpoints/{id}"}
    return {**endpoint_body(created), "secret": secret}, headers


@webhook_endpoints.route("")
@requires("webhooks:read")
@webhook_endpoints.arguments(PageQuery, location="query")
@webhook_endpoints.response(200, page_of(EndpointSchema))
def list_endpoints(query: Body) -> JsonAnswer:
    """List your webhook endpoints, newest first."""
    return paginated(query, webhook_endpoint.page, endpoint_body, user_id=g.caller.id)


@webhook_endpoints.route("/<id>")
@requires("webhooks:read")
@webhook_endpoints.response(200, EndpointSchema)
def get_endpoint(id: str) -> JsonAnswer:
    """Show one of your webhook endpoints; send its ETag as If-Match to change it. Ops and auditors read any."""
    with statements(services().engine) as connection:
        endpoint = readable(webhook_endpoint.by_id(connection, path_id(id)))
    return endpoint_body(endpoint), _etag_header(endpoint)


@webhook_endpoints.route("/<id>", methods=["PATCH"])
@requires("webhooks:write")
@webhook_endpoints.doc(parameters=[IF_MATCH])
@webhook_endpoints.arguments(EndpointChange)
@webhook_endpoints.response(200, EndpointSchema)
def change_endpoint(body: Body, id: str) -> JsonAnswer:
    """Change one of your webhook endpoints, or deactivate or reactivate it, also after it was disabled automatically.

    Events that happen while it is inactive are sent once it is active again.
    """
    with statements(services().engine) as connection:
        endpoint = owned(webhook_endpoint.by_id(connection, path_id(id)))
    require_if_match(endpoint.version, NOUN)
    if "url" in body:
        check_url(body["url"])
    wanted, is_forgiven = endpoint._replace(**body), body.get("is_active", False)
    if wanted == endpoint and not (is_forgiven and endpoint.failing_since):
        return endpoint_body(endpoint), _etag_header(endpoint)
    with transaction(services().engine) as connection:
        changed = webhook_endpoint.change(connection, wanted, is_forgiven=is_forgiven)
        if changed is None:
            raise precondition_failed(NOUN)
        before, after = (endpoint_body(state) for state in (endpoint, changed))
        differing = [name for name in CHANGEABLE if before[name] != after[name]]
        differences = ({name: body[name] for name in differing} for body in (before, after))
        audit.note(connection, actor(), "webhook_endpoints.change", id, None, *differences)
    return after, _etag_header(changed)


@webhook_endpoints.route("/<id>", methods=["DELETE"])
@requires("webhooks:write")
@webhook_endpoints.doc(parameters=[IF_MATCH])
@webhook_endpoints.response(204)
def delete_endpoint(id: str) -> Response:
    """Delete one of your webhook endpoints; nothing more is sent to it, not even pending deliveries."""
    with transaction(services().engine) as connection:
        endpoint = owned(webhook_endpoint.by_id(connection, path_id(id)))
        require_if_match(endpoint.version, NOUN)
        if not webhook_endpoint.delete(connection, id, endpoint.version):
            raise precondition_failed(NOUN)
        audit.note(connection, actor(), "webhook_endpoints.delete", id, before={"url": endpoint.url})
    return no_content()


@webhook_endpoints.route("/<id>/rotate-secret", methods=["POST"])
@requires("webhooks:write")
@webhook_endpoints.arguments(SecretRotationInput)
@webhook_endpoints.response(200, NewEndpointSchema)
def rotate_secret(body: Body, id: str) -> JsonAnswer:
    """Sign with a new secret, shown only once, and for a while also with the previous one; older ones end."""
    secret = new_secret()
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        endpoint = owned(webhook_endpoint.by_id(connection, path_id(id)))
        webhook_endpoint.add_secret(connection, str(uuid7()), id, secret, body["overlap_seconds"])
        audit.note(connection, actor(), "webhook_endpoints.rotate", id, after=body)
    return {**endpoint_body(endpoint), "secret": secret}, _etag_header(endpoint)


@webhook_endpoints.route("/<id>/test", methods=["POST"])
@requires("webhooks:write")
@webhook_endpoints.arguments(PingInput)
@webhook_endpoints.response(202, PingSchema)
def ping_endpoint(_: Body, id: str) -> JsonAnswer:
    """Send a ping to one of your webhook endpoints, whatever its event types."""
    with transaction(services().engine) as connection:
        owned(webhook_endpoint.by_id(connection, path_id(id)))
        if not webhook_endpoint.ping(connection, id):
            raise ApiError("webhook_endpoint_inactive", "Activate it first.")
    deliveries = f"/v1/webhook-endpoints/{id}/deliveries?type=ping"
    return {"type": "ping", "endpoint": id, "deliveries": deliveries}, {"Location": deliveries}


def _etag_header(endpoint: Endpoint) -> dict[str, str]:
    return {"ETag": etag(endpoint.version, g.caller.id)}
