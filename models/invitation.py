"""Invitations to act for a merchant: mailed as a token that is accepted once, by the owner of the address."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import confirmation, keyset
from models.confirmation import Purpose
from models.keyset import START, Cursor
from models.records import record

MAILS_PER_HOUR_MAX = 20
"""Invitations that a merchant sends in an hour."""

MAILS_TO_ONE_PER_HOUR_MAX = 3
"""Of these to one address: strangers must not fill a mailbox."""


class Invitation(NamedTuple):
    """An invitation of an address; `expires_at` of one that is open may have passed.

    With a `reason` ops invited an owner; `invited_by` is None then in a shell.
    """

    id: str
    merchant_id: str
    email: str
    role: str
    invited_by: str | None
    reason: str | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: str | None
    withdrawn_at: datetime | None
    is_expired: bool


INVITATIONS = """
SELECT id::text, merchant_id::text, email, role, invited_by::text, reason, created_at, expires_at,
       accepted_at, accepted_by::text, withdrawn_at, expires_at <= now() AS is_expired
FROM invitations
"""


def find(connection: Connection, merchant_id: str, id: str) -> Invitation | None:
    """An invitation of the merchant, or None."""
    rows = connection.exec_driver_sql(f"{INVITATIONS} WHERE id = %s AND merchant_id = %s", (id, merchant_id))
    return record(Invitation, rows)


def page(connection: Connection, merchant_id: str, limit: int, at: Cursor = START) -> list[Invitation]:
    """The merchant's invitations, newest first."""
    conditions = {"merchant_id = %s": merchant_id}
    return keyset.page(connection, Invitation, INVITATIONS, conditions, limit, at, key="invitations.id")


def may_send(connection: Connection, merchant_id: str, email: str) -> bool:
    """Whether the merchant, who is locked, may invite the address now."""
    return connection.exec_driver_sql(
        "SELECT count(*) < %s AND count(*) FILTER (WHERE lower(email) = lower(%s)) < %s FROM invitations"
        " WHERE merchant_id = %s AND created_at > now() - interval '1 hour'",
        (MAILS_PER_HOUR_MAX, email, MAILS_TO_ONE_PER_HOUR_MAX, merchant_id),
    ).scalar_one()


def send(
    connection: Connection,
    id: str,
    merchant_id: str,
    email: str,
    role: str,
    invited_by: str | None,
    reason: str | None = None,
) -> str | None:
    """Store an invitation and the mail with its token; the id of an open one of the address, which it replaces.

    Lock the merchant first.
    """
    replaced = connection.exec_driver_sql(
        "UPDATE invitations SET withdrawn_at = now() WHERE merchant_id = %s AND lower(email) = lower(%s)"
        " AND accepted_at IS NULL AND withdrawn_at IS NULL RETURNING id::text",
        (merchant_id, email),
    ).scalar()
    columns = {"id": id, "merchant_id": merchant_id, "email": email, "role": role}
    columns |= {name: value for name, value in (("invited_by", invited_by), ("reason", reason)) if value is not None}
    connection.exec_driver_sql(
        f"INSERT INTO invitations ({', '.join(columns)}) VALUES ({', '.join(f'%({name})s' for name in columns)})",
        columns,
    )
    confirmation.ask_invited(connection, str(uuid7()), merchant_id, id)
    return replaced


def withdraw(connection: Connection, merchant_id: str, id: str) -> bool:
    """End an open invitation, whose token is then invalid; False if it is none."""
    withdrawn = connection.exec_driver_sql(
        "UPDATE invitations SET withdrawn_at = now()"
        " WHERE id = %s AND merchant_id = %s AND accepted_at IS NULL AND withdrawn_at IS NULL",
        (id, merchant_id),
    )
    return withdrawn.rowcount == 1


OF_TOKEN = f"""
{INVITATIONS} WHERE id = (
    SELECT invitation_id FROM confirmations
    WHERE hash = %s AND purpose = '{Purpose.INVITATION}' AND used_at IS NULL AND expires_at > now())
AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > now()
"""


def by_token(connection: Connection, hash: bytes) -> Invitation | None:
    """The open invitation whose mail had the token with this hash; None if it is not valid. Lock its merchant."""
    return record(Invitation, connection.exec_driver_sql(OF_TOKEN, (hash,)))


def state(offered: Invitation) -> str:
    """Whether the invitation is open, and if not, why."""
    if offered.accepted_at:
        return "accepted"
    if offered.withdrawn_at:
        return "withdrawn"
    return "expired" if offered.is_expired else "open"


def accept(connection: Connection, id: str, user_id: str, hash: bytes) -> None:
    """Record that the user accepted the invitation, and use up its token."""
    connection.exec_driver_sql(
        "UPDATE invitations SET accepted_at = now(), accepted_by = %s WHERE id = %s", (user_id, id)
    )
    connection.exec_driver_sql("UPDATE confirmations SET used_at = now() WHERE hash = %s", (hash,))
