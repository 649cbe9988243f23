"""Pages of payments with any filter and order on the shown columns, bounded by the rows one page may scan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from models.keyset import CREATED_BEFORE, CREATED_FROM, START, Cursor, all_of

SCANNED_MAX = 10_000
"""Per keyset and page: conditions without an index are tested on at most this many payments, and fewer are sorted."""

BY_ID = "created_at"
"""The default order, which needs no sort: ids carry the time of acceptance."""


BY_ROWS = "SET LOCAL seq_page_cost = 0; SET LOCAL random_page_cost = 0; "
"""Begins a statement that PostgreSQL is to plan by the rows that it reads, and not by their pages.

Of an account that it does not know yet it expects an average number of payments, and would read them all in the order
of their pages and sort them, rather than begin with the newest: of a merchant's 500,000 as of a client's 50.
"""


class Column(NamedTuple):
    """SQL for a value of payment `p` as the viewer sees it; lists are filtered and sorted by such values only.

    `kind` is its SQL type, `currency` the column with the currency of an amount; an `is_keyed` column has an index.
    """

    sql: str
    kind: str = "text"
    currency: str | None = None
    is_keyed: bool = False


class Filter(NamedTuple):
    """A condition on a column: a key of TESTS, and a list for `is`, otherwise a value; amounts in minor units."""

    column: str
    operator: str
    value: object


COMPARED = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
"""Operators that bound a value, by their name in a query."""

TESTS = {
    "is": "{sql} = ANY(%({name})s::{kind}[])",
    "has": "{sql} @> %({name})s::{kind}",
    **{name: f"{{sql}} {operator} %({{name}})s::{{kind}}" for name, operator in COMPARED.items()},
}


@dataclass(frozen=True)
class ListQuery:
    """Filters and order of a list; created_at from (inclusive) and before (exclusive). NULL sorts below every value."""

    filters: Sequence[Filter] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None
    sort: str = BY_ID
    is_ascending: bool = False

    @property
    def is_sorted(self) -> bool:
        """Whether it is sorted by another column than the time of acceptance."""
        return self.sort != BY_ID


class Keyset(NamedTuple):
    """A condition on payments `p` that an index reads in id order; `each_own`: once per account `a` of the user."""

    where: str
    each_own: bool = False


IN_ACCOUNTS = tuple(Keyset(f"p.{side}_id = a.id", each_own=True) for side in ("source", "target"))
"""Payments out of the user's accounts, and into them."""

OF_USER = (Keyset("p.user_id = %(user_id)s AND p.type NOT IN ('transfer', 'charge')"), *IN_ACCOUNTS)
"""Payments that the user ordered, and those of their accounts: who orders a transfer or a charge owns one of its sides,
so that these need no index by their initiator."""


class RowKey(NamedTuple):
    """Position of a row in its list."""

    id: str
    value: str | None = None


class Page(NamedTuple):
    """Rows in the order of the search, and their keys.

    `scan_limit`: the last row scanned, if the scan stopped early. `turn_key`: where to turn back if there are no rows.
    """

    rows: Sequence[Any]
    keys: Sequence[RowKey]
    scan_limit: RowKey | None = None
    turn_key: RowKey | None = None


class Search(NamedTuple):
    """What `search` looks for, without facts."""

    columns: Mapping[str, Column]
    keysets: Sequence[Keyset]
    query: ListQuery
    parameters: Mapping[str, object]


class TooMany(Exception):
    """Raised if more than SCANNED_MAX payments would have to be sorted."""


def search(
    connection: Connection,
    columns: Mapping[str, Column],
    facts: Mapping[str, str],
    keysets: Sequence[Keyset],
    query: ListQuery,
    limit: int,
    at: Cursor,
    parameters: Mapping[str, object],
) -> Page:
    """Keys of the next rows, up to `limit`; backwards from `at.after` in the opposite order. Raises TooMany.

    The columns may read `facts`, SQL about payment `p`, as further columns of `p`.
    Each keyset is bounded by `limit` or SCANNED_MAX, so that a page costs the same however long the history is.
    """
    is_ascending = query.is_ascending is (at.after is None)
    order = "ASC" if is_ascending else "DESC"
    by_rank = f"p.rank {order} NULLS {'FIRST' if is_ascending else 'LAST'}, p.id {order}"
    inner = order if not query.is_sorted else "DESC"
    bounds = {
        CREATED_FROM: query.created_from is not None,
        CREATED_BEFORE: query.created_before is not None,
        f"p.id {'>' if is_ascending else '<'} %(edge)s::uuid": at != START and not query.is_sorted,
    }
    applying = [condition for condition, applies in bounds.items() if applies]
    keyed = all_of([*applying, *_tests(columns, query.filters, is_keyed=True)])
    tests, rank = _tests(columns, query.filters, is_keyed=False), _rank(columns, query)
    scanned_max = SCANNED_MAX if tests or query.is_sorted else limit
    read = " ".join([*tests, rank])
    known = ", ".join(["p.*", *(f"({sql}) AS {name}" for name, sql in facts.items() if f"p.{name}" in read)])

    def scanned(keyset: Keyset, selected: str) -> str:
        return f"SELECT {selected} FROM payments p WHERE {keyset.where} AND {keyed} ORDER BY p.id {inner}"

    def matches(keyset: Keyset) -> str:
        return (
            f"SELECT p.id, p.rank FROM (SELECT p.id, {rank} AS rank FROM (SELECT {known}"
            f" FROM ({scanned(keyset, 'p.*')} LIMIT {scanned_max}) AS p) AS p WHERE {all_of(tests)}) AS p"
            f" WHERE {_edge(at, columns[query.sort].kind, is_ascending)} ORDER BY {by_rank} LIMIT %(limit)s"
        )

    def end(keyset: Keyset) -> str:
        return f"{scanned(keyset, 'p.id, NULL::text AS rank')} OFFSET {SCANNED_MAX - 1} LIMIT 1"

    def union(part: Callable[[Keyset], str]) -> str:
        return " UNION ".join(f"({_of(keyset, part(keyset))})" for keyset in keysets)

    parameters = {
        **parameters,
        "limit": limit,
        "edge": at.after or at.before,
        "edge_value": at.value,
        "created_from": query.created_from,
        "created_before": query.created_before,
        **{f"filter_{number}": condition.value for number, condition in enumerate(query.filters)},
    }
    scan_limit = None
    if at == START if query.is_sorted else tests:
        statement = f"{BY_ROWS}SELECT p.id::text FROM ({union(end)}) AS p ORDER BY p.id {inner} LIMIT 1"
        scan_limit = connection.exec_driver_sql(statement, parameters).scalar()
        if scan_limit is not None and query.is_sorted:
            raise TooMany
    rows = connection.exec_driver_sql(
        f"{BY_ROWS}SELECT p.id::text, p.rank::text FROM ({union(matches)}) AS p ORDER BY {by_rank} LIMIT %(limit)s",
        parameters,
    )
    keys = [RowKey(*row) for row in rows]
    if scan_limit is not None:
        keys = [key for key in keys if (key.id <= scan_limit if is_ascending else key.id >= scan_limit)]
    return Page((), keys, RowKey(scan_limit) if scan_limit else None, _turn(query, at, is_ascending))


