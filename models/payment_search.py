"""Pages of payments by what their rows show: any filter, any order, within what one page may look through."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from models.keyset import CREATED_BEFORE, CREATED_FROM, applying

LOOKED_THROUGH_MAX = 10_000
"""Of each keyset, for one page: what no index answers is looked for among so many payments, and sorted if fewer."""

BY_ID = "created_at"
"""The order that costs nothing: ids carry the time at which a payment was ordered."""


class Column(NamedTuple):
    """What a row shows of a payment `p` to whoever reads, as SQL: the list is filtered and sorted by that alone.

    `kind` is its type; `currency` the column that says what an amount is of; by an `is_keyed` one an index finds.
    """

    sql: str
    kind: str = "text"
    currency: str | None = None
    is_keyed: bool = False


class Filter(NamedTuple):
    """What is asked of a column: a word of TESTS, and a list for `is`, otherwise a value; amounts in minor units."""

    column: str
    word: str
    value: object


COMPARED = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
"""How a value may be bounded: by the word that asks for it."""

TESTS = {
    "is": "{sql} = ANY(%({name})s::{kind}[])",
    "has": "{sql} @> %({name})s::{kind}",
    **{word: f"{{sql}} {operator} %({{name}})s::{{kind}}" for word, operator in COMPARED.items()},
}


@dataclass(frozen=True)
class ListQuery:
    """What a list is asked for; times: created_at from (inclusive) and before. Nothing counts as less than anything."""

    wants: Sequence[Filter] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None
    sort: str = BY_ID
    is_ascending: bool = False

    @property
    def is_sorted(self) -> bool:
        """Whether by anything else than the time of the order."""
        return self.sort != BY_ID


class Keyset(NamedTuple):
    """Some of the payments `p`, in the order of their ids by an index; `each_own`: for each account `a` of the user."""

    where: str
    each_own: bool = False


class Cursor(NamedTuple):
    """Where a page begins: right behind the row `before`, or, going back, right ahead of the row `after`.

    `value` is what that row shows in the column by which the list is sorted, as text; without a row it is the start.
    """

    before: str | None = None
    after: str | None = None
    value: str | None = None


START = Cursor()


class RowKey(NamedTuple):
    """Where a row stands in its list."""

    id: str
    value: str | None = None


class Page(NamedTuple):
    """Rows in the order of the walk, and where each stands.

    `horizon`: where the look ended, if before the rows did. `turn`: from where one gets back if there are no rows.
    """

    rows: Sequence[Any]
    spots: Sequence[RowKey]
    horizon: RowKey | None = None
    turn: RowKey | None = None


class TooMany(Exception):
    """More than LOOKED_THROUGH_MAX payments would have to be sorted."""


def search(
    connection: Connection,
    columns: Mapping[str, Column],
    keysets: Iterable[Keyset],
    asked: ListQuery,
    limit: int,
    at: Cursor,
    parameters: Mapping[str, object],
) -> Page:
    """Where the next rows stand, up to `limit`, going back from `at.after` in the opposite order; raises TooMany.

    Each keyset is bounded by `limit`, or by LOOKED_THROUGH_MAX, so that a page costs the same however long the
    history is.
    """
    is_ascending = asked.is_ascending is (at.after is None)
    order = "ASC" if is_ascending else "DESC"
    inner = order if not asked.is_sorted else "DESC"
    keyed = applying(
        {
            CREATED_FROM: asked.created_from is not None,
            CREATED_BEFORE: asked.created_before is not None,
            f"p.id {'>' if is_ascending else '<'} %(edge)s::uuid": at != START and not asked.is_sorted,
            **_tests(columns, asked.wants, is_keyed=True),
        }
    )
    tests = _tests(columns, asked.wants, is_keyed=False)

    def found(keyset: Keyset) -> str:
        looked = f"FROM payments p WHERE {keyset.where} AND {keyed} ORDER BY p.id {inner}"
        if not tests and not asked.is_sorted:
            return f"SELECT p.id, NULL::text AS rank {looked} LIMIT %(limit)s"
        return (
            f"SELECT p.id, p.rank FROM (SELECT p.id, {_rank(columns, asked)} AS rank"
            f" FROM (SELECT * {looked} LIMIT {LOOKED_THROUGH_MAX}) AS p WHERE {applying(tests)}) AS p"
            f" WHERE {_edge(columns, asked, at, is_ascending)} ORDER BY {_order(asked, order)} LIMIT %(limit)s"
        )

    def end(keyset: Keyset) -> str:
        looked = f"FROM payments p WHERE {keyset.where} AND {keyed} ORDER BY p.id {inner}"
        return f"SELECT p.id, NULL::text AS rank {looked} OFFSET {LOOKED_THROUGH_MAX - 1} LIMIT 1"

    def union(parts: Iterable[str]) -> str:
        return " UNION ".join(f"({part})" for part in parts)

    keysets = list(keysets)
    told = {
        **parameters,
        "limit": limit,
        "edge": at.after or at.before,
        "edge_value": at.value,
        "created_from": asked.created_from,
        "created_before": asked.created_before,
        **{f"want_{number}": want.value for number, want in enumerate(asked.wants)},
    }
    horizon = None
    if at == START if asked.is_sorted else tests:
        ends = union(_of(keyset, end(keyset)) for keyset in keysets)
        statement = f"SELECT p.id::text FROM ({ends}) AS p ORDER BY p.id {inner} LIMIT 1"
        horizon = connection.exec_driver_sql(statement, told).scalar()
        if horizon is not None and asked.is_sorted:
            raise TooMany
    rows = connection.exec_driver_sql(
        f"SELECT p.id::text, p.rank::text FROM ({union(_of(keyset, found(keyset)) for keyset in keysets)}) AS p"
        f" ORDER BY {_order(asked, order)} LIMIT %(limit)s",
        told,
    )
    spots = [RowKey(*row) for row in rows]
    if horizon is not None:
        spots = [spot for spot in spots if (spot.id <= horizon if is_ascending else spot.id >= horizon)]
    return Page((), spots, RowKey(horizon) if horizon else None, _turn(asked, at, is_ascending))


def _tests(columns: Mapping[str, Column], wants: Sequence[Filter], *, is_keyed: bool) -> dict[str, bool]:
    return {
        TESTS[want.word].format(sql=f"({column.sql})", name=f"want_{number}", kind=column.kind): True
        for number, want in enumerate(wants)
        if (column := columns[want.column]).is_keyed is is_keyed
    }


def _of(keyset: Keyset, statement: str) -> str:
    if not keyset.each_own:
        return statement
    return f"SELECT k.id, k.rank FROM accounts a CROSS JOIN LATERAL ({statement}) k WHERE a.owner_id = %(user_id)s"


def _rank(columns: Mapping[str, Column], asked: ListQuery) -> str:
    """What is sorted by; texts by their code points."""
    if not asked.is_sorted:
        return "NULL::text"
    column = columns[asked.sort]
    return f'({column.sql}) COLLATE "C"' if column.kind == "text" else f"({column.sql})"


def _order(asked: ListQuery, order: str) -> str:
    nulls = "FIRST" if order == "ASC" else "LAST"
    return f"p.rank {order} NULLS {nulls}, p.id {order}" if asked.is_sorted else f"p.id {order}"


def _edge(columns: Mapping[str, Column], asked: ListQuery, at: Cursor, is_ascending: bool) -> str:
    """Of what is sorted, that which comes behind the place."""
    if not asked.is_sorted or at == START:
        return "TRUE"
    behind = f"p.id {'>' if is_ascending else '<'} %(edge)s::uuid"
    if at.value is None:
        return f"(p.rank IS NOT NULL OR {behind})" if is_ascending else f"(p.rank IS NULL AND {behind})"
    value = f"%(edge_value)s::{columns[asked.sort].kind}"
    if is_ascending:
        return f"(p.rank > {value} OR (p.rank = {value} AND {behind}))"
    return f"(p.rank IS NULL OR p.rank < {value} OR (p.rank = {value} AND {behind}))"


def _turn(asked: ListQuery, at: Cursor, is_ascending: bool) -> RowKey | None:
    """The neighbour of the place, so that the row at the place itself is among those on the way back."""
    edge = at.after or at.before
    if edge is None or asked.is_sorted:
        return None
    return RowKey(str(UUID(int=UUID(edge).int + (1 if is_ascending else -1))))
