"""GET /v1/ops/payments/{id}/related: what belongs to a payment."""

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.found import found, path_id
from gateway.ops.related_schemas import RelatedSchema
from gateway.services import services
from models import payment_related, payment_view
from models.session import statements

related = Blueprint("related", __name__, url_prefix="/v1/ops/payments", description="What belongs to a payment.")


@related.route("/<id>/related")
@requires("ops:read")
@related.response(200, RelatedSchema)
def get_related(id: str) -> JsonAnswer:
    """Get what belongs to a payment: refunds and returns, bulk, quote, batches, lines of statements, webhooks.

    At most 50 of each, the newest.
    """
    with statements(services().engine) as connection:
        view = found(payment_view.by_id(connection, path_id(id)))
        return payment_related.body(view, payment_related.of_payment(connection, view)), {}