def count(connection: Connection, of: Search, limit: int, scanned_max: int) -> tuple[int, bool]:
    """Number of payments of the search, up to `limit`; and whether it looked at all of them.

    At most `scanned_max` are tested by conditions without an index, the newest of each keyset.
    """
    columns, keysets, query, parameters = of
    bounds = {CREATED_FROM: query.created_from is not None, CREATED_BEFORE: query.created_before is not None}
    applying = [condition for condition, applies in bounds.items() if applies]
    keyed = all_of([*applying, *_tests(columns, query.filters, is_keyed=True)])
    tests = _tests(columns, query.filters, is_keyed=False)
    most = scanned_max // len(keysets) if tests else limit
    parts = []
    for number, keyset in enumerate(keysets):
        scanned = f"SELECT p.* FROM payments p WHERE {keyset.where} AND {keyed} ORDER BY p.id DESC LIMIT {most}"
        tested = f"SELECT p.id, {all_of(tests)} AS fits, {number} AS keyset FROM ({scanned}) AS p"
        if keyset.each_own:
            tested = f"SELECT k.* FROM accounts a CROSS JOIN LATERAL ({tested}) k WHERE a.owner_id = %(user_id)s"
        parts.append(f"({tested} LIMIT {most})")
    fitting = "count(*)" if len(parts) == 1 else "count(DISTINCT id)"  # one may be in several keysets
    sizes = ", ".join(f"count(*) FILTER (WHERE keyset = {number})" for number in range(len(parts)))
    statement = (
        f"{BY_ROWS}SELECT {fitting} FILTER (WHERE fits), greatest({sizes}) FROM ({' UNION ALL '.join(parts)}) AS found"
    )
    named = {
        **parameters,
        "created_from": query.created_from,
        "created_before": query.created_before,
        **{f"filter_{number}": condition.value for number, condition in enumerate(query.filters)},
    }
    found, largest = connection.exec_driver_sql(statement, named).one()
    return min(found, limit), not tests or largest < most


def _tests(columns: Mapping[str, Column], filters: Sequence[Filter], *, is_keyed: bool) -> list[str]:
    return [
        TESTS[condition.operator].format(sql=f"({column.sql})", name=f"filter_{number}", kind=column.kind)
        for number, condition in enumerate(filters)
        if (column := columns[condition.column]).is_keyed is is_keyed
    ]


def _of(keyset: Keyset, statement: str) -> str:
    if not keyset.each_own:
        return statement
    return f"SELECT k.id, k.rank FROM accounts a CROSS JOIN LATERAL ({statement}) k WHERE a.owner_id = %(user_id)s"


def _rank(columns: Mapping[str, Column], query: ListQuery) -> str:
    """SQL of the sort value; texts are ordered by code point."""
    if not query.is_sorted:
        return "NULL::text"
    column = columns[query.sort]
    return f'({column.sql}) COLLATE "C"' if column.kind == "text" else f"({column.sql})"


def _edge(at: Cursor, kind: str, is_ascending: bool) -> str:
    """Condition for rows after the cursor; without a value NULL, below every value, is that of its row."""
    if at == START:
        return "TRUE"
    behind = f"p.id {'>' if is_ascending else '<'} %(edge)s::uuid"
    if at.value is None:
        return f"(p.rank IS NOT NULL OR {behind})" if is_ascending else f"(p.rank IS NULL AND {behind})"
    value = f"%(edge_value)s::{kind}"
    if is_ascending:
        return f"(p.rank > {value} OR (p.rank = {value} AND {behind}))"
    return f"(p.rank IS NULL OR p.rank < {value} OR (p.rank = {value} AND {behind}))"


def _turn(query: ListQuery, at: Cursor, is_ascending: bool) -> RowKey | None:
    """The id next to the cursor, so that the row at the cursor itself is included on the way back."""
    edge = at.after or at.before
    if edge is None or query.is_sorted:
        return None
    return RowKey(str(UUID(int=UUID(edge).int + (1 if is_ascending else -1))))
