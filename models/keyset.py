"""Keyset pagination: the rows on one side of an id, in page order."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from models.records import records

CREATED_FROM = "p.created_at >= %(created_from)s AND p.id >= uuid_floor(%(created_from)s - interval '1 day')"
CREATED_BEFORE = "p.created_at < %(created_before)s AND p.id < uuid_floor(%(created_before)s + interval '1 day')"
"""Bounds on the acceptance time of a payment `p`; the id is bounded too, with a day's slack, to prune partitions."""


class Cursor(NamedTuple):
    """Start of a page: right after the row `before`, or, going back, right ahead of the row `after`.

    `value` is that row's value in the sort column, as text; without a row the page is the first.
    """

    before: str | None = None
    after: str | None = None
    value: str | None = None


START = Cursor()


Item = TypeVar("Item")


def page(
    connection: Connection,
    item: Callable[..., Item],
    select: str,
    conditions: Mapping[str, object],
    limit: int,
    at: Cursor,
    *,
    key: str,
    kind: str = "uuid",
    is_ascending: bool = False,
    parameters: Mapping[str, object] | None = None,
) -> list[Item]:
    """Up to `limit` rows from the cursor on, newest first or `is_ascending`; going back in the opposite order.

    `item` is the named tuple of the columns, or a function that makes the item of a row.

    `select` ends before WHERE, with `parameters`. The value of a condition is its parameter %s; it applies unless that
    is None or an empty list. `key` is the column of the order, of the type `kind`; it is qualified with its table where
    the row selects it as text, or ORDER BY would sort by that text.
    """
    edge = at.after or at.before
    is_ascending = is_ascending is (at.after is None)
    applying = {condition: value for condition, value in conditions.items() if value is not None and value != []}
    if edge is not None:
        applying[f"{key} {'>' if is_ascending else '<'} %s::{kind}"] = edge
    numbered = {f"filter_{number}": value for number, value in enumerate(applying.values())}
    tests = [condition.replace("%s", f"%({name})s") for name, condition in zip(numbered, applying, strict=True)]
    rows = connection.exec_driver_sql(
        f"{select} WHERE {all_of(tests)} ORDER BY {key} {'ASC' if is_ascending else 'DESC'} LIMIT %(limit)s",
        {**(parameters or {}), **numbered, "limit": limit},
    )
    return records(item, rows) if isinstance(item, type) else [item(row) for row in rows]


def all_of(conditions: Iterable[str]) -> str:
    """The conditions, joined by AND."""
    return " AND ".join(conditions) or "TRUE"
