"""Second factors: encrypted secrets of one-time passwords, and hashed recovery codes. A code is used once."""

import hashlib
import secrets
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import audit, pg_arrays, token, user
from models.audit import Actor
from models.records import record
from models.user import Role, User

STEP_SECONDS = 30
"""Period of a one-time password: the default of RFC 6238, and the only one that every authenticator knows."""

RECOVERY_CODES = 10
"""Recovery codes that a user gets at once."""
RECOVERY_CODE_GROUPS, RECOVERY_CODE_GROUP_LENGTH = 4, 4
RECOVERY_CODE_LENGTH = RECOVERY_CODE_GROUPS * RECOVERY_CODE_GROUP_LENGTH
"""80 random bits in base 32: too many for a guess, so that they need no slow hash."""
RECOVERY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

MUST_HAVE_ONE = frozenset({Role.OPS, Role.AUDITOR})
"""Roles that need a second factor where REQUIRE_SECOND_FACTOR is set: they read or decide about all money."""


class SecondFactor(NamedTuple):
    """The second factor of a user; `secret` is encrypted, `step` is the current one by the database's clock."""

    user_id: str
    secret: bytes
    confirmed_at: datetime | None
    step: int
    recovery_codes_left: int


FIND = """
SELECT user_id::text, secret, confirmed_at, floor(extract(epoch FROM now()) / %(step_seconds)s)::bigint AS step,
       (SELECT count(*) FROM recovery_codes c WHERE c.user_id = f.user_id AND c.used_at IS NULL) AS recovery_codes_left
FROM second_factors f WHERE user_id = %(user)s
"""


def find(connection: Connection, user_id: str) -> SecondFactor | None:
    """The second factor of the user, confirmed or not; None if there is none."""
    found = record(SecondFactor, connection.exec_driver_sql(FIND, {"user": user_id, "step_seconds": STEP_SECONDS}))
    return found and found._replace(secret=bytes(found.secret))


def is_confirmed(connection: Connection, user_id: str) -> bool:
    """Whether the user must prove a second factor to sign in."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM second_factors WHERE user_id = %s AND confirmed_at IS NOT NULL)", (user_id,)
    ).scalar_one()


def enrol(connection: Connection, user_id: str, secret: bytes) -> bool:
    """Store an encrypted secret that does not count until it is confirmed; False if one is confirmed already."""
    begun = connection.exec_driver_sql(
        "INSERT INTO second_factors AS f (user_id, secret) VALUES (%s, %s)"
        " ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = now()"
        " WHERE f.confirmed_at IS NULL",
        (user_id, secret),
    )
    return begun.rowcount == 1


def use_step(connection: Connection, user_id: str, step: int) -> bool:
    """Use up the one-time password of this step and all older ones; False if it was used before.

    The first one confirms the second factor.
    """
    used = connection.exec_driver_sql(
        "UPDATE second_factors SET last_step = %(step)s, confirmed_at = coalesce(confirmed_at, now())"
        " WHERE user_id = %(user)s AND last_step < %(step)s",
        {"step": step, "user": user_id},
    )
    return used.rowcount == 1


def encrypt_again(connection: Connection, user_id: str, before: bytes, after: bytes) -> None:
    """Store the secret encrypted under a newer key."""
    connection.exec_driver_sql(
        "UPDATE second_factors SET secret = %s WHERE user_id = %s AND secret = %s", (after, user_id, before)
    )


HASHES = pg_arrays.Columns("code", "hash bytea")


def new_recovery_codes(connection: Connection, user_id: str) -> list[str]:
    """Replace the recovery codes of the user; the new ones, of which only the hashes are stored."""
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    connection.exec_driver_sql("DELETE FROM recovery_codes WHERE user_id = %s", (user_id,))
    connection.exec_driver_sql(
        f"INSERT INTO recovery_codes (user_id, hash) SELECT %(user)s, hash FROM {HASHES.unnest}",
        {"user": user_id, **HASHES.parameters(hash=map(hash_of, codes))},
    )
    return codes


def use_recovery_code(connection: Connection, user_id: str, code: str) -> bool:
    """Use up a recovery code; False if it is unknown or was used before."""
    used = connection.exec_driver_sql(
        "UPDATE recovery_codes SET used_at = now() WHERE user_id = %s AND hash = %s AND used_at IS NULL",
        (user_id, hash_of(code)),
    )
    return used.rowcount == 1


def remove(connection: Connection, user_id: str) -> bool:
    """Delete the user's second factor with its recovery codes; False if no confirmed one was there."""
    removed = connection.exec_driver_sql(
        "DELETE FROM second_factors WHERE user_id = %s RETURNING confirmed_at", (user_id,)
    ).first()
    return removed is not None and removed[0] is not None


def reset(connection: Connection, owner: User, actor: Actor, reason: str) -> bool:
    """Remove another user's second factor and end their sessions; False, and no change, if they have none."""
    user.lock(connection, owner.id)
    if not remove(connection, owner.id):
        return False
    ended = token.revoke(connection, owner.id, token.SESSION)
    audit.note(connection, actor, "second_factors.reset", owner.id, reason, after={"ended": ended})
    return True


def plain_code(text: str) -> str:
    """A recovery code as it is hashed: capitals, without hyphens and blanks."""
    return text.replace("-", "").replace(" ", "").upper()


def hash_of(code: str) -> bytes:
    """Hash that is stored of a recovery code, however it is written."""
    return hashlib.sha256(f"recovery {plain_code(code)}".encode()).digest()


def _new_code() -> str:
    groups = (
        "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_CODE_GROUP_LENGTH))
        for _ in range(RECOVERY_CODE_GROUPS)
    )
    return "-".join(groups)
