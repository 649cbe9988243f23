"""What monitors ask of the database besides the health report: open payments, webhooks, breaches of the books.

Each count stops at a bound, so that a scrape costs the same on a large database.
"""

from typing import NamedTuple

from sqlalchemy import Connection

OPEN_MAX = 10_000
"""Payments counted by state: more than that is a backlog whatever the number."""

BACKLOG_MAX = 10_000

FAILING_MAX = 1_000

BREACHES_MAX = 1_000


class OpenWebhooks(NamedTuple):
    """Webhooks that are to be sent: how many, the age in seconds of the oldest event without and with deliveries, and
    how many endpoints fail. Those of failing endpoints count in `backlog` alone.
    """

    backlog: int
    oldest_event_seconds: float
    oldest_due_seconds: float
    endpoints_failing: int


OPEN_PAYMENTS = f"""
SELECT state, type, count(*) FROM (
    (SELECT state, type FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL
     ORDER BY due_at, id LIMIT {OPEN_MAX})
    UNION ALL
    (SELECT state, type FROM payments WHERE state = 'AUTHORIZED' AND parked_at IS NULL
     ORDER BY hold_expires_at, id LIMIT {OPEN_MAX})
) AS open GROUP BY state, type
"""

OPEN_WEBHOOKS = f"""
SELECT (SELECT count(*) FROM (
           SELECT FROM webhook_deliveries WHERE state = 'pending' LIMIT {BACKLOG_MAX}) AS waiting
       ) AS backlog,
       coalesce(extract(epoch FROM now() - (
           SELECT e.created_at FROM events e WHERE (e.xact, e.sequence) > (
               (SELECT xact FROM event_positions WHERE reader = 'webhooks'),
               (SELECT sequence FROM event_positions WHERE reader = 'webhooks'))
           ORDER BY e.xact, e.sequence LIMIT 1)), 0)::float AS oldest_event_seconds,
       greatest(coalesce(extract(epoch FROM now() - (
           SELECT min(next.next_attempt_at) FROM webhook_endpoints e
           JOIN users u ON u.id = e.user_id AND u.is_active CROSS JOIN LATERAL (
               SELECT next_attempt_at FROM webhook_deliveries WHERE endpoint_id = e.id AND state = 'pending'
               ORDER BY next_attempt_at LIMIT 1) AS next
           WHERE e.is_active AND e.failing_since IS NULL)), 0), 0)::float AS oldest_due_seconds,
       (SELECT count(*) FROM (
           SELECT FROM webhook_endpoints
           WHERE is_active AND failing_since IS NOT NULL AND deleted_at IS NULL LIMIT {FAILING_MAX}) AS failing
       ) AS endpoints_failing
"""

IMBALANCE = """
SELECT currency, sum(balance) AS total FROM accounts GROUP BY currency HAVING bool_or(balance <> 0) ORDER BY currency
"""


def open_payments(connection: Connection) -> dict[tuple[str, str], int]:
    """Payments that are not final nor parked, by state and type; each state counted up to OPEN_MAX."""
    rows = connection.exec_driver_sql(OPEN_PAYMENTS)
    return {(state, type): count for state, type, count in rows}


def open_webhooks(connection: Connection) -> OpenWebhooks:
    """Webhooks that are to be sent."""
    return OpenWebhooks(*connection.exec_driver_sql(OPEN_WEBHOOKS).one())


def open_breaches(connection: Connection) -> int:
    """Number of breaches of the books that are neither healed nor acknowledged, up to BREACHES_MAX."""
    count: int = connection.exec_driver_sql(
        "SELECT count(*) FROM (SELECT FROM breaches"
        f" WHERE healed_at IS NULL AND acknowledged_at IS NULL LIMIT {BREACHES_MAX}) AS open"
    ).scalar_one()
    return count


def imbalance(connection: Connection) -> dict[str, int]:
    """The sum of all balances of each currency in use, in minor units: 0 unless money was made or lost.

    Reads all accounts.
    """
    rows = connection.exec_driver_sql(IMBALANCE)
    return {row.currency: row.total for row in rows}
