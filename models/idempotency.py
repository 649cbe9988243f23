"""Idempotency keys: a key of a user identifies one request and what it created, as long as that exists."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.prepared_statement import PreparedStatement


class StoredKey(NamedTuple):
    """First use of a key: the fingerprint of the request, and the one object that it created."""

    fingerprint: bytes
    payment_id: str | None
    account_id: str | None
    signed_up: bool = False
    adjustment_id: str | None = None
    bulk_id: str | None = None


STORED_KEYS = PreparedStatement(
    "kept",
    """
SELECT k.user_id::text, k.key, k.fingerprint, k.payment_id::text, k.account_id::text, k.signed_up,
       k.adjustment_id::text, k.bulk_id::text
FROM unnest(%(users)s::uuid[], %(keys)s::text[]) AS wanted (user_id, key)
JOIN idempotency_keys k USING (user_id, key)
""",
)


def find(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], StoredKey]:
    """Stored uses of each (user id, key); keys never used are left out."""
    pairs = list(wanted)
    users, keys = pg_arrays.plain(user for user, _ in pairs), pg_arrays.quoted(key for _, key in pairs)
    rows = STORED_KEYS.run(connection, users=users, keys=keys)
    return {(row[0], row[1]): StoredKey(bytes(row[2]), row[3], row[4], bool(row[5]), row[6], row[7]) for row in rows}


def keep(
    connection: Connection,
    user_id: str,
    key: str,
    fingerprint: bytes,
    *,
    payment_id: str | None = None,
    account_id: str | None = None,
    adjustment_id: str | None = None,
) -> bool:
    """Store a key for the object about to be created, or the payment acted on; False if the key is taken."""
    result = connection.exec_driver_sql(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id, account_id, adjustment_id) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (user_id, key, fingerprint, payment_id, account_id, adjustment_id),
    )
    return result.rowcount == 1


def keep_sign_up(connection: Connection, user_id: str, key: str, fingerprint: bytes) -> None:
    """Store the key of a user's sign-up, their first."""
    connection.exec_driver_sql(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, signed_up) VALUES (%s, %s, %s, true)",
        (user_id, key, fingerprint),
    )
