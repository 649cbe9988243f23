"""Adjustments: corrections of a balance that one of ops proposes and another approves or rejects; the shell is one."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset, payment, pg_arrays
from models.audit import Actor
from models.keyset import START, Cursor
from models.payment import NewPayment
from models.records import record
from models.representations import iso
from models.rules.money import render
from models.rules.types import ApprovedAdjustment, ClaimedPayment, PaymentType


class AdjustmentState(StrEnum):
    """State of an adjustment."""

    PROPOSED = "proposed"
    """Not decided yet."""
    APPROVED = "approved"
    """Another ops user has ordered the payment."""
    REJECTED = "rejected"
    """Another ops user rejected it, or its proposer withdrew it; final."""


class Adjustment(NamedTuple):
    """A proposal and its decision; the amount in minor units, `digits` those of its currency.

    What the shell did is by nobody: `proposed_by` and the like are None.
    """

    id: str
    account_id: str
    direction: str
    amount: int
    currency: str
    digits: int
    reason: str
    proposed_by: str | None
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    approval_reason: str | None
    payment_id: str | None
    rejected_by: str | None
    rejected_at: datetime | None
    rejection_reason: str | None
    state: str
    token: str | None


STATE = """CASE WHEN a.approved_at IS NOT NULL THEN 'approved' WHEN a.rejected_at IS NOT NULL THEN 'rejected'
                ELSE 'proposed' END"""
ADJUSTMENT = f"""
SELECT a.id::text, a.account_id::text, a.direction, a.amount, a.currency, c.digits, a.reason,
       a.proposed_by::text, a.created_at, a.approved_by::text, a.approved_at, a.approval_reason, a.payment_id::text,
       a.rejected_by::text, a.rejected_at, a.rejection_reason, {STATE} AS state,
       (SELECT w.token FROM accounts w WHERE w.id = a.account_id) AS token
FROM adjustments a JOIN currencies c ON c.code = a.currency
"""


def by_id(connection: Connection, id: str) -> Adjustment | None:
    """The adjustment, or None."""
    return record(Adjustment, connection.exec_driver_sql(f"{ADJUSTMENT} WHERE a.id = %s", (id,)))


def page(
    connection: Connection, limit: int, at: Cursor = START, *, states: list[str] | None = None
) -> list[Adjustment]:
    """Adjustments in these states, newest first."""
    conditions = {f"{STATE} = ANY(%s)": states}
    return keyset.page(connection, Adjustment, ADJUSTMENT, conditions, limit, at, key="a.id")


def body(found: Adjustment) -> dict[str, Any]:
    """The JSON of an adjustment, without the wallet token."""
    return {
        "id": found.id,
        "state": found.state,
        "account": found.account_id,
        "wallet": None,
        "direction": found.direction,
        "amount": render(found.amount, found.digits),
        "currency": found.currency,
        "reason": found.reason,
        "proposed_by": found.proposed_by,
        "created_at": found.created_at.isoformat(),
        "approved_by": found.approved_by,
        "approved_at": iso(found.approved_at),
        "approval_reason": found.approval_reason,
        "payment": found.payment_id,
        "rejected_by": found.rejected_by,
        "rejected_at": iso(found.rejected_at),
        "rejection_reason": found.rejection_reason,
    }


class Proposal(NamedTuple):
    """What is proposed; the amount in minor units, the direction `credit` or `debit` of the account."""

    account_id: str
    direction: str
    amount: int
    currency: str
    reason: str


def propose(connection: Connection, id: str, proposal: Proposal, actor: Actor) -> Adjustment:
    """Store a proposal and note it in the audit log."""
    connection.exec_driver_sql(
        "INSERT INTO adjustments (id, account_id, direction, amount, currency, reason, proposed_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (id, *proposal, actor.user_id),
    )
    proposed = _known(connection, id)
    audit.note(connection, actor, "adjustments.propose", id, proposal.reason, after=body(proposed))
    return proposed


OPEN = "approved_at IS NULL AND rejected_at IS NULL"
"""Checked under the row's lock: of concurrent decisions only the first finds it open."""


class DecidedAdjustment(NamedTuple):
    """An adjustment after a decision, and whether this call decided it."""

    adjustment: Adjustment
    is_new: bool


