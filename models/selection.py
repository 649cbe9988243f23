"""Selections: the payments that one of ops was shown, so that exactly these are retried; each is used once."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import payment_stuck, pg_arrays
from models.payment_stuck import OLDEST_FIRST, StuckFilter, StuckPayment

SHOWN_MAX = 20
"""Payments, and errors, that a selection shows: enough to recognise them."""

FORGOTTEN_MAX = 1_000
"""Old selections deleted by one statement."""


class Total(NamedTuple):
    """The payments of a currency and the sum of their amounts, in minor units."""

    currency: str
    digits: int
    number: int
    amount: int


class ErrorCount(NamedTuple):
    """The first line of an error, and how many of the payments failed with it last; None: they were not tried yet."""

    error: str | None
    number: int


class Selection(NamedTuple):
    """What was selected: how many payments, sums by currency, the most frequent errors, and the oldest payments.

    `id` is what names it to `batch.create`; it and `expires_at` are None if no payment was selected. `has_more`: there
    are more payments of the filter than the limit.
    """

    id: str | None
    expires_at: datetime | None
    number: int
    has_more: bool
    totals: list[Total]
    oldest_created_at: datetime | None
    errors: list[ErrorCount]
    payments: list[StuckPayment]


def select(connection: Connection, user_id: str | None, which: StuckFilter, limit: int) -> Selection:
    """Store which payments of the filter a user is shown, the oldest up to `limit`; without a user for the shell."""
    rows = payment_stuck.find(connection, which, limit + 1, OLDEST_FIRST)
    chosen = rows[:limit]
    id, expires_at = keep(connection, user_id, which, [row.id for row in chosen]) if chosen else (None, None)
    return Selection(
        id,
        expires_at,
        len(chosen),
        len(rows) > limit,
        _totals(chosen),
        min((row.created_at for row in chosen), default=None),
        [ErrorCount(*entry) for entry in Counter(_first_line(row.last_error) for row in chosen).most_common(SHOWN_MAX)],
        chosen[:SHOWN_MAX],
    )


def keep(
    connection: Connection, user_id: str | None, which: StuckFilter, payment_ids: Sequence[str]
) -> tuple[str, datetime]:
    """Store a selection of these payments; its id and when it expires."""
    id, expires_at = connection.exec_driver_sql(
        "INSERT INTO selections (user_id, filter, payment_ids) VALUES (%s, %s, %s) RETURNING id::text, expires_at",
        (user_id, json.dumps(which.as_json()), pg_arrays.plain(payment_ids)),
    ).one()
    return id, expires_at


def forget_old(connection: Connection) -> int:
    """Delete selections that expired more than a day ago and were not used; returns how many."""
    return connection.exec_driver_sql(
        "DELETE FROM selections WHERE id IN ("
        " SELECT id FROM selections s WHERE expires_at < now() - interval '2 days'"
        " AND NOT EXISTS (SELECT FROM batches WHERE selection_id = s.id) ORDER BY expires_at LIMIT %s)",
        (FORGOTTEN_MAX,),
    ).rowcount


def _totals(rows: Sequence[StuckPayment]) -> list[Total]:
    counts = Counter((row.currency, row.digits) for row in rows)
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row.currency] += row.amount
    return [Total(currency, digits, count, sums[currency]) for (currency, digits), count in sorted(counts.items())]


def _first_line(error: str | None) -> str | None:
    return error.partition("\n")[0] if error else None
