"""A client's limits on merchants' charges to a wallet, the merchants they blocked, and those who charged it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.rules.charge_limits import Allowance, ChargeLimit, is_new_charge
from models.rules.types import ClaimedPayment, LockedAccount

LIMITS = """CASE WHEN a.is_limited THEN (
    SELECT json_agg(json_build_array(l.merchant_id, l.per_charge::text, l.per_day::text)
                    ORDER BY l.merchant_id NULLS FIRST)::text
    FROM charge_limits l WHERE l.account_id = a.id) END"""
BLOCKED = """CASE WHEN a.is_limited THEN (
    SELECT array_agg(b.merchant_id::text ORDER BY b.merchant_id)
    FROM blocked_merchants b WHERE b.account_id = a.id) END"""
"""Columns of an account `a`: its limits, for `limits_of`, and its blocked merchants."""


def limits_of(text: str | None) -> tuple[ChargeLimit, ...]:
    """Parse the limits of one account from column LIMITS."""
    return tuple(
        ChargeLimit(merchant_id, per_charge and int(per_charge), per_day and int(per_day))
        for merchant_id, per_charge, per_day in json.loads(text or "[]")
    )


LIMIT = pg_arrays.Columns("limits", "merchant_id uuid, per_charge numeric, per_day numeric")


def replace(connection: Connection, account_id: str, limits: Sequence[ChargeLimit], blocked: Iterable[str]) -> None:
    """Replace the account's limits and blocked merchants; lock the account before."""
    for table in ("charge_limits", "blocked_merchants"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE account_id = %s", (account_id,))
    connection.exec_driver_sql(
        "INSERT INTO charge_limits (account_id, merchant_id, per_charge, per_day)"
        f" SELECT %(account_id)s::uuid, * FROM {LIMIT.unnest}",
        {"account_id": account_id, **LIMIT.parameters(limits)},
    )
    connection.exec_driver_sql(
        "INSERT INTO blocked_merchants (account_id, merchant_id) SELECT %s::uuid, unnest(%s::uuid[])",
        (account_id, pg_arrays.plain(blocked)),
    )


ALLOWANCES = f"SELECT a.id::text, {LIMITS}, {BLOCKED} FROM accounts a WHERE a.id = ANY(%s::uuid[])"

DAY = timedelta(days=1)

DAILY_TOTALS = """
SELECT source_id::text, user_id::text, sum(amount)::text FROM (
    SELECT p.source_id, p.user_id, coalesce(p.captured_amount, p.amount) AS amount FROM payments p
    WHERE p.source_id = ANY(%(accounts)s::uuid[]) AND p.type = 'charge' AND p.state IN ('COMPLETED', 'AUTHORIZED')
      AND p.created_at >= %(start)s AND p.created_at < %(end)s
      AND p.id >= uuid_floor(%(start)s - interval '1 day') AND p.id < uuid_floor(%(end)s + interval '1 day')
      AND (p.scheduled_at IS NULL OR p.scheduled_at < %(end)s)
    UNION ALL
    SELECT p.source_id, p.user_id, coalesce(p.captured_amount, p.amount) FROM payments p
    WHERE p.source_id = ANY(%(accounts)s::uuid[]) AND p.type = 'charge' AND p.state IN ('COMPLETED', 'AUTHORIZED')
      AND p.scheduled_at >= %(start)s AND p.scheduled_at < %(end)s AND p.created_at < %(start)s
) AS charge GROUP BY source_id, user_id
"""
"""Sum per merchant that charges took or hold on a day: that of acceptance, or the later one they are scheduled for."""


def allowances(
    connection: Connection, payments: Iterable[ClaimedPayment], accounts: Mapping[str, LockedAccount]
) -> dict[str, Allowance]:
    """Allowances of the limited accounts that the payments charge, by account; no query if none is limited.

    The accounts are locked before, so the limits cannot change, and only the holder of the posting lock changes sums.
    """
    days = defaultdict(set)
    for payment in payments:
        source = accounts.get(payment.source_id)
        if source is not None and source.is_limited and is_new_charge(payment) and payment.day is not None:
            days[source.id].add(payment.day)
    if not days:
        return {}
    allowances = {
        id: Allowance(limits_of(limits), frozenset(blocked or ()))
        for id, limits, blocked in connection.exec_driver_sql(ALLOWANCES, (pg_arrays.plain(days),))
    }
    daily = {id for id, allowance in allowances.items() if any(limit.per_day is not None for limit in allowance.limits)}
    charged: dict[str, dict[tuple[date | None, str], int]] = defaultdict(dict)
    for day in sorted(set().union(*(days[id] for id in daily))):
        for account_id, merchant_id, amount in daily_totals(connection, daily, day):
            charged[account_id][day, merchant_id] = amount
    return {id: allowance._replace(charged=charged[id]) for id, allowance in allowances.items()}


def daily_totals(connection: Connection, account_ids: Iterable[str], day: date) -> list[tuple[str, str, int]]:
    """Sums that merchants took from the accounts on a day (UTC), as (account, merchant, minor units)."""
    start = datetime.combine(day, time.min, UTC)
    bounds = {"accounts": pg_arrays.plain(account_ids), "start": start, "end": start + DAY}
    rows = connection.exec_driver_sql(DAILY_TOTALS, bounds)
    return [(account_id, merchant_id, int(amount)) for account_id, merchant_id, amount in rows]


class ChargingMerchant(NamedTuple):
    """A merchant who charged a wallet; `id` is that of their newest charge, `total` the sum taken, in minor units.

    `charges` counts those that took or hold money.
    """

    id: str
    merchant_id: str
    name: str
    charges: int
    total: int
    last_charged_at: datetime
    is_blocked: bool


CHARGING_MERCHANTS = """
WITH newest AS (
    SELECT id, type, state, user_id, coalesce(captured_amount, amount) AS amount, created_at FROM payments
    WHERE source_id = %(account_id)s ORDER BY id DESC LIMIT %(payments)s
), charging AS (
    SELECT (array_agg(id ORDER BY id DESC))[1] AS id, user_id AS merchant_id,
           count(*) FILTER (WHERE has_taken) AS charges,
           coalesce(sum(amount) FILTER (WHERE has_taken), 0) AS total, max(created_at) AS last_charged_at
    FROM newest CROSS JOIN LATERAL (SELECT state IN ('COMPLETED', 'AUTHORIZED') AS has_taken) AS outcome
    WHERE type = 'charge' GROUP BY user_id
)
SELECT c.id::text, c.merchant_id::text, u.name, c.charges, c.total, c.last_charged_at,
       EXISTS (SELECT FROM blocked_merchants b WHERE b.account_id = %(account_id)s AND b.merchant_id = c.merchant_id)
           AS is_blocked
FROM charging c JOIN users u ON u.id = c.merchant_id
"""

PAYMENTS_MAX = 10_000
"""Newest payments of a wallet that are scanned for merchants, within some hundredths of a second."""


def merchants(connection: Connection, account_id: str, limit: int, at: Cursor = START) -> list[ChargingMerchant]:
    """Merchants who charged the account, by their newest charge, newest first."""
    named = {"account_id": account_id, "payments": PAYMENTS_MAX}
    return keyset.page(connection, ChargingMerchant, CHARGING_MERCHANTS, {}, limit, at, key="c.id", parameters=named)
