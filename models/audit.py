"""The append-only audit log: actor, action, target, address and reason."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.records import records

REASON_LENGTH_MAX = 500


class Actor(NamedTuple):
    """The actor: a user's id, with the token, network address and request they used; or SHELL, or WORKER."""

    name: str
    token_id: str | None = None
    address: str | None = None
    request_id: str | None = None

    @property
    def user_id(self) -> str | None:
        """The id of the user; None if it was none."""
        return None if self in (SHELL, WORKER) else self.name


SHELL = Actor("shell")
"""The operator, who runs commands on their machines."""

WORKER = Actor("worker")
"""A worker, without a user's request."""


def note(
    connection: Connection,
    actor: Actor,
    action: str,
    target: str,
    reason: str | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write one entry, in the transaction of the action itself; never with a password, a token or a hash of one."""
    connection.exec_driver_sql(
        "INSERT INTO audit_log (actor, token_id, address, request_id, action, target, reason, before, after)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (*actor, action, target, reason, _json(before), _json(after)),
    )


BEFORE = pg_arrays.Columns("entry", "target text, before jsonb")


def note_many(
    connection: Connection,
    actor: Actor,
    action: str,
    reason: str,
    before: Mapping[str, Mapping[str, object]],
    after: Mapping[str, object],
) -> None:
    """Write an entry for each target of one action: what it was before, by target, and what all are afterwards."""
    connection.exec_driver_sql(
        "INSERT INTO audit_log (actor, token_id, address, request_id, action, target, reason, before, after)"
        " SELECT %(actor)s, %(token)s::uuid, %(address)s, %(request)s, %(action)s, target, %(reason)s, before,"
        f" %(after)s::jsonb FROM {BEFORE.unnest}",
        {
            **BEFORE.parameters(target=before, before=map(_plain, before.values())),
            **{"actor": actor.name, "token": actor.token_id, "address": actor.address, "request": actor.request_id},
            **{"action": action, "reason": reason, "after": _json(after)},
        },
    )


def _plain(value: Mapping[str, object]) -> object:
    return json.loads(json.dumps(value, default=str))


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(value, default=str)


class AuditEntry(NamedTuple):
    """An entry of the log; `written_by` is the database role."""

    id: str
    created_at: datetime
    actor: str
    token_id: str | None
    address: str | None
    request_id: str | None
    action: str
    target: str
    reason: str | None
    before: dict[str, object] | None
    after: dict[str, object] | None
    written_by: str


ENTRY = """
SELECT id::text, created_at, actor, token_id::text, address, request_id, action, target, reason, before, after,
       written_by
FROM audit_log
"""


def about(connection: Connection, target: str) -> list[dict[str, object]]:
    """Entries about one target, oldest first."""
    rows = connection.exec_driver_sql(f"{ENTRY} WHERE target = %s ORDER BY audit_log.id", (target,))
    return [entry._asdict() for entry in records(AuditEntry, rows)]


FIRST = """
WITH RECURSIVE search (low, high) AS (
    SELECT (SELECT min(id) FROM audit_log), (SELECT max(id) + 1 FROM audit_log)
    UNION ALL
    SELECT CASE WHEN is_before THEN middle + 1 ELSE low END, CASE WHEN is_before THEN high ELSE middle END
    FROM search
    CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS half
    CROSS JOIN LATERAL (SELECT (SELECT l.created_at < %s {} '5 minutes' FROM audit_log l
                                WHERE l.id >= middle ORDER BY l.id LIMIT 1) AS is_before) AS tried
    WHERE low < high
)
SELECT low FROM search WHERE low = high
"""
"""Number of the first entry of five minutes before or after a time, by bisection. Entries are numbered when they are
written, and have the time of then; older ones that at which their transaction began, which was seconds before."""

OF_PERSON = f"""
SELECT * FROM (({ENTRY} WHERE target = %(id)s ORDER BY audit_log.id DESC LIMIT %(limit)s)
               UNION ({ENTRY} WHERE actor = %(id)s ORDER BY audit_log.id DESC LIMIT %(limit)s)) AS entries
ORDER BY id::bigint DESC LIMIT %(limit)s
"""


def of_person(connection: Connection, user_id: str, limit: int) -> list[AuditEntry]:
    """What was done by a user and to them, newest first."""
    return records(AuditEntry, connection.exec_driver_sql(OF_PERSON, {"id": user_id, "limit": limit}))


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    actor: str | None = None,
    target: str | None = None,
    action: str | None = None,
    request_id: str | None = None,
    created_from: datetime | None = None,
    created_before: datetime | None = None,
) -> list[AuditEntry]:
    """Entries, newest first; of a time from (inclusive) and before (exclusive)."""
    conditions = {
        **{"actor = %s": actor, "target = %s": target, "action = %s": action, "request_id = %s": request_id},
        f"created_at >= %s AND audit_log.id >= ({FIRST.format('- interval')})": created_from,
        f"created_at < %s AND audit_log.id < ({FIRST.format('+ interval')})": created_before,
    }
    return keyset.page(connection, AuditEntry, ENTRY, conditions, limit, at, key="audit_log.id", kind="bigint")


def body(entry: AuditEntry) -> dict[str, Any]:
    """The JSON of an entry."""
    return {**entry._asdict(), "created_at": entry.created_at.isoformat()}
