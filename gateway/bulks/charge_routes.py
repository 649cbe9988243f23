"""POST /v1/bulk-charges: one merchant charges many wallets, each line for itself."""

from gateway.auth.tokens import requires
from gateway.bulks.routes import BODY_BYTES_MAX, KEYED, Body, accept_bulk, blueprint
from gateway.bulks.schemas import BulkChargeInput, BulkSchema
from gateway.http.parsing import takes_up_to
from gateway.outcomes.responses import JsonResult
from models.bulk import BulkKind

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
