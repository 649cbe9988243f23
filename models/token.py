"""Bearer tokens: sessions and API keys. Shown once; only the hash and the visible parts are stored."""

import hashlib
import secrets
import zlib
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, user
from models.keyset import START, Cursor
from models.prepared_statement import PreparedStatement
from models.records import record

PREFIX = "pay_"
CONFIRMATION_PREFIX = "cfm_"
"""Prefix of mailed tokens, which confirm something and give no access."""

SESSION, API_KEY = "session", "api_key"

LAST_USED_SECONDS = 60
"""`last_used_at` is written at most this often."""

ACTIVE_MAX = 100
"""Bound on sessions, and on API keys, of one user; one session more ends the oldest."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = len(PREFIX) + 43 + 6
"""Prefix, 256 random bits in base 62, CRC-32 of both in base 62."""

PATTERN, PATTERN_OF_CONFIRMATION = (
    f"^{prefix}[0-9A-Za-z]{{{LENGTH - len(PREFIX)}}}$" for prefix in (PREFIX, CONFIRMATION_PREFIX)
)
"""Patterns for the OpenAPI document."""


def new(prefix: str = PREFIX) -> str:
    """Generate a token: prefix, 256 random bits, and a checksum that detects typing errors without a look-up."""
    body = prefix + _base62(secrets.randbits(256), 43)
    return body + _base62(zlib.crc32(body.encode()), 6)


def is_well_formed(token: str, prefix: str = PREFIX) -> bool:
    """Whether the text has the length, prefix and checksum of a token."""
    if len(token) != LENGTH or not token.startswith(prefix) or not token.isascii():
        return False
    return _base62(zlib.crc32(token[:-6].encode()), 6) == token[-6:]


def hash_of(token: str) -> bytes:
    """Hash that is stored of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


SECOND_FACTOR_SECONDS = 600
"""For this long a session that proved the second factor may do what asks for it again: the length of one task."""


class Bearer(NamedTuple):
    """The user of a token; `scopes` None means all of the role's.

    Who acts for a merchant has their role, and is active and confirmed only if the merchant is, too.
    """

    token_id: str
    user_id: str
    role: str
    is_active: bool
    is_confirmed: bool
    scopes: frozenset[str] | None
    is_session: bool
    has_second_factor: bool
    has_recent_second_factor: bool
    merchant_id: str | None
    member_role: str | None = None


BEARER_TEXT = """
SELECT t.id::text, u.id::text, u.role, u.is_active, u.email_confirmed_at IS NOT NULL, t.scopes,
       t.kind = 'session', t.second_factor_at IS NOT NULL,
       coalesce(t.second_factor_at > now() - make_interval(secs => %(second_factor_seconds)s), false),
       t.merchant_id::text,
       (t.last_used_at IS NULL OR t.last_used_at < now() - make_interval(secs => %(last_used_seconds)s))
           AND NOT current_setting('transaction_read_only')::boolean
FROM tokens t JOIN users u ON u.id = t.user_id
WHERE t.hash = %(hash)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
  AND (t.idle_minutes IS NULL OR coalesce(t.last_used_at, t.created_at) > now() - make_interval(mins => t.idle_minutes))
"""
BEARER = PreparedStatement("bearer", BEARER_TEXT)

ACTING = """
SELECT m.role, o.is_active, o.email_confirmed_at IS NOT NULL
FROM memberships m JOIN users o ON o.id = m.merchant_id WHERE m.merchant_id = %s AND m.user_id = %s
"""
"""A statement of its own, so that the tokens of all others are looked up as fast as without members."""


