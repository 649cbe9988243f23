"""Adjustments: corrections of a balance that one ops user proposes and another approves or rejects."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.records import record
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
    """A proposal and its decision; the amount in minor units, `digits` those of its currency."""

    id: str
    account_id: str
    direction: str
    amount: int
    currency: str
    digits: int
    reason: str
    proposed_by: str
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


STATE = """CASE WHEN a.approved_by IS NOT NULL THEN 'approved' WHEN a.rejected_by IS NOT NULL THEN 'rejected'
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


def propose(
    connection: Connection,
    id: str,
    account_id: str,
    direction: str,
    amount: int,
    currency: str,
    reason: str,
    proposed_by: str,
) -> None:
    """Store a proposal; the amount in minor units."""
    connection.exec_driver_sql(
        "INSERT INTO adjustments (id, account_id, direction, amount, currency, reason, proposed_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (id, account_id, direction, amount, currency, reason, proposed_by),
    )


OPEN = "approved_by IS NULL AND rejected_by IS NULL"
"""Checked under the row's lock: of concurrent decisions only the first finds it open."""


def approve(connection: Connection, id: str, approved_by: str, reason: str | None, payment_id: str) -> bool:
    """Record who approves the proposal and the payment they order by it; False if it is decided already."""
    approved = connection.exec_driver_sql(
        "UPDATE adjustments SET approved_by = %s, approved_at = now(), approval_reason = %s, payment_id = %s"
        f" WHERE id = %s AND {OPEN}",
        (approved_by, reason, payment_id, id),
    )
    return approved.rowcount == 1


def reject(connection: Connection, id: str, rejected_by: str, reason: str) -> bool:
    """Record who rejects the proposal, and why; False if it is decided already."""
    rejected = connection.exec_driver_sql(
        f"UPDATE adjustments SET rejected_by = %s, rejected_at = now(), rejection_reason = %s WHERE id = %s AND {OPEN}",
        (rejected_by, reason, id),
    )
    return rejected.rowcount == 1


APPROVED = """
SELECT a.payment_id::text, a.account_id::text, a.direction = 'credit' AS is_credit, a.amount, a.currency,
       a.approved_by::text AS approver_id
FROM adjustments a JOIN users p ON p.id = a.proposed_by JOIN users q ON q.id = a.approved_by
WHERE a.payment_id = ANY(%s::uuid[]) AND p.id <> q.id AND p.role = 'ops' AND q.role = 'ops'
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
