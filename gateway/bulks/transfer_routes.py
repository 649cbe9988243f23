"""POST /v1/bulk-transfers: an organisation pays many bank accounts, all together or each line for itself."""

from gateway.auth.tokens import requires
from gateway.bulks.pain001 import read_pain001
from gateway.bulks.routes import BODY_BYTES_MAX, KEYED, TEXT, Body, accept_bulk, blueprint
from gateway.bulks.schemas import BulkSchema, BulkTransferInput
from gateway.http.parsing import takes_up_to
from gateway.outcomes.responses import JsonResult
from models.bulk import BulkKind

XML = "application/xml"

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
