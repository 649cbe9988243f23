"""GET /v1/ops/breaches, and POST /{id}/acknowledge: rows that break an invariant of the books."""

import re
from typing import Any

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import not_found
from gateway.http.found import found
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.breach_schemas import AcknowledgeInput, BreachQuery, BreachSchema
from gateway.services import services
from models import breach
from models.breach import KeptBreach
from models.representations import iso
from models.session import transaction

breaches = Blueprint(
    "breaches",
    __name__,
    url_prefix="/v1/ops/breaches",
    description="Rows that break an invariant of the books, as the auditor found them.",
)

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@breaches.route("")
@requires("ops:read")
@breaches.arguments(BreachQuery, location="query")
@breaches.response(200, page_of(BreachSchema))
def list_breaches(query: Body) -> JsonAnswer:
    """List breaches, newest first; open ones are neither healed nor acknowledged."""
    return paginated(query, breach.page, _body, is_open=True if "open" in query else None)


@breaches.route("/<id>/acknowledge", methods=["POST"])
@requires("ops:breaches")
@breaches.arguments(AcknowledgeInput)
@breaches.response(200, BreachSchema)
def acknowledge(body: Body, id: str) -> JsonAnswer:
    """Acknowledge a breach: it is known, and /status does not report it any more; the first reason stays."""
    if not _NUMBER.fullmatch(id):
        raise not_found()
    with transaction(services().engine) as connection:
        breach.acknowledge(connection, id, actor(), body["reason"])
        return _body(found(breach.by_id(connection, id))), {}


def _body(row: KeptBreach) -> dict[str, Any]:
    return {
        "id": row.id,
        "invariant": row.invariant,
        "subject": row.subject,
        "details": row.details,
        "found_at": row.found_at.isoformat(),
        "healed_at": iso(row.healed_at),
        "acknowledged_at": iso(row.acknowledged_at),
        "acknowledged_by": row.acknowledged_by,
        "reason": row.reason,
    }
