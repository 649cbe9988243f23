"""GET /v1/ops/overview: the state of everything."""

from functools import partial

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.ops.overview_schemas import OverviewQuery, OverviewSchema
from gateway.services import reader
from models import overview as overviews
from models import overview_body

overview = Blueprint(
    "overview",
    __name__,
    url_prefix="/v1/ops/overview",
    description="What was accepted and became of it, and what waits.",
)


@overview.route("")
@requires("ops:read")
@overview.arguments(OverviewQuery, location="query")
@overview.response(200, OverviewSchema)
def get_overview(query: Body) -> JsonAnswer:
    """Show how many payments were accepted and what became of them, how long they took, and what waits for whom.

    A slot of time is counted up to 200 payments, and estimated from these above; what waits is counted up to 10,000.
    """
    return overview_body.body(reader()(partial(overviews.overview, span=query["span"])), query["span"]), {}
