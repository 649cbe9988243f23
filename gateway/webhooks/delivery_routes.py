"""/v1/webhook-deliveries and the deliveries of an endpoint: what was sent, and sending it again."""

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.found import found, owned, path_id, readable
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.services import services
from gateway.webhooks.schemas import (
    DeliveryQuery,
    DeliverySchema,
    RangeInput,
    RedeliveredSchema,
    RedeliveryInput,
    WholeDeliverySchema,
)
from models import webhook_delivery, webhook_endpoint
from models.representations import iso
from models.rules.webhook_retry import answer_text
from models.session import statements, transaction
from models.webhook_delivery import Attempt, Delivery

webhook_deliveries = Blueprint(
    "webhook_deliveries",
    __name__,
    url_prefix="/v1",
    description="Deliveries to your webhook endpoints, and sending them again.",
)


@webhook_deliveries.route("/webhook-endpoints/<id>/deliveries")
@requires("webhooks:read")
@webhook_deliveries.arguments(DeliveryQuery, location="query")
@webhook_deliveries.response(200, page_of(DeliverySchema))
def list_deliveries(query: Body, id: str) -> JsonAnswer:
    """List the deliveries to one of your webhook endpoints, sent or pending, newest first; of the last 30 days.

    Ops and auditors read those of all users.
    """
    with statements(services().engine) as connection:
        readable(webhook_endpoint.by_id(connection, path_id(id)))
    filters = {"states": query.get("state"), "names": query.get("type")}
    return paginated(query, webhook_delivery.page, delivery_body, endpoint_id=id, **filters)


@webhook_deliveries.route("/webhook-endpoints/<id>/redeliver", methods=["POST"])
@requires("webhooks:write")
@webhook_deliveries.arguments(RangeInput)
@webhook_deliveries.response(202, RedeliveredSchema)
def redeliver_range(body: Body, id: str) -> JsonAnswer:
    """Send the events of a time range again, oldest first, at most 10,000 per call."""
    with transaction(services().engine) as connection:
        owned(webhook_endpoint.by_id(connection, path_id(id)))
        redelivered, has_more = webhook_delivery.redeliver_range(
            connection, id, body["since"], body["until"], body["states"]
        )
    return {"redelivered": redelivered, "has_more": has_more}, {}


@webhook_deliveries.route("/webhook-deliveries/<id>")
@requires("webhooks:read")
@webhook_deliveries.response(200, WholeDeliverySchema)
def get_delivery(id: str) -> JsonAnswer:
    """Show a delivery to one of your webhook endpoints, with each attempt and what the receiver answered.

    Ops and auditors read those of all users.
    """
    with statements(services().engine) as connection:
        delivery = readable(webhook_delivery.by_id(connection, path_id(id)))
        attempts = webhook_delivery.attempts(connection, id)
    return {**delivery_body(delivery), "tries": [_attempt_body(attempt) for attempt in attempts]}, {}


@webhook_deliveries.route("/webhook-deliveries/<id>/redeliver", methods=["POST"])
@requires("webhooks:write")
@webhook_deliveries.arguments(RedeliveryInput)
@webhook_deliveries.response(202, DeliverySchema)
def redeliver(_: Body, id: str) -> JsonAnswer:
    """Send a delivery again with the same webhook-id and a full set of attempts; a pending one is sent now."""
    with transaction(services().engine) as connection:
        owned(webhook_delivery.by_id(connection, path_id(id)))
        redelivered = found(webhook_delivery.redeliver(connection, id))
    return delivery_body(redelivered), {"Location": f"/v1/webhook-deliveries/{id}"}


def delivery_body(delivery: Delivery) -> Body:
    """The JSON of a delivery."""
    return {
        "id": delivery.id,
        "endpoint": delivery.endpoint_id,
        "event": str(delivery.sequence),
        "type": delivery.name,
        "subject": delivery.subject_id,
        "version": delivery.version,
        "occurred_at": delivery.occurred_at.isoformat(),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": iso(delivery.next_attempt_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "last_reason": delivery.last_reason,
        "last_milliseconds": delivery.last_milliseconds,
        "last_answer": answer_text(delivery.last_answer),
        "finished_at": iso(delivery.finished_at),
        "created_at": delivery.created_at.isoformat(),
    }


def _attempt_body(attempt: Attempt) -> Body:
    answer = answer_text(attempt.answer)
    return {**attempt._asdict(), "answer": answer, "created_at": attempt.created_at.isoformat()}
