"""Pauses of posting: of a type of payment, a merchant or a currency, or of a rail, until ops resume it or its end.

What is paused stays INITIATED. The poster sets such payments aside (`models/paused_payment.py`).
"""

import re
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset
from models.audit import Actor
from models.keyset import START, Cursor
from models.records import record, records


class Pause(NamedTuple):
    """A pause and its end; `paused_by` and `resumed_by` None: in a shell. `is_over` by the database's clock."""

    id: str
    type: str | None
    merchant_id: str | None
    currency: str | None
    rail: str | None
    reason: str
    paused_by: str | None
    paused_at: datetime
    until: datetime | None
    resume_reason: str | None
    resumed_by: str | None
    resumed_at: datetime | None
    is_over: bool


class Scope(NamedTuple):
    """What is paused, one of them: a type of payment, the payments that a merchant orders, a currency, or a rail."""

    type: str | None = None
    merchant_id: str | None = None
    currency: str | None = None
    rail: str | None = None


RAIL = re.compile("[a-z][a-z0-9_]{0,29}", re.ASCII)
"""Names of rails."""

IS_OVER = "(q.resumed_at IS NOT NULL OR coalesce(q.until <= statement_timestamp(), false))"
"""Of a pause `q`, by the database's clock."""

PAUSE = f"""
SELECT q.id::text, q.type, q.merchant_id::text, q.currency, q.rail, q.reason, q.paused_by::text, q.paused_at, q.until,
       q.resume_reason, q.resumed_by::text, q.resumed_at, {IS_OVER} AS is_over
FROM pauses q
"""


def by_id(connection: Connection, id: str) -> Pause | None:
    """The pause, or None."""
    return record(Pause, connection.exec_driver_sql(f"{PAUSE} WHERE q.id = %s", (id,)))


def page(connection: Connection, limit: int, at: Cursor = START, *, is_open: bool | None = None) -> list[Pause]:
    """Pauses, newest first; those in force or those that are over."""
    return keyset.page(connection, Pause, PAUSE, {f"(NOT {IS_OVER}) = %s": is_open}, limit, at, key="q.id")


IN_FORCE_MAX = 100
"""Pauses that are shown at once: more would pause every type, currency and merchant one by one."""


def in_force(connection: Connection) -> list[Pause]:
    """The pauses that are not over, oldest first."""
    rows = connection.exec_driver_sql(
        f"{PAUSE} WHERE q.released_at IS NULL AND NOT {IS_OVER} ORDER BY q.id LIMIT %s", (IN_FORCE_MAX,)
    )
    return records(Pause, rows)


class Ending(Exception):
    """The pause before is over, and its payments are just being made due again: pause in a moment."""


def pause(
    connection: Connection, scope: Scope, reason: str, until: datetime | None, actor: Actor
) -> tuple[Pause, bool] | None:
    """Pause what the scope names, recorded in the audit log; None if `until` is past.

    Returns the pause, and False if it was in force already. Raises Ending, also if others resume it just now.
    """
    id = str(uuid7())
    connection.exec_driver_sql(
        "INSERT INTO pauses (id, type, merchant_id, currency, rail, reason, until, paused_by)"
        " SELECT %s, %s, %s, %s, %s, %s, %s, %s WHERE coalesce(%s > now(), true) ON CONFLICT DO NOTHING",
        (id, *scope, reason, until, actor.user_id, until),
    )
    now = record(
        Pause,
        connection.exec_driver_sql(
            f"{PAUSE} WHERE (q.type, q.merchant_id::text, q.currency, q.rail) IS NOT DISTINCT FROM (%s, %s, %s, %s)"
            " AND q.resumed_at IS NULL AND q.released_at IS NULL",
            scope,
        ),
    )
    if now is None and until is not None and _is_past(connection, until):
        return None
    if now is None or now.is_over:
        raise Ending
    if now.id == id:
        audit.note(connection, actor, "pauses.pause", id, reason, after=body(now))
    return now, now.id == id


def _is_past(connection: Connection, moment: datetime) -> bool:
    """Whether the transaction began after that moment."""
    return connection.exec_driver_sql("SELECT %s <= now()", (moment,)).scalar_one()


def resume(connection: Connection, before: Pause, reason: str, actor: Actor) -> tuple[Pause, bool]:
    """End a pause ahead of its end, if it has any, recorded in the audit log; False if it was over already."""
    resumed = connection.exec_driver_sql(
        f"UPDATE pauses q SET resume_reason = %s, resumed_by = %s, resumed_at = now() WHERE q.id = %s AND NOT {IS_OVER}"
        " AND q.released_at IS NULL",
        (reason, actor.user_id, before.id),
    )
    after = by_id(connection, before.id) or before
    if resumed.rowcount:
        audit.note(connection, actor, "pauses.resume", before.id, reason, body(before), body(after))
    return after, resumed.rowcount == 1


def body(record: Pause) -> dict[str, Any]:
    """The JSON of a pause."""
    return {
        "id": record.id,
        "type": record.type,
        "merchant": record.merchant_id,
        "currency": record.currency,
        "rail": record.rail,
        "in_force": not record.is_over,
        "reason": record.reason,
        "paused_by": record.paused_by,
        "paused_at": record.paused_at.isoformat(),
        "until": record.until and record.until.isoformat(),
        "resume_reason": record.resume_reason,
        "resumed_by": record.resumed_by,
        "resumed_at": record.resumed_at and record.resumed_at.isoformat(),
    }


def is_any_over(connection: Connection) -> bool:
    """Whether a pause is over and its payments are not due again yet."""
    return connection.exec_driver_sql(
        f"SELECT EXISTS (SELECT FROM pauses q WHERE q.released_at IS NULL AND {IS_OVER})"
    ).scalar_one()
