"""GET /v1/ops/workers: who works, who posts now, and what waits in the queues."""

import bell
from celery_config import QUEUE_OF_KIND
from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.ops.worker_schemas import WorkersSchema
from gateway.services import services
from models import worker_view
from models.session import statements

workers = Blueprint("workers", __name__, url_prefix="/v1/ops/workers", description="Workers and their queues.")


@workers.route("")
@requires("ops:read")
@workers.response(200, WorkersSchema)
def get_workers() -> JsonAnswer:
    """Show which workers were seen within the hour, who posts now, the queues, and the newest posted batches."""
    depths = bell.depths(services().settings.broker_url)
    with statements(services().engine) as connection:
        return worker_view.body(worker_view.view(connection), depths, QUEUE_OF_KIND), {}
