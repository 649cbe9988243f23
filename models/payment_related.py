"""What is related to a payment: refunds and returns, its bulk and quote, batches, lines of statements, and webhooks."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.payment_view import PaymentView
from models.records import records
from models.representations import iso
from models.rules.money import render

RELATED_MAX = 50
"""Rows of each kind, the newest; all are in lists of their own."""


class RelatedPayment(NamedTuple):
    """A refund or return of the payment; amount in minor units."""

    id: str
    type: str
    state: str
    amount: int
    currency: str
    digits: int
    created_at: datetime


class RelatedLine(NamedTuple):
    """A line of a bank's statement that is about the payment."""

    statement_id: str
    line: int
    booked_on: date
    verdict: str


class RelatedDelivery(NamedTuple):
    """A webhook about the payment."""

    id: str
    endpoint_id: str
    url: str
    name: str
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime


class Related(NamedTuple):
    """What is related to a payment."""

    quote_id: str | None
    children: list[RelatedPayment]
    batches: list[str]
    lines: list[RelatedLine]
    deliveries: list[RelatedDelivery]


CHILD_IDS = (
    f"SELECT child_id::text FROM payment_children c WHERE parent_id = %s ORDER BY c.child_id DESC LIMIT {RELATED_MAX}"
)

CHILDREN = """
SELECT id::text, type, state, amount, currency, (SELECT digits FROM currencies WHERE code = currency) AS digits,
       created_at
FROM payments WHERE id = ANY(%s::uuid[]) ORDER BY payments.id DESC
"""

BATCHES = f"SELECT batch_id::text FROM batch_items WHERE payment_id = %s LIMIT {RELATED_MAX}"

LINES = f"""
SELECT statement_id::text, line, booked_on,
       CASE WHEN matched_at IS NOT NULL THEN 'matched' WHEN dismissed_at IS NOT NULL THEN 'dismissed' ELSE verdict END
           AS verdict
FROM bank_statement_lines WHERE payment_id = %(id)s OR matched_payment_id = %(id)s
ORDER BY booked_on DESC, line LIMIT {RELATED_MAX}
"""

DELIVERIES = f"""
SELECT d.id::text, d.endpoint_id::text, w.url, d.name, d.state, d.attempts, d.last_status, d.last_error,
       d.next_attempt_at, d.created_at
FROM events e
JOIN webhook_endpoints w ON w.user_id IN (e.user_id, e.payer_id, e.payee_id) AND w.deleted_at IS NULL
JOIN webhook_deliveries d ON d.endpoint_id = w.id AND d.sequence = e.sequence
WHERE e.subject_id = %s AND e.name <> 'ping' ORDER BY d.sequence DESC LIMIT {RELATED_MAX}
"""


def of_payment(connection: Connection, view: PaymentView) -> Related:
    """What is related to the payment."""
    quote_id = connection.exec_driver_sql("SELECT quote_id::text FROM payments WHERE id = %s", (view.id,)).scalar_one()
    return Related(
        quote_id,
        _children(connection, view.id),
        [row[0] for row in connection.exec_driver_sql(BATCHES, (view.id,))],
        records(RelatedLine, connection.exec_driver_sql(LINES, {"id": view.id})),
        records(RelatedDelivery, connection.exec_driver_sql(DELIVERIES, (view.id,))),
    )


def _children(connection: Connection, id: str) -> list[RelatedPayment]:
    """The newest children; their ids are read first, so that only their months are."""
    ids = [row[0] for row in connection.exec_driver_sql(CHILD_IDS, (id,))]
    return records(RelatedPayment, connection.exec_driver_sql(CHILDREN, (pg_arrays.plain(ids),))) if ids else []


def body(view: PaymentView, related: Related) -> dict[str, Any]:
    """The JSON of what is related to a payment."""
    return {
        "parent": view.parent_id,
        "bulk": view.bulk_id,
        "quote": related.quote_id,
        "children": [
            {
                **{"id": child.id, "type": child.type, "state": child.state, "currency": child.currency},
                **{"amount": render(child.amount, child.digits), "created_at": child.created_at.isoformat()},
            }
            for child in related.children
        ],
        "batches": related.batches,
        "statement_lines": [
            {
                **{"statement": line.statement_id, "line": line.line, "verdict": line.verdict},
                "booked_on": line.booked_on.isoformat(),
            }
            for line in related.lines
        ],
        "deliveries": [
            {
                **{"id": sent.id, "endpoint": sent.endpoint_id, "url": sent.url, "type": sent.name},
                **{"state": sent.state, "attempts": sent.attempts, "last_status": sent.last_status},
                **{"last_error": sent.last_error, "next_attempt_at": iso(sent.next_attempt_at)},
                "created_at": sent.created_at.isoformat(),
            }
            for sent in related.deliveries
        ],
    }
