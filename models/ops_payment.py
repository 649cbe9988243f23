"""Payments as ops users read them: with what they may do now, the payout and its bank, questions, and resolutions."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import (
    idempotency,
    inquiry,
    payment_action,
    payment_command,
    payment_lookup,
    payment_note,
    payment_stuck,
    payment_view,
    resolution,
)
from models.audit import AuditEntry
from models.idempotency import AcceptingRequest
from models.inquiry import Inquiry
from models.keyset import START, Cursor
from models.payment_search import Page, RowKey
from models.payment_stuck import StuckFilter, StuckPayment
from models.payment_view import PaymentView
from models.records import record
from models.representations import iso, party_body
from models.resolution import Resolution
from models.rules import ops_actions
from models.rules.money import render
from models.rules.ops_actions import OpsAction, PaymentFacts

RESOLUTIONS_MAX = 20
"""Resolutions shown with a payment; each but the newest was rejected or refused."""


class PayoutProgress(NamedTuple):
    """A payout and what its bank said; `resolution_id` if two ops users answered in the bank's place.

    `due_at` is when the rail acts next, None if it does not.
    """

    rail: str | None
    name: str
    last4: str
    attempts: int
    due_at: datetime | None
    submitted_at: datetime | None
    pending_at: datetime | None
    answer: str | None
    answered_at: datetime | None
    reason: str | None
    bank_reference: str | None
    last_error: str | None
    resolution_id: str | None


class OpsPayment(NamedTuple):
    """A payment with all that ops users decide by."""

    view: PaymentView
    facts: PaymentFacts
    request: AcceptingRequest
    last_error: str | None
    payout: PayoutProgress | None
    commands: list[dict[str, object]]
    inquiries: list[Inquiry]
    resolutions: list[Resolution]
    notes: list[AuditEntry]


PROGRESS = """
SELECT rail, name, right(iban, 4) AS last4, attempts, due_at, submitted_at, pending_at, answer, answered_at, reason,
       bank_reference, last_error, resolution_id::text
FROM instructions WHERE payment_id = %s
"""


def by_id(connection: Connection, id: str) -> OpsPayment | None:
    """The payment, or None."""
    view = payment_view.by_id(connection, id)
    if view is None:
        return None
    error = connection.exec_driver_sql("SELECT last_error FROM payments WHERE id = %s", (id,)).scalar_one()
    return OpsPayment(
        view,
        payment_action.facts(connection, [id])[id],
        idempotency.accepted_by(connection, id),
        error,
        record(PayoutProgress, connection.exec_driver_sql(PROGRESS, (id,))),
        payment_command.about(connection, id),
        inquiry.about(connection, id),
        resolution.page(connection, RESOLUTIONS_MAX, payment_id=id),
        payment_note.about(connection, id),
    )


class ListedPayment(NamedTuple):
    """A payment in a list, with its two sides, and the actions that are possible now."""

    payment: StuckPayment
    view: PaymentView
    actions: list[OpsAction]


def page(connection: Connection, limit: int, at: Cursor = START, *, which: StuckFilter) -> Page:
    """Selected payments, newest first, as ListedPayment."""
    if which.is_of_all:
        found = payment_lookup.page(connection, which, limit, at)
    else:
        rows = payment_stuck.find(connection, which, limit, at)
        found = Page(rows, [RowKey(row.id) for row in rows])
    ids = [row.id for row in found.rows]
    possible, views = actions(connection, ids), payment_view.by_ids(connection, ids)
    return found._replace(rows=[ListedPayment(row, views[row.id], possible[row.id]) for row in found.rows])


def actions(connection: Connection, ids: Iterable[str]) -> dict[str, list[OpsAction]]:
    """The actions that are possible now, by payment."""
    known = payment_action.facts(connection, ids)
    return {id: ops_actions.possible(facts) for id, facts in known.items()}


def listed_body(listed: ListedPayment) -> dict[str, Any]:
    """The JSON of a payment in a list: without the tokens of its wallets."""
    view = listed.view
    return {
        **stuck_body(listed.payment),
        "source": party_body(view.source, None),
        "target": party_body(view.target, None),
        "summary": view.summary,
        "reference": view.reference,
        "actions": listed.actions,
    }


def stuck_body(row: StuckPayment) -> dict[str, Any]:
    """The JSON of a payment as ops see it."""
    return {
        "id": row.id,
        "type": row.type,
        "amount": render(row.amount, row.digits),
        "currency": row.currency,
        "user": row.user_id,
        "created_at": row.created_at.isoformat(),
        "due_at": iso(row.due_at),
        "attempts": row.attempts,
        "last_error": row.last_error,
        "parked_at": iso(row.parked_at),
        "state": row.state,
        "failure": row.failure_code,
    }
