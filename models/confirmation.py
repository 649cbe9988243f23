"""Confirmations: single-use tokens mailed to an address, which prove that it is the user's.

The gateway stores the request; a worker makes the token when it sends the mail, so that only the mail contains it.
"""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import user
from models.records import record

VALID = timedelta(hours=24)
INVITATION_VALID = timedelta(days=7)
"""People are away, and cannot ask for another mail themselves; as in the column of invitations."""

MAILS_PER_HOUR_MAX = 5
"""Mails of one purpose to one user: strangers must not fill a mailbox."""

LAST_ERROR_LENGTH_MAX = 500


class Purpose(StrEnum):
    """Purpose of a confirmation."""

    EMAIL = "email"
    """Proves that the address is the user's."""
    PASSWORD = "password"  # noqa: S105 - a purpose
    """Lets the user set a new password."""
    WEBHOOK = "webhook"
    """Notifies the user, without a token, that a webhook endpoint has been disabled."""
    INVITATION = "invitation"
    """Lets the owner of an invited address act for a merchant."""


class PendingMail(NamedTuple):
    """A confirmation that is due to be mailed; `attempts` includes this one."""

    id: str
    user_id: str
    purpose: str
    email: str
    attempts: int


def ask(connection: Connection, id: str, user_id: str, purpose: Purpose) -> bool:
    """Request a mail; False if the user has been sent MAILS_PER_HOUR_MAX this hour.

    The user is locked first, so that concurrent requests are counted one after the other.
    """
    user.lock(connection, user_id)
    result = connection.exec_driver_sql(
        "INSERT INTO confirmations (id, user_id, purpose) SELECT %(id)s, %(user)s, %(purpose)s"
        " WHERE (SELECT count(*) FROM confirmations WHERE user_id = %(user)s AND purpose = %(purpose)s"
        "        AND created_at > now() - interval '1 hour') < %(most)s",
        {"id": id, "user": user_id, "purpose": purpose.value, "most": MAILS_PER_HOUR_MAX},
    )
    return result.rowcount == 1


def ask_invited(connection: Connection, id: str, merchant_id: str, invitation_id: str) -> None:
    """Request the mail of an invitation, whose number the caller bounds."""
    connection.exec_driver_sql(
        "INSERT INTO confirmations (id, user_id, purpose, invitation_id) VALUES (%s, %s, %s, %s)",
        (id, merchant_id, Purpose.INVITATION.value, invitation_id),
    )


DUE = """sent_at IS NULL AND used_at IS NULL AND due_at <= now() AND attempts < %(attempts_max)s
    AND NOT EXISTS (SELECT FROM invitations i WHERE i.id = invitation_id AND i.withdrawn_at IS NOT NULL)"""


def is_any_due(connection: Connection, attempts_max: int) -> bool:
    """Whether `take` would return a mail."""
    return connection.exec_driver_sql(
        f"SELECT EXISTS (SELECT FROM confirmations WHERE {DUE})", {"attempts_max": attempts_max}
    ).scalar_one()


TAKE = f"""
WITH due AS (
    SELECT id FROM confirmations WHERE {DUE}
    ORDER BY due_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE confirmations c
SET hash = %(hash)s, attempts = attempts + 1,
    expires_at = now() + CASE purpose WHEN 'invitation' THEN %(invitation_valid)s ELSE %(valid)s END,
    due_at = now() + make_interval(secs => %(wait_seconds)s)
FROM due, users u WHERE c.id = due.id AND u.id = c.user_id
RETURNING c.id::text, c.user_id::text, c.purpose,
          coalesce((SELECT email FROM invitations i WHERE i.id = c.invitation_id), u.email) AS email, c.attempts
"""


def take(connection: Connection, hash: bytes, wait_seconds: float, attempts_max: int) -> PendingMail | None:
    """Claim the longest due mail for the token with this hash; due again after `wait_seconds` unless sent.

    Commit before sending: then the token works as soon as it arrives, and a crash only leads to another mail.
    """
    parameters: dict[str, object] = {"hash": hash, "valid": VALID, "invitation_valid": INVITATION_VALID}
    parameters |= {"wait_seconds": wait_seconds, "attempts_max": attempts_max}
    return record(PendingMail, connection.exec_driver_sql(TAKE, parameters))


def give_back(connection: Connection, hash: bytes) -> None:
    """Undo a claim after which nothing was mailed, so that it does not count. A later claim has another hash."""
    connection.exec_driver_sql(
        "UPDATE confirmations SET attempts = attempts - 1, due_at = now()"
        " WHERE hash = %s AND sent_at IS NULL AND used_at IS NULL",
        (hash,),
    )


def note_sent(connection: Connection, id: str) -> None:
    """Record that the mail was handed over, unless its token has been used meanwhile."""
    connection.exec_driver_sql(
        "UPDATE confirmations SET sent_at = now(), last_error = NULL WHERE id = %s AND used_at IS NULL", (id,)
    )


def note_failed(connection: Connection, id: str, error: str, wait_seconds: float | None) -> None:
    """Record why the mail was not handed over, and retry after `wait_seconds`; None gives it up."""
    connection.exec_driver_sql(
        "UPDATE confirmations SET last_error = %s,"
        " due_at = coalesce(now() + make_interval(secs => %s), 'infinity') WHERE id = %s AND used_at IS NULL",
        (error[:LAST_ERROR_LENGTH_MAX], wait_seconds, id),
    )


def redeem(connection: Connection, hash: bytes, purpose: Purpose) -> str | None:
    """Use up the token with this hash and the user's others for the purpose; the user's id, or None if it is invalid.

    The user is locked first, so that concurrent uses of two tokens wait for each other.
    """
    user_id = connection.exec_driver_sql("SELECT user_id::text FROM confirmations WHERE hash = %s", (hash,)).scalar()
    if user_id is None:
        return None
    user.lock(connection, user_id)
    used = connection.exec_driver_sql(
        "UPDATE confirmations SET used_at = now() WHERE user_id = %(user)s AND purpose = %(purpose)s"
        " AND used_at IS NULL AND hash IS NOT NULL AND EXISTS (SELECT FROM confirmations token"
        " WHERE token.hash = %(hash)s AND token.purpose = %(purpose)s"
        " AND token.used_at IS NULL AND token.expires_at > now())",
        {"user": user_id, "purpose": purpose.value, "hash": hash},
    )
    return user_id if used.rowcount else None


def withdraw(connection: Connection, user_id: str, purpose: Purpose) -> None:
    """Invalidate all tokens mailed to the user for the purpose; call `user.lock` first."""
    connection.exec_driver_sql(
        "UPDATE confirmations SET used_at = now()"
        " WHERE user_id = %s AND purpose = %s AND used_at IS NULL AND hash IS NOT NULL",
        (user_id, purpose.value),
    )
