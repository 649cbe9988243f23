"""Stored lines of a bulk."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays


class LineView(NamedTuple):
    """A stored line, the amount in minor units; `id` is its number, which cursors of pages use."""

    id: str
    payment_id: str
    state: str
    amount: int
    reference: str | None
    failure_code: str | None
    finalized_at: datetime | None
    scheduled_at: datetime | None
    name: str
    last4: str
    description: str | None
    creditor_reference: str | None = None
    instruction_id: str | None = None
    end_to_end_id: str | None = None


LINE_VIEWS = """
WITH p AS MATERIALIZED (
    SELECT * FROM payments
    WHERE bulk_id = %(id)s AND {edge} AND (cardinality(%(states)s::text[]) = 0 OR state = ANY(%(states)s::text[]))
    ORDER BY bulk_line {order} LIMIT %(limit)s
)
SELECT p.bulk_line::text, p.id::text, p.state, p.amount::text, p.reference, p.failure_code, p.finalized_at,
       p.scheduled_at,
       CASE p.type WHEN 'charge'
            THEN (SELECT ARRAY[u.name, right(a.token, 4), p.summary, NULL, NULL, NULL]
                  FROM accounts a JOIN users u ON u.id = a.owner_id
                  WHERE a.id = p.source_id)
            ELSE (SELECT ARRAY[name, right(iban, 4), description, creditor_reference, instruction_id, end_to_end_id]
                  FROM instructions WHERE payment_id = p.id) END
FROM p ORDER BY p.bulk_line {order}
"""
"""The page first, then sub-selects, so that no plan looks up parties for lines outside the page."""


def page(
    connection: Connection,
    id: str,
    limit: int,
    *,
    states: Sequence[str] = (),
    before: str | None = None,
    after: str | None = None,
) -> list[LineView]:
    """Lines of a bulk in order: those after number `before`, or (backwards) those ahead of number `after`."""
    edge, order = ("bulk_line < %(edge)s::integer", "DESC") if after else ("bulk_line > %(edge)s::integer", "ASC")
    rows = connection.exec_driver_sql(
        LINE_VIEWS.format(edge=edge, order=order),
        {"id": id, "edge": after or before or "0", "states": pg_arrays.plain(states), "limit": limit},
    )
    return [LineView._make((*row[:3], int(row[3]), *row[4:8], *row[8])) for row in rows]
