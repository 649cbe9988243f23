"""The audit log: who did what to what, and why. Append-only."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection


def note(
    connection: Connection,
    actor: str,
    action: str,
    target: str,
    reason: str | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Keep one line, in the transaction of the deed itself."""
    connection.exec_driver_sql(
        "INSERT INTO audit_log (actor, action, target, reason, before, after) VALUES (%s, %s, %s, %s, %s, %s)",
        (actor, action, target, reason, _json(before), _json(after)),
    )


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(value, default=str)


def about(connection: Connection, target: str) -> list[dict[str, object]]:
    """What was done to one target, oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT created_at, actor, action, reason, before, after FROM audit_log WHERE target = %s ORDER BY id",
        (target,),
    )
    return [dict(row) for row in rows.mappings()]
