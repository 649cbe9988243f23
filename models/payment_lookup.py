"""Payments in any state, by the filters of stuck ones: found by an index, and tested on a bounded number of rows."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from models import payment_stuck, pg_arrays
from models.keyset import START, Cursor, all_of
from models.payment_search import BY_ID, IN_ACCOUNTS, OF_USER, Column, Filter, Keyset, ListQuery, Page, Search, search
from models.payment_stuck import StuckFilter, StuckPayment
from models.records import records

OPEN_WITH_ERROR = " UNION ALL ".join(
    f"SELECT e.id FROM payments e WHERE {criterion} AND {{error}}" for criterion in payment_stuck.OPEN_CRITERIA
)
"""A payment that becomes final has no last error any more."""

SIDES = ("source", "target")

KEYSETS: Mapping[str, tuple[Keyset, ...]] = {
    "ids": (Keyset("p.id = ANY(%(ids)s::uuid[])"),),
    "batch_id": (Keyset("p.id = ANY(ARRAY(SELECT payment_id FROM batch_items WHERE batch_id = %(batch_id)s))"),),
    "bulk_id": (Keyset("p.bulk_id = %(bulk_id)s"),),
    "account_id": tuple(Keyset(f"p.{side}_id = %(account_id)s") for side in SIDES),
    "wallet": tuple(Keyset(f"p.{side}_id = (SELECT id FROM accounts WHERE token = %(wallet)s)") for side in SIDES),
    "merchant_id": IN_ACCOUNTS,
    "user_id": OF_USER,
}
"""What an index finds, by member of the filter, the fewest rows first; the other members are tested on those rows, and
so is who ordered them."""

ROWS = """
SELECT id::text, type, user_id::text, amount, currency,
       (SELECT digits FROM currencies WHERE code = currency) AS digits, created_at,
       CASE WHEN finalized_at IS NULL AND due_at < 'infinity' THEN due_at END AS due_at, attempts, last_error,
       parked_at, state, failure_code
FROM payments WHERE id = ANY(%s::uuid[])
"""


def page(connection: Connection, which: StuckFilter, limit: int, at: Cursor = START) -> Page:
    """Payments of the filter as StuckPayment, newest first; the filter is one of all payments."""
    columns, keysets, query, parameters = search_of(which)
    result = search(connection, columns, {}, keysets, query, limit, at, parameters)
    shown = connection.exec_driver_sql(ROWS, (pg_arrays.plain(key.id for key in result.keys),))
    rows = {row.id: row for row in records(StuckPayment, shown)}
    return result._replace(rows=[rows[key.id] for key in result.keys])


def search_of(which: StuckFilter) -> Search:
    """The search for the payments of the filter."""
    keysets, rest = _keysets(which)
    conditions = {**payment_stuck.errors(rest, "p"), **payment_stuck.narrower(rest, "p", "p")}
    applying = {sql: value for sql, value in conditions.items() if value not in (None, [])}
    columns = {sql: Column(sql.replace("%s", f"%(value_{number})s"), "boolean") for number, sql in enumerate(applying)}
    parameters: dict[str, object] = {
        **{f"value_{number}": value for number, value in enumerate(applying.values())},
        **{f"error_{number}": value for number, value in enumerate(payment_stuck.errors(which, "e").values())},
        **{"ids": None if which.ids is None else pg_arrays.plain(which.ids), "batch_id": which.batch_id},
        **{"bulk_id": which.bulk_id, "account_id": which.account_id, "wallet": which.wallet},
        "user_id": which.merchant_id or which.user_id,
    }
    columns[BY_ID] = Column("p.created_at", "timestamptz")
    query = ListQuery([Filter(sql, "is", ["true"]) for sql in applying], which.created_from, which.created_before)
    return Search(columns, keysets, query, parameters)


def _keysets(which: StuckFilter) -> tuple[tuple[Keyset, ...], StuckFilter]:
    """What an index finds of the filter, and the rest of it."""
    first = next((name for name in KEYSETS if getattr(which, name) is not None), None)
    if first not in ("ids", "batch_id") and (which.error_prefix is not None or which.error_contains is not None):
        errors = [
            sql.replace("%s", f"%(error_{number})s")
            for number, (sql, value) in enumerate(payment_stuck.errors(which, "e").items())
            if value is not None
        ]
        found = Keyset(f"p.id = ANY(ARRAY({OPEN_WITH_ERROR.format(error=all_of(errors))}))")
        return (found,), which._replace(error_prefix=None, error_contains=None)
    if first is None:
        return (Keyset("TRUE"),), which
    without: dict[str, Any] = {} if first == "user_id" else {first: None}
    return KEYSETS[first], which._replace(**without)
