"""Notes of ops about a payment: entries of the audit log, which change nothing."""

from typing import Any

from sqlalchemy import Connection

from models import audit
from models.audit import Actor, AuditEntry
from models.records import record, records

ACTION = "payments.note"

NOTES_MAX = 100
"""Notes that are shown with a payment, the newest."""

KEEP = f"""
INSERT INTO audit_log (actor, token_id, address, request_id, action, target, reason)
VALUES (%s, %s, %s, %s, '{ACTION}', %s, %s)
ON CONFLICT (target, actor, md5(reason)) WHERE action = '{ACTION}' DO NOTHING
"""


def add(connection: Connection, payment_id: str, actor: Actor, text: str) -> tuple[AuditEntry, bool]:
    """Write a note; returns it, and False if the actor had written the same words before."""
    is_new = connection.exec_driver_sql(KEEP, (*actor, payment_id, text)).rowcount == 1
    note = record(
        AuditEntry,
        connection.exec_driver_sql(
            f"{audit.ENTRY} WHERE target = %s AND actor = %s AND md5(reason) = md5(%s) AND action = '{ACTION}'",
            (payment_id, actor.name, text),
        ),
    )
    if note is None:
        raise LookupError(payment_id)
    return note, is_new


def about(connection: Connection, payment_id: str) -> list[AuditEntry]:
    """The newest NOTES_MAX notes about a payment, oldest first."""
    rows = connection.exec_driver_sql(
        f"{audit.ENTRY} WHERE target = %s AND action = '{ACTION}' ORDER BY audit_log.id DESC LIMIT {NOTES_MAX}",
        (payment_id,),
    )
    return records(AuditEntry, rows)[::-1]


def body(note: AuditEntry) -> dict[str, Any]:
    """The JSON of a note."""
    return {"text": note.reason, "written_by": note.actor, "created_at": note.created_at.isoformat()}
