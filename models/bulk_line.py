"""Stored lines of a bulk."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import keyset
from models.keyset import START, Cursor


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


LINE_VIEW = """
SELECT p.bulk_line::text, p.id::text, p.state, p.amount, p.reference, p.failure_code, p.finalized_at,
       p.scheduled_at,
       CASE p.type WHEN 'charge'
            THEN (SELECT ARRAY[u.name, right(a.token, 4), p.summary, NULL, NULL, NULL]
                  FROM accounts a JOIN users u ON u.id = a.owner_id
                  WHERE a.id = p.source_id)
            ELSE (SELECT ARRAY[name, right(iban, 4), description, creditor_reference, instruction_id, end_to_end_id]
                  FROM instructions WHERE payment_id = p.id) END
FROM payments p
"""
"""Sub-selects, so that no plan looks up parties for lines outside the page."""


def page(
    connection: Connection, id: str, limit: int, at: Cursor = START, *, states: list[str] | None = None
) -> list[LineView]:
    """Lines of a bulk in order."""
    conditions = {"p.bulk_id = %s": id, "p.state = ANY(%s)": states}
    return keyset.page(
        connection, _line, LINE_VIEW, conditions, limit, at, key="p.bulk_line", kind="integer", is_ascending=True
    )


def _line(row: Row) -> LineView:
    *members, payee = row
    return LineView(*members, *payee)
