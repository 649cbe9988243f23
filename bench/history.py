"""Years of payments in minutes: a consistent history written set-based by the owner, for `--long` and the pages.

The transfers go round: the k-th moves 1.00 from account k mod n to account k+1 mod n. So the balance and the
sequence number after each operation are known from k alone, and whole rounds leave every balance as it was.
Operations are chained in batches, as posters do it, and have been verified: see `bench/history_chain.py`.
"""

from datetime import timedelta

from sqlalchemy import Engine, text

from bench import history_chain
from bench.world import CURRENCY, DEPOSIT_MINOR, FINGERPRINT, TRANSFER_MINOR, World
from models import pg_arrays, posting_lock

CHUNK = 200_000
"""Payments per transaction."""

LINGER_MS = 32
"""What was accepted within so many milliseconds was posted together."""

FAILED_EVERY = 40
"""With failures, a charge that FAILED comes with each of so many transfers."""


def write(
    owner: Engine, world: World, payments: int, span: timedelta | None = None, *, with_failures: bool = False
) -> None:
    """Insert `payments` (rounded up to whole rounds) COMPLETED transfers, one a millisecond until now.

    With a span they are spread over that time, in ebb and flow, with the partitions that they need.
    The accounts must hold their deposits and nothing else: one operation each. The chain must have been begun by
    `history_chain.begin`.
    """
    accounts = len(world.accounts)
    total = -(-payments // accounts) * accounts
    ring = {
        "ids": pg_arrays.plain(account.id for account in world.accounts),
        "users": pg_arrays.plain(account.owner.id for account in world.accounts),
    }
    lasts = total if span is None else int(span.total_seconds() * 1000)
    with owner.begin() as connection:
        connection.execute(RING, ring)
        begun = connection.scalar(text("SELECT floor(extract(epoch FROM now()) * 1000)::bigint")) - lasts
        connection.execute(PARTITIONS, {"begun": begun})
    known = {
        "n": accounts,
        "begun": begun,
        "total": total,
        "lasts": lasts,
        "linger": LINGER_MS,
        "every": FAILED_EVERY,
        "currency": CURRENCY,
        "amount": TRANSFER_MINOR,
        "deposit": DEPOSIT_MINOR,
        "fingerprint": FINGERPRINT,
    }
    for first in range(0, total, CHUNK):
        with owner.begin() as connection:
            posting_lock.lead(connection)
            posting_lock.await_followers(connection)
            span = {"first": first, "last": min(first + CHUNK, total) - 1}
            connection.execute(MAKE_CHUNK, known | span)
            failures = (FAILURES,) if with_failures else ()
            for statement in (PAYMENTS, *failures, KEYS, OPERATIONS):
                connection.execute(statement, known)
            history_chain.extend(connection, connection.execute(BATCHES).all())
            history_chain.note_verified(connection)
    with owner.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS ring, chunk"))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


RING = text("""
    CREATE UNLOGGED TABLE ring AS
    SELECT place - 1 AS place, id, user_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:users AS uuid[])) WITH ORDINALITY AS account (id, user_id, place)
""")
PARTITIONS = text("""
    SELECT make_partition(parent, month AT TIME ZONE 'UTC')
    FROM generate_series(date_trunc('month', to_timestamp(:begun / 1000.0) AT TIME ZONE 'UTC'),
                         now() AT TIME ZONE 'UTC', interval '1 month') AS month,
         unnest(ARRAY['payments', 'operations']) AS parent
""")
# Where a span is longer than a millisecond a payment, k advances by waves, but never goes back.
MAKE_CHUNK = text("""
    DROP TABLE IF EXISTS chunk;
    CREATE UNLOGGED TABLE chunk AS
    SELECT k, k / :n AS lap, source.place AS source_place, source.id AS source_id, source.user_id,
           target.place AS target_place, target.id AS target_id, to_timestamp(moment / 1000.0) AS at,
           to_timestamp((moment / :linger + 1) * :linger / 1000.0) AS posted_at,
           (lpad(to_hex(moment), 12, '0') || '7' || substr(md5(k::text), 1, 3)
            || '8' || substr(md5(k::text), 4, 15))::uuid AS id
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS k
    CROSS JOIN LATERAL (SELECT 2 * pi() * k / :total AS turn) AS part
    CROSS JOIN LATERAL (
        SELECT CAST(:begun AS bigint) + CASE WHEN :lasts = :total THEN k
            ELSE floor((CAST(k AS double precision) / :total
                        + 0.016 * sin(4 * turn) + 0.002 * sin(23 * turn) + 0.0005 * sin(59 * turn)) * :lasts)::bigint
            END AS moment) AS clock
    JOIN ring source ON source.place = k % :n
    JOIN ring target ON target.place = (k + 1) % :n
""")
PAYMENTS = text("""
    INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency,
                          due_at, created_at, finalized_at)
    SELECT id, 'transfer', 'COMPLETED', user_id, source_id, target_id, :amount, :currency, at, at,
           posted_at + make_interval(secs => (3 + k % 7) / 1000.0)
    FROM chunk ORDER BY k
""")
FAILURES = text("""
    INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency,
                          due_at, created_at, finalized_at, failure_code)
    SELECT overlay(id::text PLACING '9' FROM 20 FOR 1)::uuid, 'transfer', 'FAILED', user_id, source_id, target_id,
           :amount, :currency, at, at, at + make_interval(secs => 0.02),
           CASE WHEN k % 3 = 0 THEN 'account_frozen' ELSE 'insufficient_funds' END
    FROM chunk WHERE k % :every = 0 ORDER BY k
""")
KEYS = text("""
    INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id)
    SELECT user_id, 'bench-' || id, :fingerprint, id FROM chunk ORDER BY k
""")
# Each account is credited, then debited, in every lap; only account 0 pays first. Its newest operation has its balance.
OPERATIONS = text("""
    WITH written AS (
        INSERT INTO operations (payment_id, line, account_id, amount, currency, kind,
                                balance_after, account_seq, created_at)
        SELECT id, 0, source_id, -CAST(:amount AS numeric), :currency, 'transfer',
               CASE WHEN source_place = 0 THEN CAST(:deposit AS numeric) - :amount ELSE :deposit END,
               2 * lap + CASE WHEN source_place = 0 THEN 2 ELSE 3 END, posted_at
        FROM chunk
        UNION ALL
        SELECT id, 1, target_id, :amount, :currency, 'transfer',
               CASE WHEN target_place = 0 THEN CAST(:deposit AS numeric) ELSE :deposit + :amount END,
               2 * lap + CASE WHEN target_place = 0 THEN 3 ELSE 2 END, posted_at
        FROM chunk
        ORDER BY 1, 2
        RETURNING account_id, account_seq, balance_after
    )
    UPDATE accounts a SET balance = newest.balance_after, last_seq = newest.account_seq
    FROM (SELECT DISTINCT ON (account_id) * FROM written ORDER BY account_id, account_seq DESC) AS newest
    WHERE a.id = newest.account_id
""")
BATCHES = text("SELECT posted_at, array_agg(id::text ORDER BY k) FROM chunk GROUP BY posted_at ORDER BY posted_at")
