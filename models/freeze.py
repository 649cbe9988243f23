"""Freezes of wallets, and of users with all their wallets: by ops, or by the auditor, until ops thaw them.

A trigger writes `accounts.is_frozen`, under the lock of the account that posting takes too. The wallets that a frozen
user opens are frozen as well.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset
from models.audit import Actor
from models.keyset import START, Cursor
from models.records import record


class Freeze(NamedTuple):
    """A freeze of an account or of a user, and how it was thawed; `frozen_by` and `thawed_by` None: in a shell.

    With `breach_id` the auditor froze it.
    """

    id: str
    account_id: str | None
    user_id: str | None
    reason: str
    frozen_by: str | None
    frozen_at: datetime
    thaw_reason: str | None
    thawed_by: str | None
    thawed_at: datetime | None
    breach_id: str | None


class FreezeTarget(NamedTuple):
    """What is frozen: the id of an account or of a user, one of them."""

    account_id: str | None = None
    user_id: str | None = None


FREEZE = """
SELECT f.id::text, f.account_id::text, f.user_id::text, f.reason, f.frozen_by::text, f.frozen_at, f.thaw_reason,
       f.thawed_by::text, f.thawed_at, f.breach_id::text
FROM freezes f
"""


def by_id(connection: Connection, id: str) -> Freeze | None:
    """The freeze, or None."""
    return record(Freeze, connection.exec_driver_sql(f"{FREEZE} WHERE f.id = %s", (id,)))


def newest(connection: Connection, target: FreezeTarget) -> Freeze | None:
    """The newest freeze of the target itself, thawed or not, or None."""
    newest = f"{FREEZE} WHERE f.account_id = %s OR f.user_id = %s ORDER BY f.thawed_at IS NULL DESC, f.id DESC LIMIT 1"
    return record(Freeze, connection.exec_driver_sql(newest, target))


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    account_id: str | None = None,
    user_id: str | None = None,
    is_open: bool | None = None,
) -> list[Freeze]:
    """Freezes, newest first; of an account or a user, those in force or those that were thawed."""
    conditions = {
        "f.account_id = %s": account_id,
        "f.user_id = %s": user_id,
        "(f.thawed_at IS NULL) = %s": is_open,
    }
    return keyset.page(connection, Freeze, FREEZE, conditions, limit, at, key="f.id")


def freeze(
    connection: Connection, target: FreezeTarget, reason: str, actor: Actor, *, breach_id: str | None = None
) -> tuple[Freeze, bool]:
    """Freeze the target, for the breach if a worker does; returns the freeze, and False if it was in force already.

    Waits for the payments that are being posted with the wallets, and is recorded in the audit log.
    """
    id = str(uuid7())
    columns = {"id": id, **target._asdict(), "reason": reason, "frozen_by": actor.user_id}
    if breach_id is not None:
        columns["breach_id"] = breach_id  # which the gateway's role may not write
    connection.exec_driver_sql(
        f"INSERT INTO freezes ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
        " ON CONFLICT DO NOTHING",
        tuple(columns.values()),
    )
    kept = newest(connection, target)
    if kept is None:
        raise LookupError(target)
    if kept.id == id:
        audit.note(connection, actor, "freezes.freeze", _name(kept), reason, after=body(kept))
    return kept, kept.id == id


def in_force_for_breaches(connection: Connection) -> int:
    """Number of the freezes in force that the auditor made."""
    count: int = connection.exec_driver_sql(
        "SELECT count(*) FROM freezes WHERE breach_id IS NOT NULL AND thawed_at IS NULL"
    ).scalar_one()
    return count


def thaw(connection: Connection, record: Freeze, reason: str, actor: Actor) -> Freeze:
    """End the freeze, recorded in the audit log; one that has ended stays as it is.

    A wallet stays frozen while another freeze, of its owner, is in force.
    """
    thawed = connection.exec_driver_sql(
        "UPDATE freezes SET thaw_reason = %s, thawed_by = %s, thawed_at = now() WHERE id = %s AND thawed_at IS NULL",
        (reason, actor.user_id, record.id),
    )
    after = by_id(connection, record.id) or record
    if thawed.rowcount:
        audit.note(connection, actor, "freezes.thaw", _name(record), reason, body(record), body(after))
    return after


def _name(record: Freeze) -> str:
    """The target of the audit log."""
    return record.account_id or record.user_id or ""


def body(record: Freeze) -> dict[str, Any]:
    """The JSON of a freeze."""
    return {
        "id": record.id,
        "account": record.account_id,
        "user": record.user_id,
        "in_force": record.thawed_at is None,
        "reason": record.reason,
        "frozen_by": record.frozen_by,
        "frozen_at": record.frozen_at.isoformat(),
        "thaw_reason": record.thaw_reason,
        "thawed_by": record.thawed_by,
        "thawed_at": record.thawed_at and record.thawed_at.isoformat(),
        "breach": record.breach_id,
    }
