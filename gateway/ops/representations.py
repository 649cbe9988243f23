"""The JSON of stuck payments, selections, batches and the audit log."""

from typing import Any

from models.batch import Batch, BatchItem
from models.ops_payment import stuck_body
from models.representations import iso
from models.rules.money import render
from models.selection import Selection


def selection_body(chosen: Selection) -> dict[str, Any]:
    """What a filter selects."""
    return {
        "selection": chosen.id,
        "expires_at": iso(chosen.expires_at),
        "count": chosen.number,
        "has_more": chosen.has_more,
        "totals": [
            {"currency": total.currency, "count": total.number, "amount": render(total.amount, total.digits)}
            for total in chosen.totals
        ],
        "oldest_created_at": iso(chosen.oldest_created_at),
        "errors": [{"error": entry.error, "count": entry.number} for entry in chosen.errors],
        "payments": [stuck_body(row) for row in chosen.payments],
    }


def batch_body(batch: Batch) -> dict[str, Any]:
    """A batch."""
    return {
        "id": batch.id,
        "state": batch.state,
        "user": batch.user_id,
        "reason": batch.reason,
        "filter": batch.filter,
        "total": batch.total,
        "waiting": batch.waiting,
        "retried": batch.retried,
        "skipped": batch.skipped,
        "created_at": batch.created_at.isoformat(),
        "ended_at": iso(batch.ended_at),
        "stopped_at": iso(batch.stopped_at),
        "stopped_by": batch.stopped_by,
        "stop_reason": batch.stop_reason,
    }


def batch_item_body(item: BatchItem) -> dict[str, Any]:
    """A payment of a batch and its outcome."""
    return {
        "payment": item.id,
        "outcome": item.outcome,
        "skip_reason": item.skip_reason,
        "decided_at": iso(item.decided_at),
        "type": item.type,
        "amount": render(item.amount, item.digits),
        "currency": item.currency,
        "state": item.state,
        "failure": item.failure_code,
        "last_error": item.last_error,
    }
