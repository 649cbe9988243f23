"""/v1/ops/webhook-endpoints and /v1/ops/webhook-deliveries: those of all users, and sending again for them."""

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.services import services
from gateway.webhooks.delivery_routes import delivery_body
from gateway.webhooks.ops_schemas import OpsEndpointQuery, OpsEndpointSchema, OpsRangeInput, OpsRedeliveryInput
from gateway.webhooks.schemas import DeliverySchema, RedeliveredSchema
from models import ops_webhook
from models.session import statements, transaction

ops_webhooks = Blueprint(
    "ops_webhooks",
    __name__,
    url_prefix="/v1/ops",
    description="Webhook endpoints of all users, and sending to them again.",
)


@ops_webhooks.route("/webhook-endpoints")
@requires("ops:read")
@ops_webhooks.arguments(OpsEndpointQuery, location="query")
@ops_webhooks.response(200, page_of(OpsEndpointSchema))
def list_endpoints(query: Body) -> JsonAnswer:
    """List the webhook endpoints of all users, newest first; by their state, such as failing now."""
    filters = {"states": query.get("state"), "user_id": query.get("user")}
    return paginated(query, ops_webhook.endpoints, ops_webhook.body, **filters)


@ops_webhooks.route("/webhook-endpoints/<id>")
@requires("ops:read")
@ops_webhooks.response(200, OpsEndpointSchema)
def get_endpoint(id: str) -> JsonAnswer:
    """Get a webhook endpoint of any user, with its owner, and its deliveries that did not arrive."""
    with statements(services().engine) as connection:
        return ops_webhook.body(found(ops_webhook.endpoint_by_id(connection, path_id(id)))), {}


@ops_webhooks.route("/webhook-endpoints/<id>/redeliver", methods=["POST"])
@requires("ops:webhooks")
@ops_webhooks.arguments(OpsRangeInput)
@ops_webhooks.response(202, RedeliveredSchema)
def redeliver_range(body: Body, id: str) -> JsonAnswer:
    """Send the events of a time range to a user's endpoint again, oldest first, at most 10,000 per call."""
    with transaction(services().engine) as connection:
        found(ops_webhook.endpoint_by_id(connection, path_id(id)))
        redelivered, has_more = ops_webhook.redeliver_range(
            connection, id, body["since"], body["until"], body["states"], actor(), body["reason"]
        )
    return {"redelivered": redelivered, "has_more": has_more}, {}


@ops_webhooks.route("/webhook-deliveries/<id>/redeliver", methods=["POST"])
@requires("ops:webhooks")
@ops_webhooks.arguments(OpsRedeliveryInput)
@ops_webhooks.response(202, DeliverySchema)
def redeliver(body: Body, id: str) -> JsonAnswer:
    """Send a delivery to a user's endpoint again, with the same webhook-id; one that is due stays as it is."""
    with transaction(services().engine) as connection:
        delivery = found(ops_webhook.redeliver(connection, path_id(id), actor(), body["reason"]))
    return delivery_body(delivery), {}
