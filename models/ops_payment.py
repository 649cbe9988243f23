"""Payments as ops users read them: with what they may do now, the payout and its bank, questions, and resolutions."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import inquiry, payment_action, payment_command, payment_stuck, payment_view, resolution
from models.inquiry import Inquiry
from models.keyset import START, Cursor
from models.payment_stuck import StuckFilter, StuckPayment
from models.payment_view import PaymentView
from models.records import record
from models.resolution import Resolution
from models.rules import ops_actions
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
    last_error: str | None
    payout: PayoutProgress | None
    commands: list[dict[str, object]]
    inquiries: list[Inquiry]
    resolutions: list[Resolution]


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
        error,
        record(PayoutProgress, connection.exec_driver_sql(PROGRESS, (id,))),
        payment_command.about(connection, id),
        inquiry.about(connection, id),
        resolution.page(connection, RESOLUTIONS_MAX, payment_id=id),
    )


class ListedPayment(NamedTuple):
    """A payment that waits, and the actions that are possible now."""

    payment: StuckPayment
    actions: list[OpsAction]

    @property
    def id(self) -> str:
        """The payment's id, by which the list is ordered."""
        return self.payment.id


def page(connection: Connection, limit: int, at: Cursor = START, *, which: StuckFilter) -> list[ListedPayment]:
    """Selected payments as `payment_stuck.find` has them, with their actions."""
    rows = payment_stuck.find(connection, which, limit, at)
    possible = actions(connection, [row.id for row in rows])
    return [ListedPayment(row, possible[row.id]) for row in rows]


def actions(connection: Connection, ids: Iterable[str]) -> dict[str, list[OpsAction]]:
    """The actions that are possible now, by payment."""
    known = payment_action.facts(connection, ids)
    return {id: ops_actions.possible(facts) for id, facts in known.items()}
