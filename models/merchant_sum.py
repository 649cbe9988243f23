"""What charges brought merchants, summed up behind the posters: for each wallet by the quarter of an hour.

Operations are only ever added, and numbered without gaps: the sums of those up to a number never change.
"""

from sqlalchemy import Connection

PAGE = 5_000
"""Operations summed by one statement, in some hundredths of a second."""

BEHIND_MAX = 100
"""Wallets named at once."""

TAKINGS = """
SELECT o.created_at,
       CASE WHEN o.kind <> 'commission' AND p.type = 'charge' THEN o.amount ELSE 0 END AS gross,
       CASE WHEN o.kind = 'commission' THEN -o.amount ELSE 0 END AS commission,
       CASE WHEN o.kind <> 'commission' AND p.type = 'refund' THEN -o.amount ELSE 0 END AS refunds
FROM (
    SELECT payment_id, kind, amount, created_at FROM operations
    WHERE account_id = %(account_id)s AND account_seq > %(low)s AND account_seq <= %(high)s OFFSET 0
) AS o CROSS JOIN LATERAL (
    SELECT type FROM payments
    WHERE id = o.payment_id AND user_id = %(merchant_id)s AND type IN ('charge', 'refund') OFFSET 0
) AS p
"""
"""What each operation on a merchant's wallet adds to the sums: those of their own charges and refunds. OFFSET 0: each
payment is looked up in its month alone."""

BEHIND = f"""
SELECT s.account_id::text FROM merchant_sum_positions s JOIN accounts a ON a.id = s.account_id
WHERE a.last_seq > s.account_seq ORDER BY s.account_id LIMIT {BEHIND_MAX}
"""


def behind(connection: Connection) -> list[str]:
    """Some wallets of merchants with operations that are not summed up."""
    return [row[0] for row in connection.exec_driver_sql(BEHIND)]


NEXT = f"""
SELECT s.account_seq AS low, least(s.account_seq + {PAGE}, a.last_seq) AS high, a.owner_id::text AS merchant_id
FROM merchant_sum_positions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = %s ORDER BY a.id FOR NO KEY UPDATE OF s
"""

ADD = f"""
INSERT INTO merchant_sums AS kept (account_id, quarter, gross, commission, refunds)
SELECT %(account_id)s, date_bin('15 minutes', created_at, '2000-01-01T00:00:00Z') AS quarter,
       sum(gross), sum(commission), sum(refunds)
FROM ({TAKINGS}) AS takings GROUP BY quarter
ON CONFLICT (account_id, quarter) DO UPDATE
SET gross = kept.gross + excluded.gross, commission = kept.commission + excluded.commission,
    refunds = kept.refunds + excluded.refunds
"""


def add(connection: Connection, account_id: str) -> None:
    """Add the next PAGE operations of the wallet to its sums."""
    low, high, merchant_id = connection.exec_driver_sql(NEXT, (account_id,)).one()
    if high <= low:
        return  # another worker was faster
    page = {"account_id": account_id, "low": low, "high": high, "merchant_id": merchant_id}
    connection.exec_driver_sql(ADD, page)
    connection.exec_driver_sql(
        "UPDATE merchant_sum_positions SET account_seq = %s WHERE account_id = %s", (high, account_id)
    )
