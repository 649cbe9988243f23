"""Webhook endpoints: their URLs, the events they receive, and the secrets that sign requests."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import event, keyset, pg_arrays
from models.keyset import START, Cursor
from models.records import record, records

ENDPOINTS_MAX = 20
"""Endpoints of one user, inactive ones included: each event is sent to every endpoint that subscribes to it."""

EVENT_TYPES = (*event.NAMES, "payment.*", "bulk.*", "webhook_endpoint.*", "*")
"""Event types an endpoint may subscribe to: names, and prefixes of several."""

SECRET_BYTES = 32


def new_secret() -> str:
    """Generate a secret in the format of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


class Endpoint(NamedTuple):
    """A webhook endpoint; `disabled_reason` ("gone" or "failing") if it was not deactivated by its owner.

    Of payments it gets the events of `payment_types` alone; None is all.
    """

    id: str
    user_id: str
    url: str
    event_types: list[str]
    payment_types: list[str] | None
    description: str | None
    is_active: bool
    disabled_reason: str | None
    failing_since: datetime | None
    version: int
    created_at: datetime


ENDPOINT = """
SELECT e.id::text, e.user_id::text, e.url, e.event_types, e.payment_types, e.description, e.is_active,
       e.disabled_reason, e.failing_since, e.version, e.created_at
FROM webhook_endpoints e
"""


def create(
    connection: Connection,
    id: str,
    user_id: str,
    url: str,
    event_types: list[str],
    description: str | None,
    payment_types: list[str] | None = None,
) -> Endpoint | None:
    """Store an endpoint without a secret; None if the user has ENDPOINTS_MAX. Call `user.lock` first."""
    stored = connection.exec_driver_sql(
        "INSERT INTO webhook_endpoints (id, user_id, url, event_types, payment_types, description)"
        " SELECT %(id)s, %(user)s, %(url)s, %(types)s, %(payment_types)s::text[], %(description)s"
        " WHERE (SELECT count(*) FROM webhook_endpoints WHERE user_id = %(user)s AND deleted_at IS NULL) < %(max)s",
        {
            **{"id": id, "user": user_id, "url": url, "types": event_types, "payment_types": payment_types},
            **{"description": description, "max": ENDPOINTS_MAX},
        },
    )
    return by_id(connection, id) if stored.rowcount else None


def by_id(connection: Connection, id: str) -> Endpoint | None:
    """The endpoint, or None if there is none or it is deleted."""
    found = f"{ENDPOINT} WHERE e.id = %s AND e.deleted_at IS NULL"
    return record(Endpoint, connection.exec_driver_sql(found, (id,)))


def by_ids(connection: Connection, ids: Sequence[str]) -> dict[str, Endpoint]:
    """Several endpoints by id, the deleted ones too; unknown ones are left out."""
    rows = connection.exec_driver_sql(f"{ENDPOINT} WHERE e.id = ANY(%s::uuid[])", (pg_arrays.plain(ids),))
    return {endpoint.id: endpoint for endpoint in records(Endpoint, rows)}


def page(connection: Connection, user_id: str, limit: int, at: Cursor = START) -> list[Endpoint]:
    """A user's, newest first."""
    conditions = {"e.user_id = %s": user_id, "e.deleted_at IS NULL": True}
    return keyset.page(connection, Endpoint, ENDPOINT, conditions, limit, at, key="e.id")


def change(connection: Connection, endpoint: Endpoint, *, is_forgiven: bool) -> Endpoint | None:
    """Store the members of `endpoint` that its owner may change, if its version is still current; None if it is not.

    `is_forgiven` clears its failures so far and their being the reason that it was disabled.
    """
    changed = connection.exec_driver_sql(
        "UPDATE webhook_endpoints SET url = %(url)s, event_types = %(event_types)s,"
        " payment_types = %(payment_types)s::text[], description = %(description)s,"
        " is_active = %(is_active)s, version = version + 1,"
        " disabled_reason = CASE WHEN NOT %(is_forgiven)s THEN disabled_reason END,"
        " failing_since = CASE WHEN NOT %(is_forgiven)s THEN failing_since END"
        " WHERE id = %(id)s AND version = %(version)s AND deleted_at IS NULL",
        {**endpoint._asdict(), "is_forgiven": is_forgiven},
    )
    return by_id(connection, endpoint.id) if changed.rowcount else None


def delete(connection: Connection, id: str, version: int) -> bool:
    """Delete the endpoint and end its secrets, if it is still at this version."""
    deleted = connection.exec_driver_sql(
        "UPDATE webhook_endpoints SET deleted_at = now(), is_active = false, version = version + 1"
        " WHERE id = %s AND version = %s AND deleted_at IS NULL",
        (id, version),
    )
    if deleted.rowcount:
        connection.exec_driver_sql(f"{_END} now() {_UNLESS_ENDED}", (id,))
    return bool(deleted.rowcount)


_END = "UPDATE webhook_secrets SET expires_at ="
_UNLESS_ENDED = "WHERE endpoint_id = %s AND (expires_at IS NULL OR expires_at > now())"


def add_secret(connection: Connection, id: str, endpoint_id: str, secret: str, overlap_seconds: int = 0) -> None:
    """Sign with this secret from now on, and for `overlap_seconds` with the previous one too; older ones end.

    Call `user.lock` for the owner first: two concurrent secrets cannot both be the newest.
    """
    connection.exec_driver_sql(f"{_END} now() {_UNLESS_ENDED} AND expires_at IS NOT NULL", (endpoint_id,))
    overlap = "now() + make_interval(secs => %s)"
    connection.exec_driver_sql(
        f"{_END} {overlap} WHERE endpoint_id = %s AND expires_at IS NULL", (overlap_seconds, endpoint_id)
    )
    connection.exec_driver_sql(
        "INSERT INTO webhook_secrets (id, endpoint_id, secret) VALUES (%s, %s, %s)", (id, endpoint_id, secret)
    )


def ping(connection: Connection, id: str) -> bool:
    """Send it a ping; False if it is inactive."""
    pinged = connection.exec_driver_sql(
        "UPDATE webhook_endpoints SET pings = pings + 1 WHERE id = %s AND is_active", (id,)
    )
    return bool(pinged.rowcount)
