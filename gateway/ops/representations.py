"""The JSON of stuck payments, adjustments and the audit log."""

from typing import Any

from models.adjustment import Adjustment
from models.audit import AuditEntry
from models.payment_stuck import StuckPayment
from models.representations import iso
from models.rules.money import render


def stuck_body(row: StuckPayment) -> dict[str, Any]:
    """A stuck payment, as shown to ops."""
    return {
        "id": row.id,
        "type": row.type,
        "amount": render(row.amount, row.digits),
        "currency": row.currency,
        "user": row.user_id,
        "created_at": row.created_at.isoformat(),
        "due_at": row.due_at.isoformat(),
        "attempts": row.attempts,
        "last_error": row.last_error,
        "parked_at": row.parked_at.isoformat() if row.parked_at else None,
    }


def adjustment_body(adjustment: Adjustment) -> dict[str, Any]:
    """An adjustment, without the wallet token."""
    return {
        "id": adjustment.id,
        "state": adjustment.state,
        "account": adjustment.account_id,
        "wallet": None,
        "direction": adjustment.direction,
        "amount": render(adjustment.amount, adjustment.digits),
        "currency": adjustment.currency,
        "reason": adjustment.reason,
        "proposed_by": adjustment.proposed_by,
        "created_at": adjustment.created_at.isoformat(),
        "approved_by": adjustment.approved_by,
        "approved_at": iso(adjustment.approved_at),
        "approval_reason": adjustment.approval_reason,
        "payment": adjustment.payment_id,
        "rejected_by": adjustment.rejected_by,
        "rejected_at": iso(adjustment.rejected_at),
        "rejection_reason": adjustment.rejection_reason,
    }


def audit_body(entry: AuditEntry) -> dict[str, Any]:
    """An entry of the audit log."""
    return {**entry._asdict(), "created_at": entry.created_at.isoformat()}
