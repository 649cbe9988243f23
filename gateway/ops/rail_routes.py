"""GET /v1/ops/rails, and /{rail}/files: the connections to banks, and the files exchanged with them."""

from flask import Response, request

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, not_found
from gateway.http.found import found, path_id
from gateway.http.media_types import best_match
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page, paginated
from gateway.ops.rail_schemas import RailFileQuery, RailFileSchema, RailSchema
from gateway.services import services
from models import rail as models
from models.pause import RAIL
from models.session import statements, transaction

rails = Blueprint("rails", __name__, url_prefix="/v1/ops/rails", description="Connections to banks.")

XML, UNREADABLE = "application/xml", "application/octet-stream"
"""The media types of files: what is broken may be anything, and no browser is to read it."""

FILE_CONTENT = {
    media_type: {"schema": {"type": "string", "contentMediaType": media_type}} for media_type in (XML, UNREADABLE)
}


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
    """List the files that a rail wrote for its bank and read of what it sent, newest first."""
    if not RAIL.fullmatch(rail):
        raise not_found()
    return paginated(query, models.files, models.file_body, rail=rail, states=query.get("state"))


@rails.route("/<rail>/files/<id>/content")
@requires("ops:read", others=(XML, UNREADABLE))
@rails.doc(responses={200: {"content": FILE_CONTENT}})
@rails.response(200)
def get_file_content(rail: str, id: str) -> Response:
    """Download a file as it was written or read: XML, or of a broken one its bytes. Who does is in the audit log.

    It has names and account numbers. A file that was too large to be read, or was exchanged before contents were kept,
    is not found: `bytes` of the list is null.
    """
    with transaction(services().engine) as connection:
        kept = found(models.file(connection, path_id(id)), lambda file: file.rail == rail)
        media_type = UNREADABLE if kept.state == models.BROKEN else XML
        if best_match(request.environ.get("HTTP_ACCEPT"), media_type) is None:
            raise ApiError("not_acceptable", f"Accept {media_type}.")
        content = b"" if request.method == "HEAD" else models.download(connection, actor(), kept)
    response = Response(content, content_type=media_type)
    response.headers["Content-Length"] = str(kept.bytes)
    response.headers["Content-Disposition"] = f'attachment; filename="{models.saved_name(kept)}"'
    return response
