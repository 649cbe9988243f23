"""Years of payments in minutes: a consistent history written set-based by the owner, for `--long`.

The transfers go round: the k-th moves 1.00 from account k mod n to account k+1 mod n. So the balance and the
sequence number after each operation are known from k alone, and whole rounds leave every balance as it was.
"""

from sqlalchemy import Engine, text

from bench.world import CURRENCY, DEPOSIT_MINOR, FINGERPRINT, TRANSFER_MINOR, World
from models import pg_arrays

CHUNK = 200_000
"""Payments per transaction."""


def write(owner: Engine, world: World, payments: int) -> None:
    """Insert `payments` (rounded up to whole rounds) COMPLETED transfers, one a millisecond until now.

    The accounts must hold their deposits and nothing else: one operation each.
    """
    accounts = len(world.accounts)
    total = -(-payments // accounts) * accounts
    ring = {
        "ids": pg_arrays.plain(account.id for account in world.accounts),
        "users": pg_arrays.plain(account.owner.id for account in world.accounts),
    }
    with owner.begin() as connection:
        connection.execute(RING, ring)
        begun = connection.scalar(text("SELECT floor(extract(epoch FROM now()) * 1000)::bigint")) - total
    known = {
        "n": accounts,
        "begun": begun,
        "currency": CURRENCY,
        "amount": TRANSFER_MINOR,
        "deposit": DEPOSIT_MINOR,
        "fingerprint": FINGERPRINT,
    }
    for first in range(0, total, CHUNK):
        with owner.begin() as connection:
            span = {"first": first, "last": min(first + CHUNK, total) - 1}
            connection.execute(MAKE_CHUNK, known | span)
            for statement in (PAYMENTS, KEYS, UNCHECKED, OPERATIONS, CHECKED):
                connection.execute(statement, known)
    with owner.begin() as connection:
        connection.execute(ACCOUNTS, {"steps": 2 * total // accounts})
        connection.execute(text("DROP TABLE IF EXISTS ring, chunk"))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


RING = text("""
    CREATE UNLOGGED TABLE ring AS
    SELECT place - 1 AS place, id, user_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:users AS uuid[])) WITH ORDINALITY AS account (id, user_id, place)
""")
MAKE_CHUNK = text("""
    DROP TABLE IF EXISTS chunk;
    CREATE UNLOGGED TABLE chunk AS
    SELECT k, k / :n AS lap, source.place AS source_place, source.id AS source_id, source.user_id,
           target.place AS target_place, target.id AS target_id, to_timestamp((:begun + k) / 1000.0) AS at,
           (lpad(to_hex(:begun + k), 12, '0') || '7' || substr(md5(k::text), 1, 3)
            || '8' || substr(md5(k::text), 4, 15))::uuid AS id
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS k
    JOIN ring source ON source.place = k % :n
    JOIN ring target ON target.place = (k + 1) % :n
""")
PAYMENTS = text("""
    INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency,
                          due_at, created_at, finalized_at)
    SELECT id, 'transfer', 'COMPLETED', user_id, source_id, target_id, :amount, :currency, at, at, at
    FROM chunk ORDER BY k
""")
KEYS = text("""
    INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id)
    SELECT user_id, 'bench-' || id, :fingerprint, id FROM chunk ORDER BY k
""")
# Operations lead to the balances of their accounts, which are written when all of them are.
UNCHECKED = text("ALTER TABLE operations DISABLE TRIGGER operations_sum_to_zero")
CHECKED = text("ALTER TABLE operations ENABLE TRIGGER operations_sum_to_zero")
# Each account is credited, then debited, in every lap; only account 0 pays first.
OPERATIONS = text("""
    INSERT INTO operations (payment_id, line, account_id, amount, currency, kind,
                            balance_after, account_seq, created_at)
    SELECT id, 0, source_id, -CAST(:amount AS numeric), :currency, 'transfer',
           CASE WHEN source_place = 0 THEN CAST(:deposit AS numeric) - :amount ELSE :deposit END,
           2 * lap + CASE WHEN source_place = 0 THEN 2 ELSE 3 END, at
    FROM chunk
    UNION ALL
    SELECT id, 1, target_id, :amount, :currency, 'transfer',
           CASE WHEN target_place = 0 THEN CAST(:deposit AS numeric) ELSE :deposit + :amount END,
           2 * lap + CASE WHEN target_place = 0 THEN 3 ELSE 2 END, at
    FROM chunk
    ORDER BY 1, 2
""")
ACCOUNTS = text("UPDATE accounts SET last_seq = last_seq + :steps WHERE id IN (SELECT id FROM ring)")
