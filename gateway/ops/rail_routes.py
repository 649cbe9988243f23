"""GET /v1/ops/rails, and /{rail}/files: the connections to banks, and the files exchanged with them."""

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import not_found
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page, paginated
from gateway.ops.rail_schemas import RailFileQuery, RailFileSchema, RailSchema
from gateway.services import services
from models import rail as models
from models.pause import RAIL
from models.session import statements

rails = Blueprint("rails", __name__, url_prefix="/v1/ops/rails", description="Connections to banks.")


@rails.route("")
@requires("ops:read")
@rails.response(200, page_of(RailSchema))
def list_rails() -> JsonAnswer:
    """List the connections to banks, with their payouts that have no final answer, counted up to 10,000."""
    with statements(services().engine) as connection:
        return only_page(map(models.body, models.rails(connection)))


@rails.route("/<rail>/files")
@requires("ops:read")
@rails.arguments(RailFileQuery, location="query")
@rails.response(200, page_of(RailFileSchema))
def list_files(query: Body, rail: str) -> JsonAnswer:
    """List the files that a rail wrote for its bank and read of what it sent, newest first; what is in them is not."""
    if not RAIL.fullmatch(rail):
        raise not_found()
    return paginated(query, models.files, models.file_body, rail=rail, states=query.get("state"))