def bearer(connection: Connection, hash: bytes) -> Bearer | None:
    """The user of the active token with this hash, or None; records once a minute that it was used."""
    seconds = {"last_used_seconds": LAST_USED_SECONDS, "second_factor_seconds": SECOND_FACTOR_SECONDS}
    rows = BEARER.run(connection, hash=hash, **seconds)
    if not rows:
        return None
    *members, is_use_to_be_noted = rows.one()
    bearer = Bearer(*members)
    if bearer.scopes is not None:
        bearer = bearer._replace(scopes=frozenset(bearer.scopes))
    if bearer.merchant_id is not None:
        acting = connection.exec_driver_sql(ACTING, (bearer.merchant_id, bearer.user_id)).first()
        if acting is None:
            return None
        role, is_active, is_confirmed = acting
        bearer = bearer._replace(
            role=user.Role.MERCHANT,
            member_role=role,
            is_active=bearer.is_active and is_active,
            is_confirmed=bearer.is_confirmed and is_confirmed,
        )
    if is_use_to_be_noted:
        connection.exec_driver_sql("UPDATE tokens SET last_used_at = now() WHERE id = %s", (bearer.token_id,))
    return bearer


class TokenRecord(NamedTuple):
    """A stored token as its owner sees it; `address` and `user_agent` are those of a session's login."""

    id: str
    name: str | None
    prefix: str
    last4: str
    scopes: list[str] | None
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None
    idle_minutes: int | None
    second_factor_at: datetime | None
    merchant_id: str | None


RECORDS = """
SELECT id::text, name, prefix, last4, scopes, address, user_agent, created_at, expires_at, last_used_at,
       replaced_by::text, idle_minutes, second_factor_at, merchant_id::text
FROM tokens
"""
ACTS_FOR = "coalesce(merchant_id, user_id)"
ACTIVE = (
    "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AND (idle_minutes IS NULL"
    " OR coalesce(last_used_at, created_at) > now() - make_interval(mins => idle_minutes))"
)


def keep(
    connection: Connection,
    id: str,
    user_id: str,
    token: str,
    scopes: list[str] | None = None,
    expires_at: datetime | None = None,
    name: str | None = None,
    merchant_id: str | None = None,
) -> None:
    """Store the hash and the visible parts of an API key, of a member for a merchant."""
    columns = {"id": id, "user_id": user_id, "hash": hash_of(token), "scopes": scopes, "expires_at": expires_at}
    columns |= zip(("prefix", "last4"), _visible_parts(token), strict=True)
    columns |= {"name": name} | ({"merchant_id": merchant_id} if merchant_id else {})
    connection.exec_driver_sql(
        f"INSERT INTO tokens ({', '.join(columns)}) VALUES ({', '.join(f'%({column})s' for column in columns)})",
        columns,
    )


def open_session(
    connection: Connection,
    id: str,
    user_id: str,
    token: str,
    hours: int,
    address: str | None,
    user_agent: str | None,
    idle_minutes: int | None = None,
    *,
    is_proved: bool = False,
    merchant_id: str | None = None,
) -> None:
    """Store the hash of a session's token, valid for `hours`; the oldest sessions beyond ACTIVE_MAX end.

    With `idle_minutes` it also ends when it was not used for that long. `is_proved`: the second factor was proved now.
    With `merchant_id` its user acts for the merchant.
    """
    connection.exec_driver_sql(
        "INSERT INTO tokens (id, user_id, kind, hash, prefix, last4, expires_at, address, user_agent, idle_minutes,"
        " second_factor_at, merchant_id) VALUES"
        " (%s, %s, %s, %s, %s, %s, now() + make_interval(hours => %s), %s, %s, %s, CASE WHEN %s THEN now() END, %s)",
        (
            *(id, user_id, SESSION, hash_of(token), *_visible_parts(token), hours, address, user_agent),
            *(idle_minutes, is_proved, merchant_id),
        ),
    )
    connection.exec_driver_sql(
        "UPDATE tokens SET revoked_at = now() WHERE id IN ("
        f"SELECT id FROM tokens WHERE user_id = %s AND kind = %s AND {ACTIVE}"
        " ORDER BY created_at DESC, id DESC OFFSET %s)",
        (user_id, SESSION, ACTIVE_MAX),
    )


