"""Stuck payments: finds those that did not become final by themselves, and makes them due again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.records import records

OLDEST_FIRST = Cursor(after="00000000-0000-0000-0000-000000000000")
"""From the beginning."""


STUCK_SECONDS_MAX = 10 * 366 * 24 * 3600
"""Ten years: older than any payment, and within the range of the database's dates."""


class StuckFilter(NamedTuple):
    """Selects parked payments; with `stuck_seconds` those not parked and not final this long after they were first due;
    with `undecided` those without an answer from the bank.

    Their age has no upper bound. `types` and `currency` narrow the selection; empty means any.
    """

    stuck_seconds: float | None = None
    types: Sequence[str] = ()
    currency: str | None = None
    undecided: bool = False


class StuckPayment(NamedTuple):
    """A payment that waits longer than it should, or was parked for a person; amount in minor units."""

    id: str
    type: str
    user_id: str
    amount: int
    currency: str
    digits: int
    created_at: datetime
    due_at: datetime
    attempts: int
    last_error: str | None
    parked_at: datetime | None


STUCK = """
SELECT id::text, type, user_id::text, amount, currency, (SELECT digits FROM currencies WHERE code = currency),
       created_at, due_at, attempts, last_error, parked_at
FROM payments
"""

UNTRIED_SECONDS = 60.0
"""Payouts are sent within seconds: a withdrawal that waits longer has no worker to send it."""

UNDECIDED = f"""
SELECT payments.id::text, type, user_id::text, amount, currency,
       (SELECT digits FROM currencies WHERE code = currency), created_at, i.due_at, i.attempts, i.last_error, parked_at
FROM payments JOIN (
    SELECT payment_id, due_at, attempts, last_error FROM instructions
    WHERE due_at IS NOT NULL
      AND (last_error IS NOT NULL OR due_at < now() - make_interval(secs => {UNTRIED_SECONDS}))
) AS i ON i.payment_id = payments.id
"""
"""Withdrawals on hold whose last try at the bank was undecided, with its answer, and those that no worker sends; their
attempts are those at the bank."""

REVIVABLE = "(state = 'INITIATED' OR (state = 'AUTHORIZED' AND parked_at IS NOT NULL))"
"""Payments that wait for the poster, and parked holds; other holds wait for their merchant or bank."""


def find(connection: Connection, which: StuckFilter, limit: int, at: Cursor = START) -> list[StuckPayment]:
    """Selected payments, newest first."""
    conditions: dict[str, object] = {"parked_at IS NOT NULL": True}
    if which.undecided:
        conditions = {"state = 'AUTHORIZED' AND parked_at IS NULL": True}
    elif which.stuck_seconds is not None:
        age = "coalesce(scheduled_at, created_at) <= now() - make_interval(secs => %s)"
        conditions = {"state = 'INITIATED' AND parked_at IS NULL": True, age: which.stuck_seconds}
    conditions |= {"currency = %s": which.currency, "type = ANY(%s)": list(which.types)}
    table = UNDECIDED if which.undecided else STUCK
    return keyset.page(connection, StuckPayment, table, conditions, limit, at, key="payments.id")


def reset_for_retry(connection: Connection, ids: Iterable[str]) -> list[StuckPayment]:
    """Make payments due, now or at their scheduled time, with all attempts again; returns them as they were before."""
    rows = connection.exec_driver_sql(
        "WITH before AS ("
        f"{STUCK} WHERE id = ANY(%s::uuid[]) AND {REVIVABLE} ORDER BY id FOR NO KEY UPDATE"
        "), revived AS ("
        " UPDATE payments p SET attempts = 0, parked_at = NULL, due_at = greatest(now(), p.scheduled_at)"
        " FROM before WHERE p.id = before.id::uuid"
        "), instructed AS ("
        " UPDATE instructions i SET attempts = 0, due_at = now(), pending_at = NULL"
        " FROM before JOIN payments p ON p.id = before.id::uuid"
        " WHERE i.payment_id = before.id::uuid AND p.state = 'AUTHORIZED' AND i.answer IS NULL"
        ") SELECT * FROM before",
        (pg_arrays.plain(ids),),
    )
    return records(StuckPayment, rows)


def open_among(connection: Connection, ids: Iterable[str]) -> list[StuckPayment]:
    """The payments among these that a retry would make due."""
    rows = connection.exec_driver_sql(
        f"{STUCK} WHERE id = ANY(%s::uuid[]) AND {REVIVABLE} ORDER BY payments.id",
        (pg_arrays.plain(ids),),
    )
    return records(StuckPayment, rows)
