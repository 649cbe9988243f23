"""/v1/bulk-transfers and /v1/bulk-charges: create a bulk, read it and its lines, add lines, close it."""

from functools import partial
from typing import Any

from flask import Response, g, request

from gateway.auth.guards import requires
from gateway.bulks import create
from gateway.bulks.pain001 import read_pain001
from gateway.bulks.representations import PATHS, bulk_headers, line_body
from gateway.bulks.responses import bulk_response
from gateway.bulks.schemas import (
    BulkChargeInput,
    BulkQuery,
    BulkSchema,
    BulkTransferInput,
    CloseInput,
    LineQuery,
    LineSchema,
    UploadQuery,
)
from gateway.bulks.upload import UPLOAD_BYTES_MAX, upload
from gateway.http.blueprint import IDEMPOTENCY_KEY, IF_NONE_MATCH, PREFER, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.etag import unless_known
from gateway.http.parsing import body_of_request, takes_up_to
from gateway.http.schemas import page_of
from gateway.lists import exports
from gateway.lists.pagination import paginated
from gateway.outcomes.prefer import wait_for_change
from gateway.outcomes.responses import JsonResult
from gateway.services import services
from models import bulk, bulk_line
from models.bulk import Bulk, BulkKind
from models.representations import bulk_body
from models.session import statements, transaction

BODY_BYTES_MAX = 1024 * 1024
"""A thousand lines of about 600 bytes, and room for XML."""

KEYED: dict[str, Any] = {"parameters": [{**IDEMPOTENCY_KEY, "required": True}, PREFER]}
BULKS, LINES = page_of(BulkSchema), page_of(LineSchema)
TEXT = {"schema": {"type": "string"}}
XML = "application/xml"


def accept_bulk(kind: BulkKind, body: Body) -> JsonResult:
    """Create the bulk and answer with it."""
    return bulk_response(create.create_bulk(kind, request.path, body_of_request(), body, request, g.caller, services()))


def blueprint(kind: BulkKind, description: str) -> Blueprint:
    """The routes that bulks of both kinds have in common."""
    path = PATHS[kind]
    routes = Blueprint(path.rpartition("/")[2].replace("-", "_"), __name__, url_prefix=path, description=description)

    @routes.route("")
    @requires("payments:read")
    @routes.arguments(BulkQuery, location="query")
    @routes.response(200, BULKS)
    def list_bulks(query: Body) -> JsonAnswer:
        """List the bulks you created, newest first."""
        user_id = None if g.caller.reads_all else g.caller.id
        return paginated(query, bulk.page, bulk_body, kind=kind, user_id=user_id, states=query.get("state"))

    @routes.route("/<id>")
    @requires("payments:read")
    @routes.doc(parameters=[IF_NONE_MATCH, PREFER])
    @routes.response(200, BulkSchema)
    def get_bulk(id: str) -> JsonAnswer | Response:
        """Get a bulk; with Prefer, wait until it is final, or differs from If-None-Match."""
        with statements(services().engine) as connection:
            found = create.visible(connection, kind, id, g.caller)
        found, is_known, applied = wait_for_change(found, request.environ, services())
        headers = _headers(found) | applied
        return unless_known(bulk_body(found), headers, is_known=is_known)

    @routes.route("/<id>/lines")
    @requires("payments:read", others=exports.FILES)
    @routes.doc(responses=exports.document_formats(*exports.FILES))
    @routes.arguments(LineQuery, location="query")
    @routes.response(200, LINES)
    def list_lines(query: Body, id: str) -> JsonAnswer | Response:
        """List the lines of a bulk in order; each is a payment."""
        with statements(services().engine) as connection:
            found = create.visible(connection, kind, id, g.caller)
        read = partial(bulk_line.page, id=found.id, states=query.get("state"))
        return exports.export_response(query, read, lambda line: line_body(line, found.digits), LineSchema)

    @routes.route("/<id>/lines", methods=["PUT"])
    @requires("bulks:write")
    @takes_up_to(UPLOAD_BYTES_MAX)
    @routes.doc(requestBody={"content": {exports.JSON_LINES: TEXT, exports.CSV: TEXT}, "required": True})
    @routes.arguments(UploadQuery, location="query")
    @routes.response(200, BulkSchema)
    def add_lines(query: Body, id: str) -> JsonAnswer:
        """Add lines to an open bulk, one per line of the body; they are stored a thousand at a time."""
        found = upload(kind, id, query["first_line"], request, g.caller, services())
        return bulk_body(found), _headers(found)

    @routes.route("/<id>/close", methods=["POST"])
    @requires("bulks:write")
    @routes.arguments(CloseInput)
    @routes.response(200, BulkSchema)
    def close(body: Body, id: str) -> JsonAnswer:
        """Close an open bulk, and check its number of lines; it becomes final with its last line."""
        lines = body.get("lines")
        with transaction(services().engine) as connection:
            found = create.own(connection, kind, id, g.caller)
            if found.is_open:
                bulk.close(connection, id, lines)
                found = create.own(connection, kind, id, g.caller)
            if lines is not None and lines != found.lines:
                raise ApiError("bulk_out_of_step", f"The bulk has {found.lines} lines.", lines=found.lines)
            if found.is_open and not found.lines:
                raise ApiError("bulk_empty", "Add lines first.")
        return bulk_body(found), _headers(found)

    return routes


def _headers(found: Bulk) -> dict[str, str]:
    headers = bulk_headers(found, g.caller)
    del headers["Location"]
    return headers


bulk_transfers = blueprint(BulkKind.TRANSFERS, "Many payments to bank accounts in one request.")


@bulk_transfers.route("", methods=["POST"])
@requires("bulks:write")
@takes_up_to(BODY_BYTES_MAX, {XML: read_pain001})
@bulk_transfers.doc(**KEYED, requestBody={"content": {XML: TEXT}})
@bulk_transfers.arguments(BulkTransferInput)
@bulk_transfers.outcome(BulkSchema)
def transfer_many(body: Body) -> JsonResult:
    """Create a bulk transfer from the wallet of one of your bank accounts to many; also as XML (pain.001.001.09)."""
    return accept_bulk(BulkKind.TRANSFERS, body)


bulk_charges = blueprint(BulkKind.CHARGES, "Many charges in one request.")


@bulk_charges.route("", methods=["POST"])
@requires("bulks:write")
@takes_up_to(BODY_BYTES_MAX)
@bulk_charges.doc(**KEYED)
@bulk_charges.arguments(BulkChargeInput)
@bulk_charges.outcome(BulkSchema)
def charge_many(body: Body) -> JsonResult:
    """Create a bulk charge: money from many wallets into one of yours."""
    return accept_bulk(BulkKind.CHARGES, body)
