"""Stuck payments: finds those that did not become final by themselves, and makes them due again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.pause import IS_OVER
from models.records import records

RETRIES_MAX = 10_000
"""Payments of one selection: they are posted within seconds, and their list is read in one answer of the database."""

OLDEST_FIRST = Cursor(after="00000000-0000-0000-0000-000000000000")
"""From the beginning."""


STUCK_SECONDS_MAX = 10 * 366 * 24 * 3600
"""Ten years: older than any payment, and within the range of the database's dates."""


class StuckFilter(NamedTuple):
    """Selects parked payments; with `stuck_seconds` those not parked, paused or final this long after they were first
    due; with `undecided` those without an answer from the bank; with `is_of_all` payments in any state, to be listed
    by `payment_lookup.page`.

    Their age has no upper bound. The other fields narrow the selection; None and an empty tuple mean any. Errors and
    attempts of undecided payments are those at the bank. `wallet` is a token; `merchant_id` owns one of the two sides;
    `batch_id` is a batch of retries.
    """

    stuck_seconds: float | None = None
    types: Sequence[str] = ()
    currency: str | None = None
    undecided: bool = False
    is_of_all: bool = False
    states: Sequence[str] = ()
    failures: Sequence[str] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None
    attempts_min: int | None = None
    attempts_max: int | None = None
    error_prefix: str | None = None
    error_contains: str | None = None
    user_id: str | None = None
    merchant_id: str | None = None
    account_id: str | None = None
    wallet: str | None = None
    bulk_id: str | None = None
    batch_id: str | None = None
    ids: Sequence[str] | None = None

    @property
    def is_of_parked(self) -> bool:
        """Whether it selects parked payments."""
        return self.stuck_seconds is None and not self.undecided and not self.is_of_all

    def as_json(self) -> dict[str, object]:
        """The filter as the HTTP API takes it."""
        criterion = {"undecided": True} if self.undecided else {"stuck": self.stuck_seconds}
        members = {
            **({"parked": True} if self.is_of_parked else criterion),
            "type": ",".join(self.types) or None,
            "state": ",".join(self.states) or None,
            "failure": ",".join(self.failures) or None,
            "currency": self.currency,
            "created_from": self.created_from and self.created_from.isoformat(),
            "created_before": self.created_before and self.created_before.isoformat(),
            "attempts_min": self.attempts_min,
            "attempts_max": self.attempts_max,
            "error_prefix": self.error_prefix,
            "error_contains": self.error_contains,
            "user": self.user_id,
            "merchant": self.merchant_id,
            "account": self.account_id,
            "wallet": self.wallet,
            "bulk": self.bulk_id,
            "batch": self.batch_id,
            "ids": None if self.ids is None else list(self.ids),
        }
        return {name: value for name, value in members.items() if value is not None}


class StuckPayment(NamedTuple):
    """A payment that waits longer than it should, or was parked for a person; amount in minor units.

    Of `payment_lookup.page` it may be any; `due_at` is None then if it is due no more, or not yet known when.
    """

    id: str
    type: str
    user_id: str
    amount: int
    currency: str
    digits: int
    created_at: datetime
    due_at: datetime | None
    attempts: int
    last_error: str | None
    parked_at: datetime | None
    state: str
    failure_code: str | None


COLUMNS = """
SELECT id::text, type, user_id::text, amount, currency, (SELECT digits FROM currencies WHERE code = currency),
       created_at, due_at, attempts, last_error, parked_at, state, failure_code
"""

STUCK = f"{COLUMNS} FROM payments"

OPEN_CRITERIA = (
    "parked_at IS NOT NULL",
    "state = 'INITIATED' AND parked_at IS NULL",
    "state = 'AUTHORIZED' AND parked_at IS NULL",
)
"""Payments that are not final: each criterion has an index of its own."""

OPEN = f"{COLUMNS} FROM (SELECT * FROM payments WHERE {{criterion}} OFFSET 0) AS payments"
"""Payments of a criterion that an index of open payments answers, before other conditions (OFFSET 0): those may hold
for none of them, and a search in the order of ids would read all payments to find that out.
"""

PARKED = OPEN.format(criterion="parked_at IS NOT NULL")
NOT_PAUSED = "NOT EXISTS (SELECT FROM paused_payments s WHERE s.payment_id = payments.id)"
"""Payments that ops paused wait by design."""
WAITING = OPEN.format(criterion=f"state = 'INITIATED' AND parked_at IS NULL AND {NOT_PAUSED}")

UNTRIED_SECONDS = 60.0
"""Payouts are sent within seconds: a withdrawal that waits longer has no worker to send it."""

UNDECIDED = f"""
SELECT payments.id::text, type, user_id::text, amount, currency,
       (SELECT digits FROM currencies WHERE code = currency), created_at, i.due_at, i.attempts, i.last_error, parked_at,
       state, failure_code
FROM (
    SELECT payment_id, due_at, attempts, last_error FROM instructions
    WHERE due_at IS NOT NULL
      AND (last_error IS NOT NULL OR (due_at < now() - make_interval(secs => {UNTRIED_SECONDS}) AND NOT EXISTS (
          SELECT FROM pauses q
          WHERE q.rail = coalesce(instructions.rail, q.rail) AND q.released_at IS NULL AND NOT {IS_OVER})))
) AS i CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = i.payment_id OFFSET 0) AS payments
"""
"""Withdrawals on hold whose last try at the bank was undecided, with its answer, and those that no worker sends though
their rail is not paused; their attempts are those at the bank. OFFSET 0: each is looked up in its month."""

