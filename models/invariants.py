"""The promises about money, asked of the books themselves: for tests, benchmarks, and a doubting person."""

from sqlalchemy import Connection

INVARIANTS = {
    "operations sum to zero per payment and currency": """
        SELECT payment_id, currency, sum(amount) FROM operations
        GROUP BY payment_id, currency HAVING sum(amount) <> 0""",
    "an account's balance is the sum of its operations": """
        SELECT a.id, a.balance, coalesce(o.total, 0) FROM accounts a
        LEFT JOIN (SELECT account_id, sum(amount) AS total FROM operations GROUP BY account_id) o ON o.account_id = a.id
        WHERE a.balance <> coalesce(o.total, 0)""",
    "an account's operations are dense, without gap or fork, up to last_seq": """
        SELECT a.id, a.last_seq, o.n, o.least, o.greatest FROM accounts a
        LEFT JOIN (SELECT account_id, count(*) AS n, count(DISTINCT account_seq) AS d, min(account_seq) AS least,
                          max(account_seq) AS greatest FROM operations GROUP BY account_id) o ON o.account_id = a.id
        WHERE a.last_seq <> coalesce(o.n, 0) OR o.n <> o.d OR o.least <> 1 OR o.greatest <> a.last_seq""",
    "each balance_after is the one before plus the amount": """
        SELECT payment_id, line FROM (
            SELECT payment_id, line, balance_after,
                   sum(amount) OVER (PARTITION BY account_id ORDER BY account_seq) AS running FROM operations) o
        WHERE balance_after <> running""",
    "no available balance is or ever was below its floor": """
        SELECT o.payment_id, o.line FROM operations o JOIN accounts a ON a.id = o.account_id
        WHERE o.balance_after < a.floor AND o.amount < 0""",
    "a payment has operations exactly when it COMPLETED": """
        SELECT p.id, p.state FROM payments p
        WHERE (p.state = 'COMPLETED') <> EXISTS (SELECT FROM operations o WHERE o.payment_id = p.id)""",
    "a completed payment moved its amount from its source to its target": """
        SELECT p.id FROM payments p LEFT JOIN (
            SELECT payment_id, array_agg((account_id, amount)::text ORDER BY line) AS moved FROM operations
            WHERE kind = 'transfer' GROUP BY payment_id) o ON o.payment_id = p.id
        WHERE p.state = 'COMPLETED' AND o.moved IS DISTINCT FROM
              ARRAY[(p.source_id, -p.amount)::text, (p.target_id, p.amount)::text]""",
    "every operation is of a payment": """
        SELECT o.payment_id FROM operations o WHERE NOT EXISTS (SELECT FROM payments p WHERE p.id = o.payment_id)""",
    "every operation is in its account's and its payment's currency": """
        SELECT o.payment_id, o.line FROM operations o LEFT JOIN accounts a ON a.id = o.account_id
        LEFT JOIN payments p ON p.id = o.payment_id
        WHERE a.currency IS DISTINCT FROM o.currency OR (o.kind <> 'exchange' AND p.currency <> o.currency)""",
    "every idempotency key names a payment, an account or a user that exists": """
        SELECT k.user_id, k.key FROM idempotency_keys k
        WHERE NOT EXISTS (SELECT FROM payments p WHERE p.id = k.payment_id)
          AND NOT EXISTS (SELECT FROM accounts a WHERE a.id = k.account_id)
          AND NOT (k.signed_up IS TRUE AND EXISTS (SELECT FROM users u WHERE u.id = k.user_id))""",
    "what the house gives comes from its internal account": """
        SELECT p.id FROM payments p LEFT JOIN accounts a ON a.id = p.source_id
        WHERE p.type = 'bonus' AND p.state = 'COMPLETED' AND a.code IS DISTINCT FROM 'internal'""",
    "every transition has its event": """
        SELECT p.id, p.state FROM payments p
        WHERE NOT EXISTS (SELECT FROM payment_events e WHERE e.payment_id = p.id AND e.version = 1)
           OR NOT EXISTS (SELECT FROM payment_events e
                          WHERE e.payment_id = p.id AND e.name = 'payment.' || lower(p.state))""",
    "every event is of a transition": """
        SELECT e.payment_id, e.version, e.name FROM payment_events e LEFT JOIN payments p ON p.id = e.payment_id
        WHERE p.id IS NULL OR e.version > p.version
           OR (e.name IN ('payment.completed', 'payment.failed') AND e.name <> 'payment.' || lower(p.state))""",
    "nothing is held without an open hold": "SELECT id, held FROM accounts WHERE held <> 0",
}
"""What must hold, to the query that finds what breaks it."""


def violations(connection: Connection) -> list[str]:
    """Each broken invariant with its first culprits; empty when the books are in order."""
    found = []
    for promise, query in INVARIANTS.items():
        rows = connection.exec_driver_sql(f"SELECT * FROM ({query}) AS broken LIMIT 5").all()
        if rows:
            found.append(f"{promise}: {[tuple(map(str, row)) for row in rows]}")
    return found
