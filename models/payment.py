"""Payments: the row is the queue. Accepting, claiming, postponing and reading them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import arrays
from models.rules.posting import Payment

LAST_ERROR_LENGTH_MAX = 500


class Wish(NamedTuple):
    """A payment as the gateway wishes it, not yet kept: ids as text, amount in minor units, metadata as JSON text."""

    id: str
    type: str
    user_id: str
    source_id: str
    target_id: str
    amount: int
    currency: str
    key: str
    fingerprint: bytes
    summary: str | None = None
    reference: str | None = None
    metadata: str | None = None


ACCEPT = """
WITH wish AS (
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(types)s::text[], %(user_ids)s::uuid[], %(source_ids)s::uuid[], %(target_ids)s::uuid[],
        %(amounts)s::numeric[], %(currencies)s::text[], %(keys)s::text[], %(fingerprints)s::bytea[],
        %(summaries)s::text[], %(references)s::text[], %(metadata)s::jsonb[]
    ) AS wish (id, type, user_id, source_id, target_id, amount, currency, key, fingerprint,
               summary, reference, metadata)
), kept AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id)
    SELECT user_id, key, fingerprint, id FROM wish ORDER BY user_id, key
    ON CONFLICT DO NOTHING
    RETURNING payment_id
)
INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, summary, reference, metadata)
SELECT id, type, user_id, source_id, target_id, amount, currency, summary, reference, metadata
FROM wish JOIN kept ON kept.payment_id = wish.id
RETURNING id, created_at
"""


def accept(connection: Connection, wishes: Sequence[Wish]) -> dict[str, datetime]:
    """Keep keys and payments in one statement; returns created_at by id of those that were new.

    One whose key was taken is not kept: read the key's payment with `idempotency.find` in a second statement,
    which sees what this one waited for. Keys must be distinct within the call.
    """
    rows = connection.exec_driver_sql(
        ACCEPT,
        {
            "ids": arrays.plain(w.id for w in wishes),
            "types": arrays.plain(w.type for w in wishes),
            "user_ids": arrays.plain(w.user_id for w in wishes),
            "source_ids": arrays.plain(w.source_id for w in wishes),
            "target_ids": arrays.plain(w.target_id for w in wishes),
            "amounts": arrays.plain(w.amount for w in wishes),
            "currencies": arrays.quoted(w.currency for w in wishes),
            "keys": arrays.quoted(w.key for w in wishes),
            "fingerprints": arrays.quoted("\\x" + w.fingerprint.hex() for w in wishes),
            "summaries": arrays.quoted(w.summary for w in wishes),
            "references": arrays.quoted(w.reference for w in wishes),
            "metadata": arrays.quoted(w.metadata for w in wishes),
        },
    )
    return {str(row[0]): row[1] for row in rows}


def keep_reference(connection: Connection, merchant_id: str, reference: str, payment_id: str) -> str | None:
    """Take a merchant's reference for a payment; returns the id of the payment that already has it, or None."""
    taken = connection.exec_driver_sql(
        "INSERT INTO payment_references (merchant_id, reference, payment_id) VALUES (%s, %s, %s) "
        "ON CONFLICT DO NOTHING RETURNING payment_id",
        (merchant_id, reference, payment_id),
    ).first()
    if taken is not None:
        return None
    return str(
        connection.exec_driver_sql(
            "SELECT payment_id FROM payment_references WHERE merchant_id = %s AND reference = %s",
            (merchant_id, reference),
        ).scalar_one()
    )


CLAIM = """
SELECT id::text, type, state, user_id::text, source_id::text, target_id::text, amount::text, currency
FROM payments
WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= statement_timestamp()
ORDER BY due_at, id
LIMIT %s
FOR NO KEY UPDATE SKIP LOCKED
"""


def claim(connection: Connection, limit: int) -> list[Payment]:
    """Lock up to `limit` due payments, oldest first, leaving out those that somebody else holds.

    Due by the time of the statement: the transaction may be older, having waited for its turn.
    """
    return [
        Payment(id, type, state, user_id, source_id, target_id, int(amount), currency)
        for id, type, state, user_id, source_id, target_id, amount, currency in connection.exec_driver_sql(
            CLAIM, (limit,)
        )
    ]


def states(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """State by id, of those that exist."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, state FROM payments WHERE id = ANY(%s::uuid[])", (arrays.plain(ids),)
    )
    return {row[0]: row[1] for row in rows}


POSTPONE = """
UPDATE payments SET
    attempts = %(attempts)s,
    last_error = %(error)s,
    due_at = now() + make_interval(secs => %(wait_seconds)s),
    parked_at = CASE WHEN %(park)s THEN now() END
WHERE id = %(id)s AND state = 'INITIATED' AND parked_at IS NULL AND attempts = %(attempts)s - 1
"""


def postpone(connection: Connection, id: str, attempts: int, error: str, wait_seconds: float, park: bool) -> bool:
    """Note a failed attempt: try again after `wait_seconds`, or park. False if the payment has moved on meanwhile."""
    result = connection.exec_driver_sql(
        POSTPONE,
        {
            "id": id,
            "attempts": attempts,
            "error": error[:LAST_ERROR_LENGTH_MAX],
            "wait_seconds": wait_seconds,
            "park": park,
        },
    )
    return result.rowcount == 1


def attempts(connection: Connection, id: str) -> int:
    """How many attempts to post the payment have failed."""
    return connection.exec_driver_sql("SELECT attempts FROM payments WHERE id = %s", (id,)).scalar_one()


def is_anything_due(connection: Connection) -> bool:
    """Whether a sweep would find work."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= now())"
    ).scalar_one()


def waiting(connection: Connection) -> tuple[int, float]:
    """How many payments are due, counted up to 10,000, and for how many seconds the oldest has been."""
    row = connection.exec_driver_sql(
        "SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0)::float FROM ("
        "SELECT due_at FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= now()"
        " ORDER BY due_at, id LIMIT 10000) AS due"
    ).one()
    return row[0], row[1]


def last_error(connection: Connection, id: str) -> str | None:
    """Why the newest attempt to post the payment failed; None once it is final."""
    return connection.exec_driver_sql("SELECT last_error FROM payments WHERE id = %s", (id,)).scalar_one()


def events(connection: Connection, id: str) -> list[dict[str, object]]:
    """What happened to the payment, oldest first: name, version, created_at."""
    rows = connection.exec_driver_sql(
        "SELECT name, version, created_at FROM payment_events WHERE payment_id = %s ORDER BY sequence", (id,)
    )
    return [dict(row) for row in rows.mappings()]