SIDE = "EXISTS (SELECT FROM accounts a WHERE a.id IN (source_id, target_id)"

REVIVABLE = "(state = 'INITIATED' OR (state = 'AUTHORIZED' AND parked_at IS NOT NULL))"
"""Payments that wait for the poster, and parked holds; other holds wait for their merchant or bank."""


def find(connection: Connection, which: StuckFilter, limit: int, at: Cursor = START) -> list[StuckPayment]:
    """Selected payments, newest first."""
    table = UNDECIDED if which.undecided else PARKED if which.is_of_parked else WAITING
    return keyset.page(connection, StuckPayment, table, _conditions(which), limit, at, key="payments.id")


def count(connection: Connection, which: StuckFilter, limit: int) -> int:
    """Number of selected payments, up to `limit`."""
    table = UNDECIDED if which.undecided else PARKED if which.is_of_parked else WAITING
    conditions = {sql: value for sql, value in _conditions(which).items() if value is not None and value != []}
    named = {f"filter_{number}": value for number, value in enumerate(conditions.values())}
    tests = [sql.replace("%s", f"%({name})s") for name, sql in zip(named, conditions, strict=True)]
    statement = f"SELECT count(*) FROM ({table} WHERE {keyset.all_of(tests)} LIMIT %(limit)s) AS found"
    number: int = connection.exec_driver_sql(statement, {**named, "limit": limit}).scalar_one()
    return number


def _conditions(which: StuckFilter) -> dict[str, object]:
    """Conditions besides the criterion, by their SQL, with the value of each."""
    tried = "i" if which.undecided else "payments"
    return {
        "state = 'AUTHORIZED' AND parked_at IS NULL": which.undecided or None,
        "coalesce(scheduled_at, created_at) <= now() - make_interval(secs => %s)": which.stuck_seconds,
        "created_at >= %s AND payments.id >= uuid_floor(%s - interval '1 day')": which.created_from,
        "created_at < %s AND payments.id < uuid_floor(%s + interval '1 day')": which.created_before,
        **errors(which, tried),
        **narrower(which, "payments", tried),
    }


def errors(which: StuckFilter, tried: str) -> dict[str, object]:
    """Conditions on the last error of the rows `tried`, as `narrower`."""
    return {
        f"starts_with({tried}.last_error, %s)": which.error_prefix,
        f"strpos({tried}.last_error, %s) > 0": which.error_contains,
    }


def narrower(which: StuckFilter, payments: str, tried: str) -> dict[str, object]:
    """Conditions on rows `payments`, and on the attempts of `tried`, by their SQL, with the value of each."""
    return {
        "currency = %s": which.currency,
        "type = ANY(%s)": list(which.types),
        "state = ANY(%s)": list(which.states),
        "failure_code = ANY(%s)": list(which.failures),
        f"{tried}.attempts >= %s": which.attempts_min,
        f"{tried}.attempts <= %s": which.attempts_max,
        "user_id = %s": which.user_id,
        f"{SIDE} AND a.owner_id = %s)": which.merchant_id,
        "%s IN (source_id, target_id)": which.account_id,
        f"{SIDE} AND a.token = %s)": which.wallet,
        "bulk_id = %s": which.bulk_id,
        f"{payments}.id IN (SELECT payment_id FROM batch_items WHERE batch_id = %s)": which.batch_id,
        f"{payments}.id = ANY(%s::uuid[])": None if which.ids is None else pg_arrays.plain(which.ids),
    }


def reset_for_retry(
    connection: Connection, ids: Iterable[str], selected_at: datetime | None = None, *, were_parked: bool = False
) -> list[StuckPayment]:
    """Make payments due, now or at their scheduled time, with all attempts again; returns them as they were before.

    With `selected_at` only those that have not moved on since then: `were_parked` says what they were.
    """
    is_as_selected = (
        "(parked_at IS NOT NULL) = %(were_parked)s AND coalesce(parked_at <= %(selected_at)s, TRUE)"
        if selected_at
        else "TRUE"
    )
    rows = connection.exec_driver_sql(
        "WITH before AS ("
        f"{STUCK} WHERE id = ANY(%(ids)s::uuid[]) AND {REVIVABLE} AND {is_as_selected}"
        " ORDER BY payments.id FOR NO KEY UPDATE"
        "), revived AS ("
        " UPDATE payments p SET attempts = 0, parked_at = NULL, due_at = greatest(now(), p.scheduled_at)"
        " FROM before WHERE p.id = before.id::uuid"
        "), instructed AS ("
        " UPDATE instructions i SET attempts = 0, due_at = now(), pending_at = NULL"
        " FROM before JOIN payments p ON p.id = before.id::uuid"
        " WHERE i.payment_id = before.id::uuid AND p.state = 'AUTHORIZED' AND i.answer IS NULL"
        ") SELECT * FROM before",
        {"ids": pg_arrays.plain(ids), "selected_at": selected_at, "were_parked": were_parked},
    )
    return records(StuckPayment, rows)


def open_among(connection: Connection, ids: Iterable[str]) -> list[StuckPayment]:
    """The payments among these that a retry would make due."""
    rows = connection.exec_driver_sql(
        f"{STUCK} WHERE id = ANY(%s::uuid[]) AND {REVIVABLE} ORDER BY payments.id",
        (pg_arrays.plain(ids),),
    )
    return records(StuckPayment, rows)
