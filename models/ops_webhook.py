"""Webhook endpoints and deliveries of all users as ops see them, and sending again in the name of ops."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import audit, keyset, webhook_delivery
from models.audit import Actor
from models.keyset import START, Cursor
from models.representations import endpoint_body, iso
from models.webhook_delivery import Delivery
from models.webhook_endpoint import Endpoint

COUNTED_MAX = 1_000
"""Deliveries of an endpoint that are counted by state."""


class EndpointState(StrEnum):
    """Whether an endpoint gets its events."""

    OK = "ok"
    """It is active, and its last call did not fail."""
    FAILING = "failing"
    """It is active, and its last call failed."""
    DISABLED = "disabled"
    """We disabled it: it is gone, or failed for days."""
    INACTIVE = "inactive"
    """Its owner made it inactive."""


class OpsEndpoint(NamedTuple):
    """An endpoint with its owner, and its deliveries that wait or were given up, counted up to COUNTED_MAX."""

    id: str
    endpoint: Endpoint
    owner: str
    state: str
    pending: int
    failed: int
    next_attempt_at: datetime | None


STATE = """CASE WHEN e.disabled_reason IS NOT NULL THEN 'disabled' WHEN NOT e.is_active THEN 'inactive'
    WHEN e.failing_since IS NOT NULL THEN 'failing' ELSE 'ok' END"""

ENDPOINT = f"""
SELECT e.id::text, e.user_id::text, e.url, e.event_types, e.payment_types, e.description, e.is_active,
       e.disabled_reason, e.failing_since, e.version, e.created_at, u.name AS owner, {STATE} AS state,
       (SELECT count(*) FROM (SELECT FROM webhook_deliveries
           WHERE endpoint_id = e.id AND state = 'pending' LIMIT {COUNTED_MAX}) AS waiting) AS pending,
       (SELECT count(*) FROM (SELECT FROM webhook_deliveries
           WHERE endpoint_id = e.id AND state = 'failed' LIMIT {COUNTED_MAX}) AS given_up) AS failed,
       (SELECT min(next_attempt_at) FROM webhook_deliveries WHERE endpoint_id = e.id AND state = 'pending')
           AS next_attempt_at
FROM webhook_endpoints e JOIN users u ON u.id = e.user_id
"""
"""Each count is of an index of the endpoint alone."""

IN_TROUBLE = "(e.failing_since IS NOT NULL OR e.disabled_reason IS NOT NULL) AND e.deleted_at IS NULL"
"""As the index says it."""

TROUBLES = {EndpointState.FAILING, EndpointState.DISABLED}


def endpoints(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    states: Sequence[str] | None = None,
    user_id: str | None = None,
) -> list[OpsEndpoint]:
    """Endpoints of all users or of one, newest first; those that fail or were disabled are found by their index."""
    conditions = {
        "e.deleted_at IS NULL": True,
        IN_TROUBLE: True if states and {*states} <= TROUBLES else None,
        f"{STATE} = ANY(%s)": list(states) if states else None,
        "e.user_id = %s": user_id,
    }
    return keyset.page(connection, _endpoint, ENDPOINT, conditions, limit, at, key="e.id")


def _endpoint(row: Sequence[Any]) -> OpsEndpoint:
    width = len(Endpoint._fields)
    endpoint = Endpoint(*row[:width])
    return OpsEndpoint(endpoint.id, endpoint, *row[width:])


def endpoint_by_id(connection: Connection, id: str) -> OpsEndpoint | None:
    """The endpoint, or None if there is none or it is deleted."""
    row = connection.exec_driver_sql(f"{ENDPOINT} WHERE e.id = %s AND e.deleted_at IS NULL", (id,)).one_or_none()
    return None if row is None else _endpoint(row)


def redeliver(connection: Connection, id: str, actor: Actor, reason: str) -> Delivery | None:
    """Have a delivery sent again, recorded in the audit log; one that is due already stays as it is."""
    before = webhook_delivery.by_id(connection, id)
    if before is None or not webhook_delivery.reset(connection, id):
        return before
    after = webhook_delivery.by_id(connection, id)
    states = ({"state": known.state, "attempts": known.attempts} for known in (before, after or before))
    audit.note(connection, actor, "webhook_deliveries.redeliver", id, reason, *states)
    return after


def redeliver_range(
    connection: Connection,
    endpoint_id: str,
    since: datetime,
    until: datetime,
    states: Sequence[str],
    actor: Actor,
    reason: str,
) -> tuple[int, bool]:
    """Have an endpoint's deliveries of a time sent again, recorded in the audit log if there are any.

    Returns their number, and whether there are more.
    """
    number, has_more = webhook_delivery.redeliver_range(connection, endpoint_id, since, until, states)
    if number:
        done = {"from": since.isoformat(), "to": until.isoformat(), "states": list(states), "redelivered": number}
        audit.note(connection, actor, "webhook_endpoints.redeliver", endpoint_id, reason, after=done)
    return number, has_more


def body(found: OpsEndpoint) -> dict[str, Any]:
    """The JSON of an endpoint for ops."""
    return {
        **endpoint_body(found.endpoint),
        "user": found.endpoint.user_id,
        "owner": found.owner,
        "state": found.state,
        "deliveries": {"pending": found.pending, "failed": found.failed},
        "next_attempt_at": iso(found.next_attempt_at),
    }
