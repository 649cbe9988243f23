"""Idempotency keys: a key of a user identifies one request and what it created, as long as that exists."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.prepared_statement import PreparedStatement


class StoredKey(NamedTuple):
    """First use of a key: the fingerprint of the request, and the id of the one object that it created.

    That is a payment, wallet, adjustment or bulk; of a sign-up the user.
    """

    fingerprint: bytes
    object_id: str


WANTED = pg_arrays.Columns("wanted", "user_id uuid, key text")

STORED_KEYS = PreparedStatement(
    "kept",
    f"""
SELECT k.user_id::text, k.key, k.fingerprint,
       coalesce(k.payment_id, k.account_id, k.adjustment_id, k.bulk_id, k.user_id)::text
FROM {WANTED.unnest}
JOIN idempotency_keys k USING (user_id, key)
""",
)


def find(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], StoredKey]:
    """Stored uses of each (user id, key); keys never used are left out."""
    pairs = list(wanted)
    parameters = WANTED.parameters(user_id=[user for user, _ in pairs], key=[key for _, key in pairs])
    rows = STORED_KEYS.run(connection, **parameters)
    return {(user_id, key): StoredKey(bytes(fingerprint), object_id) for user_id, key, fingerprint, object_id in rows}


def keep(
    connection: Connection,
    user_id: str,
    key: str,
    fingerprint: bytes,
    *,
    payment_id: str | None = None,
    account_id: str | None = None,
    adjustment_id: str | None = None,
    signed_up: bool | None = None,
    is_action: bool | None = None,
) -> bool:
    """Store a key for the object about to be created, the payment acted on, or a sign-up; False if it is taken."""
    result = connection.exec_driver_sql(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id, account_id, adjustment_id, signed_up,"
        " is_action) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (user_id, key, fingerprint, payment_id, account_id, adjustment_id, signed_up, is_action),
    )
    return result.rowcount == 1


class AcceptingRequest(NamedTuple):
    """The request that a payment was accepted by, and the quote that it used; without a key no client sent one."""

    idempotency_key: str | None = None
    request_id: str | None = None
    quote: str | None = None


ACCEPTED_BY = """
SELECT key, coalesce(request_id, replace(payment_id::text, '-', '')),
       (SELECT quote_id::text FROM payments WHERE id = %(id)s)
FROM idempotency_keys WHERE payment_id = %(id)s AND is_action IS NULL AND position(' ' IN key) = 0
"""
"""A Request-Id that the client did not choose is the payment's id; a key with a space is of the system itself."""


def accepted_by(connection: Connection, payment_id: str) -> AcceptingRequest:
    """The request that the payment was accepted by; a line of a bulk, and what the system orders, has none."""
    row = connection.exec_driver_sql(ACCEPTED_BY, {"id": payment_id}).first()
    return AcceptingRequest(*row) if row else AcceptingRequest()
