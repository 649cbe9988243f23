"""Invariants of the books as queries: for tests, benchmarks, and `flask books check`."""

from sqlalchemy import Connection

from models import imbalance, kept_sums
from models.archive import HORIZON, UNTIL

STEPS = """(
    SELECT payment_id, line, account_id, account_seq AS first_seq, account_seq AS last_seq, amount, balance_after
    FROM operations
    UNION ALL SELECT account_id, 0, account_id, first_seq, last_seq, balance_after - balance_before, balance_after
    FROM archived_runs)"""
"""What changed balances: operations, and runs of those that are archived."""

INVARIANTS = {
    "operations sum to zero per payment and currency": """
        SELECT payment_id, currency, sum(amount) FROM operations
        GROUP BY payment_id, currency HAVING sum(amount) <> 0""",
    "an account's balance is the sum of its operations": f"""
        SELECT a.id, a.balance, coalesce(o.total, 0) FROM accounts a
        LEFT JOIN (SELECT account_id, sum(amount) AS total FROM {STEPS} s GROUP BY account_id) o ON o.account_id = a.id
        WHERE a.balance <> coalesce(o.total, 0)""",
    imbalance.INVARIANT: """
        SELECT currency, sum(balance) FROM accounts GROUP BY currency HAVING sum(balance) <> 0""",
    "an account's operations are dense, without gap or fork, up to last_seq": f"""
        SELECT a.id, a.last_seq, o.n, o.least, o.greatest FROM accounts a
        LEFT JOIN (SELECT account_id, sum(last_seq - first_seq + 1) AS n, count(*) AS rows,
                          count(DISTINCT first_seq) AS d, min(first_seq) AS least, max(last_seq) AS greatest
                   FROM {STEPS} s GROUP BY account_id) o ON o.account_id = a.id
        WHERE a.last_seq <> coalesce(o.n, 0) OR o.rows <> o.d OR o.least <> 1 OR o.greatest <> a.last_seq""",
    "each balance_after is the one before plus the amount": f"""
        SELECT payment_id, line FROM (
            SELECT payment_id, line, balance_after,
                   sum(amount) OVER (PARTITION BY account_id ORDER BY first_seq) AS running FROM {STEPS} s) o
        WHERE balance_after <> running""",
    "no available balance is or ever was below its floor": """
        SELECT o.payment_id, o.line FROM operations o JOIN accounts a ON a.id = o.account_id
        WHERE o.balance_after < a.floor AND o.amount < 0""",
    "a payment has operations exactly when it COMPLETED": """
        SELECT p.id, p.state FROM payments p
        WHERE (p.state = 'COMPLETED') <> EXISTS (SELECT FROM operations o WHERE o.payment_id = p.id)""",
    "a completed payment moved its amount, or what was captured of it, from its source to its target": """
        SELECT p.id FROM payments p LEFT JOIN (
            SELECT payment_id, array_agg((account_id, amount)::text ORDER BY line) AS moved FROM operations
            WHERE kind = 'transfer' GROUP BY payment_id) o ON o.payment_id = p.id
        CROSS JOIN LATERAL (SELECT coalesce(p.captured_amount, p.amount)
                            - CASE WHEN p.type IN ('charge', 'refund') THEN 0 ELSE p.commission END AS moved) m
        WHERE p.state = 'COMPLETED' AND p.quote_id IS NULL AND o.moved IS DISTINCT FROM
              ARRAY[(p.source_id, -m.moved)::text, (p.target_id, m.moved)::text]""",
    "a completed payment by quote moved through the exchange accounts of both its currencies, and no other did": """
        SELECT p.id FROM payments p LEFT JOIN (
            SELECT payment_id, array_agg((account_id, amount, currency)::text ORDER BY line) AS moved FROM operations
            WHERE kind = 'exchange' GROUP BY payment_id) o ON o.payment_id = p.id
        LEFT JOIN accounts s ON s.code = 'exchange' AND s.currency = p.currency
        LEFT JOIN accounts t ON t.code = 'exchange' AND t.currency = p.target_currency
        WHERE p.state = 'COMPLETED' AND o.moved IS DISTINCT FROM CASE WHEN p.quote_id IS NOT NULL THEN
            ARRAY[(p.source_id, p.commission - p.amount, p.currency)::text,
                  (s.id, p.amount - p.commission, p.currency)::text,
                  (t.id, -p.target_amount, p.target_currency)::text,
                  (p.target_id, p.target_amount, p.target_currency)::text] END""",
    "a completed payment by quote is what was quoted, and one quote serves one payment": """
        SELECT p.id, p.quote_id FROM payments p LEFT JOIN quotes q ON q.id = p.quote_id
        JOIN accounts s ON s.id = p.source_id JOIN accounts t ON t.id = p.target_id
        WHERE p.quote_id IS NOT NULL AND p.state = 'COMPLETED' AND
              ((p.id, p.user_id, p.currency, p.target_currency, p.rate)
               IS DISTINCT FROM (q.payment_id, q.user_id, q.source_currency, q.target_currency, q.rate)
               OR ARRAY[p.amount, p.target_amount, p.commission] IS DISTINCT FROM
                  CASE WHEN s.owner_id = t.owner_id THEN ARRAY[q.source_amount, q.target_amount, q.commission]
                       ELSE ARRAY[q.transfer_source_amount, q.transfer_target_amount, q.transfer_commission] END)""",
    "a completed payment's commission went from who bears it to us, or came back with a refund": """
        SELECT p.id FROM payments p LEFT JOIN (
            SELECT payment_id, array_agg((account_id, amount)::text ORDER BY amount) AS moved FROM operations
            WHERE kind = 'commission' GROUP BY payment_id) o ON o.payment_id = p.id
        LEFT JOIN accounts c ON c.code = 'commission' AND c.currency = p.currency
        WHERE p.state = 'COMPLETED' AND o.moved IS DISTINCT FROM CASE
            WHEN p.commission = 0 THEN NULL
            WHEN p.type = 'refund' THEN ARRAY[(c.id, -p.commission)::text, (p.source_id, p.commission)::text]
            ELSE ARRAY[(CASE p.type WHEN 'charge' THEN p.target_id ELSE p.source_id END, -p.commission)::text,
                       (c.id, p.commission)::text] END""",
    "no charge is refunded beyond what was captured, and of no withdrawal returns more than the bank was told": """
        SELECT c.id FROM payments c JOIN payments r ON r.parent_id = c.id AND r.state = 'COMPLETED'
        GROUP BY c.id, c.state, c.captured_amount, c.amount, c.commission, c.type
        HAVING c.state <> 'COMPLETED' OR sum(r.amount) > coalesce(c.captured_amount, c.amount)
            - CASE c.type WHEN 'withdrawal' THEN c.commission ELSE 0 END""",
    "what was given back of a payment is counted beside it, with what was taken of it": f"""
        SELECT coalesce(t.payment_id, r.parent_id), t.refunded, r.refunded, t.captured FROM refund_totals t
        FULL JOIN (SELECT parent_id, sum(amount) AS refunded FROM payments
                   WHERE parent_id IS NOT NULL AND state = 'COMPLETED' GROUP BY parent_id) r
            ON r.parent_id = t.payment_id
        LEFT JOIN payments p ON p.id = t.payment_id
        WHERE (t.refunded, t.captured) IS DISTINCT FROM (r.refunded, CASE p.type
            WHEN 'withdrawal' THEN p.amount - p.commission
            WHEN 'charge' THEN coalesce(p.captured_amount, p.amount) END)
          AND coalesce(t.payment_id, r.parent_id) >= {HORIZON}""",
    "every refund and return is listed with what it gives back": """
        SELECT p.id FROM payments p WHERE p.parent_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM payment_children c WHERE (c.parent_id, c.child_id) = (p.parent_id, p.id))""",
    "what a bank was told of ended as it answered, and not before": """
        SELECT p.id, p.state, i.answer FROM payments p JOIN instructions i ON i.payment_id = p.id
        WHERE (p.state = 'COMPLETED' AND i.answer IS DISTINCT FROM 'confirmed')
           OR (p.state = 'FAILED' AND i.answer = 'confirmed')
           OR (p.state = 'FAILED' AND i.submitted_at IS NOT NULL AND i.answer IS DISTINCT FROM 'rejected')
           OR (p.state <> 'AUTHORIZED' AND i.due_at IS NOT NULL)""",
    "what came back from a bank is a return of its own": """
        SELECT p.id FROM payments p LEFT JOIN returns r ON r.payment_id = p.id
        WHERE p.type = 'return' AND r.parent_id IS DISTINCT FROM p.parent_id""",
    "a bulk's counts are those of its lines": f"""
        SELECT b.id FROM bulks b LEFT JOIN payments p ON p.bulk_id = b.id
        WHERE b.id >= uuid_floor({UNTIL} + interval '1 day') GROUP BY b.id
        HAVING (b.lines, b.authorized, b.completed, b.failed, b.total) <>
            (count(p.id), count(p.id) FILTER (WHERE p.state = 'AUTHORIZED'),
             count(p.id) FILTER (WHERE p.state = 'COMPLETED'), count(p.id) FILTER (WHERE p.state = 'FAILED'),
             coalesce(sum(p.amount), 0))""",
    "an atomic bulk is held or refused as a whole": f"""
        SELECT b.id FROM bulks b LEFT JOIN payments p ON p.bulk_id = b.id WHERE b.mode = 'atomic'
          AND b.id >= uuid_floor({UNTIL} + interval '1 day')
        GROUP BY b.id, b.is_decided, b.held, b.failure_code
        HAVING b.held <> CASE WHEN b.is_decided AND b.failure_code IS NULL
                              THEN coalesce(sum(p.amount) FILTER (WHERE p.state = 'INITIATED'), 0) ELSE 0 END
            OR (b.failure_code IS NOT NULL AND count(*) FILTER (WHERE p.state IN ('AUTHORIZED', 'COMPLETED')) > 0)""",
    "every operation is of a payment": """
        SELECT o.payment_id FROM operations o WHERE NOT EXISTS (SELECT FROM payments p WHERE p.id = o.payment_id)""",
    "every operation is in its account's and its payment's currency": """
        SELECT o.payment_id, o.line FROM operations o LEFT JOIN accounts a ON a.id = o.account_id
        LEFT JOIN payments p ON p.id = o.payment_id
        WHERE a.currency IS DISTINCT FROM o.currency OR (p.currency <> o.currency
                  AND (o.kind <> 'exchange' OR p.target_currency IS DISTINCT FROM o.currency))""",
    "every idempotency key names a payment, an account, an adjustment, a bulk or a user that exists": f"""
        SELECT k.user_id, k.key FROM idempotency_keys k
        WHERE (k.payment_id < {HORIZON}) IS NOT TRUE AND NOT EXISTS (SELECT FROM payments p WHERE p.id = k.payment_id)
          AND NOT EXISTS (SELECT FROM accounts a WHERE a.id = k.account_id)
          AND NOT EXISTS (SELECT FROM adjustments a WHERE a.id = k.adjustment_id)
          AND NOT EXISTS (SELECT FROM bulks b WHERE b.id = k.bulk_id)
          AND NOT (k.signed_up IS TRUE AND EXISTS (SELECT FROM users u WHERE u.id = k.user_id))""",
    "a reference names one payment of its merchant's that did not fail": """
        SELECT p.id, p.reference, r.payment_id FROM payments p
        LEFT JOIN payment_references r ON (r.merchant_id, r.reference) = (p.user_id, p.reference)
        WHERE p.reference IS NOT NULL AND p.state <> 'FAILED' AND r.payment_id IS DISTINCT FROM p.id""",
    "what the house gives comes from its internal account": """
        SELECT p.id FROM payments p LEFT JOIN accounts a ON a.id = p.source_id
        WHERE p.type = 'bonus' AND p.state = 'COMPLETED' AND a.code IS DISTINCT FROM 'internal'""",
    "an adjustment is what two of ops agreed on": """
        SELECT p.id FROM payments p WHERE p.type = 'adjustment' AND p.state = 'COMPLETED' AND NOT EXISTS (
            SELECT FROM adjustments a JOIN accounts i ON i.code = 'internal' AND i.currency = a.currency
            WHERE a.payment_id = p.id AND a.approved_at IS NOT NULL AND a.approved_by IS DISTINCT FROM a.proposed_by
              AND coalesce(a.approved_by, a.proposed_by) = p.user_id
              AND (a.amount, a.currency) = (p.amount, p.currency)
              AND p.source_id = CASE a.direction WHEN 'credit' THEN i.id ELSE a.account_id END
              AND p.target_id = CASE a.direction WHEN 'credit' THEN a.account_id ELSE i.id END)""",
    "every transition has its event": """
        SELECT p.id, p.state FROM payments p
        WHERE NOT EXISTS (SELECT FROM events e WHERE e.subject_id = p.id AND e.version = 1 AND e.name <> 'ping')
           OR NOT EXISTS (SELECT FROM events e WHERE e.subject_id = p.id AND e.name = 'payment.' || lower(p.state)
                                                 AND e.name <> 'ping')""",
    "every event is of a transition": f"""
        SELECT e.subject_id, e.version, e.name FROM events e
        LEFT JOIN payments p ON p.id = e.subject_id AND starts_with(e.name, 'payment.')
        LEFT JOIN bulks b ON b.id = e.subject_id AND starts_with(e.name, 'bulk.')
        LEFT JOIN webhook_endpoints w ON w.id = e.subject_id AND e.name IN ('webhook_endpoint.disabled', 'ping')
        WHERE (num_nonnulls(p.id, b.id, w.id) <> 1 OR e.version > coalesce(p.version, b.version, w.version + w.pings)
           OR (e.name IN ('payment.completed', 'payment.failed') AND e.name <> 'payment.' || lower(p.state))
           OR e.name <> 'bulk.' || lower(b.state))
          AND NOT (starts_with(e.name, 'payment.') AND e.subject_id < {HORIZON})""",
    "every bulk that is final has its event": """
        SELECT b.id, b.state FROM bulks b WHERE b.state <> 'INITIATED' AND NOT EXISTS (
            SELECT FROM events e
            WHERE e.subject_id = b.id AND e.name = 'bulk.' || lower(b.state) AND e.name <> 'ping')""",
    "every event names whom it concerns": """
        SELECT e.subject_id, e.name FROM events e JOIN payments p ON p.id = e.subject_id
        LEFT JOIN accounts s ON s.id = p.source_id LEFT JOIN accounts t ON t.id = p.target_id
        WHERE e.user_id IS DISTINCT FROM p.user_id
           OR s.owner_id <> ALL (array_remove(ARRAY[e.user_id, e.payer_id], NULL))
           OR t.owner_id <> ALL (array_remove(ARRAY[e.user_id, e.payer_id, e.payee_id], NULL))""",
    "what is summed up of a merchant's wallet is what its operations come to": kept_sums.MERCHANTS.violations,
    "what is counted of final payments is what there is": kept_sums.COUNTS.violations,
    "what is summed up of final payments is what there is": kept_sums.PAYMENTS.violations,
    "what is summed up of operations is what there is": kept_sums.MOVEMENTS.violations,
    "what is held of an account is the sum of its open holds": """
        SELECT a.id, a.held, h.total FROM accounts a LEFT JOIN (
            SELECT source_id, sum(amount) AS total FROM (
                SELECT source_id, amount FROM payments WHERE state = 'AUTHORIZED'
                UNION ALL SELECT source_id, held FROM bulks) holds GROUP BY source_id
        ) h ON h.source_id = a.id
        WHERE a.held <> coalesce(h.total, 0)""",
}
"""Each invariant, with the query that finds its violations."""


CULPRITS_MAX = 5
"""Rows that `violations` returns per invariant."""

CHECKED = ("payments", "operations", "accounts")
"""Tables whose sizes are reported with a check."""


def violations(connection: Connection) -> list[str]:
    """Each broken invariant with its first violations; empty when the books are in order."""
    by_name = {name: broken(connection, name, CULPRITS_MAX) for name in INVARIANTS}
    return [f"{name}: {[tuple(row.values()) for row in rows]}" for name, rows in by_name.items() if rows]


def read_one_moment(connection: Connection, statement_seconds_max: int) -> None:
    """Make this new transaction read-only on a single snapshot, with its own statement time-out."""
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{statement_seconds_max:d}s'")


def broken(connection: Connection, name: str, limit: int) -> list[dict[str, str | None]]:
    """The first rows that break the invariant of this name, as texts by column."""
    result = connection.exec_driver_sql(f"SELECT * FROM ({INVARIANTS[name]}) AS broken LIMIT {limit:d}")
    columns = list(result.keys())
    return [
        {column: None if value is None else str(value) for column, value in zip(columns, row, strict=True)}
        for row in result
    ]


def sizes(connection: Connection) -> dict[str, int]:
    """Number of rows to check, by table."""
    return {table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in CHECKED}
