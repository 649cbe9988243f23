"""Users and their tokens: a token is shown once, and only its hash is kept."""

import hashlib
import secrets
import zlib
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

TOKEN_PREFIX = "pay_"  # noqa: S105 - what every token begins with
LAST_USED_SECONDS = 60
"""`last_used_at` is written at most so often."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_LENGTH = len(TOKEN_PREFIX) + 43 + 6
"""Prefix, 256 random bits in base 62, CRC-32 of both in base 62."""


class Role(StrEnum):
    """What a user may be."""

    CLIENT = "client"
    MERCHANT = "merchant"
    OPS = "ops"
    AUDITOR = "auditor"


class Bearer(NamedTuple):
    """Who came with a token; `scopes` None means all that the role has."""

    token_id: str
    user_id: str
    role: str
    is_active: bool
    scopes: frozenset[str] | None
    expires_at: datetime | None


def new_token() -> str:
    """A new token: prefix, 256 random bits, and a checksum by which a typing error is told without a look-up."""
    body = TOKEN_PREFIX + _base62(secrets.randbits(256), 43)
    return body + _base62(zlib.crc32(body.encode()), 6)


def is_well_formed(token: str) -> bool:
    """Whether the text may be a token at all: length, prefix and checksum."""
    if len(token) != TOKEN_LENGTH or not token.startswith(TOKEN_PREFIX) or not token.isascii():
        return False
    return _base62(zlib.crc32(token[:-6].encode()), 6) == token[-6:]


def token_hash(token: str) -> bytes:
    """What is kept of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def create(connection: Connection, id: str, email: str, role: Role, name: str) -> bool:
    """Create a user; False if the e-mail address is taken, in whatever case."""
    result = connection.exec_driver_sql(
        "INSERT INTO users (id, email, role, name) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (id, email, role.value, name),
    )
    return result.rowcount == 1


def id_of(connection: Connection, email: str) -> str | None:
    """The id of the user with this address, or None."""
    row = connection.exec_driver_sql("SELECT id::text FROM users WHERE lower(email) = lower(%s)", (email,)).first()
    return row[0] if row else None


def keep_token(
    connection: Connection,
    id: str,
    user_id: str,
    token: str,
    scopes: list[str] | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Keep the hash of a token, and what is shown of it."""
    connection.exec_driver_sql(
        "INSERT INTO tokens (id, user_id, hash, prefix, last4, scopes, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (id, user_id, token_hash(token), token[: len(TOKEN_PREFIX) + 4], token[-4:], scopes, expires_at),
    )


BEARER = """
SELECT t.id::text, u.id::text, u.role, u.is_active, t.scopes, t.expires_at,
       t.last_used_at IS NULL OR t.last_used_at < now() - make_interval(secs => %(last_used_seconds)s)
FROM tokens t JOIN users u ON u.id = t.user_id
WHERE t.hash = %(hash)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
"""


def bearer(connection: Connection, hash: bytes) -> Bearer | None:
    """Who holds the living token with this hash, or None; notes once a minute that it was used."""
    row = connection.exec_driver_sql(BEARER, {"hash": hash, "last_used_seconds": LAST_USED_SECONDS}).first()
    if row is None:
        return None
    if row[6]:
        connection.exec_driver_sql("UPDATE tokens SET last_used_at = now() WHERE id = %s", (row[0],))
    scopes = None if row[4] is None else frozenset(row[4])
    return Bearer(row[0], row[1], row[2], row[3], scopes, row[5])


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
