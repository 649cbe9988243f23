"""Accepts payments between wallets by one statement, which also finds the wallets by their tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.account import Party
from models.payment import NewPayment
from models.prepared_statement import PreparedStatement

NEW = pg_arrays.Columns(
    "new",
    "id uuid, type text, user_id uuid, source text, target text, amount numeric, currency text, key text,"
    " fingerprint bytea, summary text, metadata jsonb, capture boolean, scheduled_at timestamptz,"
    " expires_at timestamptz, request_id text",
)

WALLET = """
SELECT a.id, a.owner_id, a.currency, u.name, a.is_active AND u.is_active AS is_active
FROM accounts a JOIN users u ON u.id = a.owner_id
"""

MAY_PAY = """
    source_is_active AND target_is_active AND source_id <> target_id
    AND source_currency = currency AND target_currency = currency
    AND CASE type WHEN 'transfer' THEN source_owner_id = user_id
                  WHEN 'charge' THEN target_owner_id = user_id AND source_owner_id <> user_id END
"""

ACCEPT = PreparedStatement(
    "accept_between_wallets",
    f"""
WITH new AS MATERIALIZED (
    SELECT new.*, s.id AS source_id, s.owner_id AS source_owner_id, s.currency AS source_currency,
           s.name AS source_name, s.is_active AS source_is_active,
           t.id AS target_id, t.owner_id AS target_owner_id, t.currency AS target_currency,
           t.name AS target_name, t.is_active AS target_is_active
    FROM {NEW.unnest}
    LEFT JOIN LATERAL ({WALLET} WHERE a.token = new.source OFFSET 0) s ON true
    LEFT JOIN LATERAL ({WALLET} WHERE a.token = new.target OFFSET 0) t ON true
), kept AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id, request_id)
    SELECT user_id, key, fingerprint, id, request_id FROM new WHERE {MAY_PAY} ORDER BY new.user_id, new.key
    ON CONFLICT DO NOTHING
    RETURNING payment_id
), stored AS (
    INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, summary, metadata, capture,
                          scheduled_at, expires_at)
    SELECT id, type, user_id, source_id, target_id, amount, currency, summary, metadata, capture,
           scheduled_at, expires_at
    FROM new JOIN kept ON kept.payment_id = new.id
    RETURNING id, created_at
)
SELECT new.id::text, stored.created_at,
       source_id::text, source, source_owner_id::text, source_currency, source_name, source_is_active,
       target_id::text, target, target_owner_id::text, target_currency, target_name, target_is_active
FROM new LEFT JOIN stored ON stored.id = new.id
""",
)
"""OFFSET keeps each look-up of a wallet apart: as a join it would read all accounts, and the plan would be kept."""


class WalletPayment(NamedTuple):
    """The outcome of a request: its wallets, None for a token that is none, and created_at if it was stored."""

    source: Party | None
    target: Party | None
    created_at: datetime | None


def accept(
    connection: Connection, payments: Sequence[NewPayment], sources: Sequence[str], targets: Sequence[str]
) -> dict[str, WalletPayment]:
    """Store those of the payments that the users may order, with their keys; returns the outcome of each, by its id.

    `sources` and `targets` are tokens. A payment whose key is taken is not stored, as in `payment.accept`.
    """
    rows = ACCEPT.run(connection, **NEW.parameters(payments, source=sources, target=targets))
    return {id: WalletPayment(_party(row[:6]), _party(row[6:]), created_at) for id, created_at, *row in rows}


def _party(members: Sequence) -> Party | None:
    return None if members[0] is None else Party(*members)