def note_second_factor(connection: Connection, user_id: str, id: str) -> bool:
    """Record that the session proved the second factor now; False if it has ended."""
    noted = connection.exec_driver_sql(
        f"UPDATE tokens SET second_factor_at = now() WHERE id = %s AND user_id = %s AND kind = %s AND {ACTIVE}",
        (id, user_id, SESSION),
    )
    return noted.rowcount == 1


def find(connection: Connection, user_id: str, kind: str, id: str) -> TokenRecord | None:
    """An active token of the user, or None."""
    rows = connection.exec_driver_sql(
        f"{RECORDS} WHERE id = %s AND user_id = %s AND kind = %s AND {ACTIVE}", (id, user_id, kind)
    )
    return record(TokenRecord, rows)


def page(
    connection: Connection, user_id: str, kind: str, limit: int, at: Cursor = START, *, acts_for: str | None = None
) -> list[TokenRecord]:
    """A user's active tokens, newest first; `acts_for` is the id of a merchant, or their own."""
    conditions = {"user_id = %s": user_id, "kind = %s": kind, ACTIVE: True, f"{ACTS_FOR} = %s": acts_for}
    return keyset.page(connection, TokenRecord, RECORDS, conditions, limit, at, key="tokens.id")


def count_active(connection: Connection, user_id: str, kind: str) -> int:
    """Number of the user's active tokens of this kind; call `user.lock` first to decide by it."""
    return connection.exec_driver_sql(
        f"SELECT count(*) FROM tokens WHERE user_id = %s AND kind = %s AND {ACTIVE}", (user_id, kind)
    ).scalar_one()


def revoke(
    connection: Connection, user_id: str, kind: str, id: str | None = None, *, but: str | None = None
) -> list[str]:
    """End one active token of the user, or all of that kind (except `but`); returns the ids of those ended.

    The user is locked first, so that a token being created or replaced at the same time is seen, and ended.
    """
    user.lock(connection, user_id)
    rows = connection.exec_driver_sql(
        "UPDATE tokens SET revoked_at = now() WHERE user_id = %(user)s AND kind = %(kind)s"
        f" AND (%(id)s IS NULL OR id = %(id)s::uuid) AND id IS DISTINCT FROM %(but)s::uuid AND {ACTIVE}"
        " RETURNING id::text",
        {"user": user_id, "kind": kind, "id": id, "but": but},
    )
    return [row[0] for row in rows]


def revoke_for(connection: Connection, user_id: str, merchant_id: str) -> list[str]:
    """End the tokens with which the locked user acts for the merchant; returns their ids."""
    rows = connection.exec_driver_sql(
        f"UPDATE tokens SET revoked_at = now() WHERE user_id = %s AND {ACTS_FOR} = %s AND {ACTIVE} RETURNING id::text",
        (user_id, merchant_id),
    )
    return [row[0] for row in rows]


def replace(connection: Connection, user_id: str, id: str, successor: str, overlap_seconds: int) -> bool:
    """Let an active API key end after `overlap_seconds`, replaced by its successor, which the caller stores.

    False, and no change, if it has been replaced or ended already.
    """
    replaced = connection.exec_driver_sql(
        "UPDATE tokens SET replaced_by = %(successor)s,"
        " expires_at = least(expires_at, now() + make_interval(secs => %(overlap)s))"
        f" WHERE id = %(id)s AND user_id = %(user)s AND kind = %(kind)s AND replaced_by IS NULL AND {ACTIVE}",
        {"successor": successor, "overlap": overlap_seconds, "id": id, "user": user_id, "kind": API_KEY},
    )
    return replaced.rowcount == 1


def was_replaced(connection: Connection, user_id: str, id: str) -> bool:
    """Whether this is an API key of the user that has been replaced, active or not."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM tokens WHERE id = %s AND user_id = %s AND kind = %s AND replaced_by IS NOT NULL)",
        (id, user_id, API_KEY),
    ).scalar_one()


def _visible_parts(token: str) -> tuple[str, str]:
    return token[: len(PREFIX) + 4], token[-4:]


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