def approve(connection: Connection, proposed: Adjustment, actor: Actor, reason: str | None) -> DecidedAdjustment | None:
    """Record who approves the proposal and order its payment; None if it was decided otherwise, or by others.

    The caller makes sure that `actor` is not its proposer; the schema does too. The payment is ordered in the name of
    who approves, or of the proposer if that is the shell.
    """
    approved = connection.exec_driver_sql(
        "UPDATE adjustments SET approved_by = %s, approved_at = now(), approval_reason = %s, payment_id = %s"
        f" WHERE id = %s AND {OPEN}",
        (actor.user_id, reason, str(uuid7()), proposed.id),
    )
    is_new = approved.rowcount == 1
    after = _known(connection, proposed.id)
    if after.state != AdjustmentState.APPROVED or after.approved_by != actor.user_id:
        return None
    if is_new:
        payment.accept(connection, [_payment(connection, after)])
        audit.note(connection, actor, "adjustments.approve", proposed.id, reason, body(proposed), body(after))
    return DecidedAdjustment(after, is_new)


def reject(connection: Connection, proposed: Adjustment, actor: Actor, reason: str) -> DecidedAdjustment | None:
    """Record who rejects the proposal, and why; None if it was decided otherwise, or by others."""
    rejected = connection.exec_driver_sql(
        f"UPDATE adjustments SET rejected_by = %s, rejected_at = now(), rejection_reason = %s WHERE id = %s AND {OPEN}",
        (actor.user_id, reason, proposed.id),
    )
    is_new = rejected.rowcount == 1
    after = _known(connection, proposed.id)
    if after.state != AdjustmentState.REJECTED or after.rejected_by != actor.user_id:
        return None
    if is_new:
        audit.note(connection, actor, "adjustments.reject", proposed.id, reason, body(proposed), body(after))
    return DecidedAdjustment(after, is_new)


def _known(connection: Connection, id: str) -> Adjustment:
    found = by_id(connection, id)
    if found is None:
        raise KeyError(id)
    return found


def _payment(connection: Connection, approved: Adjustment) -> NewPayment:
    """The payment of an approved adjustment; its key contains a space, so that no client can send it."""
    internal = connection.exec_driver_sql(
        "SELECT id::text FROM accounts WHERE code = 'internal' AND currency = %s", (approved.currency,)
    ).scalar_one()
    is_credit = approved.direction == "credit"
    accounts = (internal, approved.account_id) if is_credit else (approved.account_id, internal)
    return NewPayment.internal(
        PaymentType.ADJUSTMENT,
        approved.approved_by or approved.proposed_by or "",
        accounts,
        approved.amount,
        approved.currency,
        id=approved.payment_id or "",
        key=f"adjustment {approved.id}",
    )


APPROVED = """
SELECT a.payment_id::text, a.account_id::text, a.direction = 'credit' AS is_credit, a.amount, a.currency,
       coalesce(a.approved_by, a.proposed_by)::text AS approver_id
FROM adjustments a LEFT JOIN users p ON p.id = a.proposed_by LEFT JOIN users q ON q.id = a.approved_by
WHERE a.payment_id = ANY(%s::uuid[]) AND a.approved_at IS NOT NULL AND a.approved_by IS DISTINCT FROM a.proposed_by
  AND coalesce(p.role, 'ops') = 'ops' AND coalesce(q.role, 'ops') = 'ops'
"""
"""A compromised gateway could name two ops users who know nothing of it, though it cannot create one. Their names stay
in the adjustment and the audit log, neither of which it can change, but a person must read them to notice."""


def approved(connection: Connection, payments: Iterable[ClaimedPayment]) -> dict[str, ApprovedAdjustment]:
    """The adjustments that two ops users agreed on, by the payment they ordered, among these payments."""
    ids = [payment.id for payment in payments if payment.type == PaymentType.ADJUSTMENT]
    if not ids:
        return {}
    rows = connection.exec_driver_sql(APPROVED, (pg_arrays.plain(ids),))
    return {payment_id: ApprovedAdjustment(*adjustment) for payment_id, *adjustment in rows}
