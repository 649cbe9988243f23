"""JSON of payments, bulks and events, with the values that a viewer may see.

The same for answers of the gateway and for webhooks sent by workers.
"""

from datetime import datetime
from typing import Any, Protocol

from models.account import Party
from models.bulk import Bulk
from models.event import Event
from models.payment_view import ConvertedAmount, PaymentView
from models.rules.exchange import rate_text
from models.rules.failure_codes import MESSAGES, Failure
from models.rules.money import render
from models.rules.state import State
from models.rules.types import PaymentType
from models.webhook_endpoint import Endpoint


class ViewerLike(Protocol):
    """The user who reads, and whether they may read everything."""

    @property
    def id(self) -> str | None: ...

    @property
    def reads_all(self) -> bool: ...


def is_visible(view: PaymentView, viewer: ViewerLike) -> bool:
    """Whether the viewer ordered the payment, owns one of its wallets, or may read all."""
    return viewer.id in (view.user_id, view.source.owner_id, view.target.owner_id) or viewer.reads_all


def is_bulk_visible(bulk: Bulk, viewer: ViewerLike) -> bool:
    """Whether the viewer created the bulk, or may read all."""
    return bulk.user_id == viewer.id or viewer.reads_all


def sees_commission(view: PaymentView, viewer: ViewerLike) -> bool:
    """Whether the viewer bears the commission of the payment (or got it back), or may read all.

    The merchant bears that of a charge and of its refunds, the owner that of a deposit, otherwise the payer does.
    """
    is_borne_by_target = view.type == PaymentType.CHARGE or view.source.owner_id is None
    bearer = view.target if is_borne_by_target else view.source
    return bearer.owner_id == viewer.id or viewer.reads_all


def payment_body(view: PaymentView, viewer: ViewerLike) -> dict[str, Any]:
    """The payment as the viewer may see it; without the commission, its payee sees the amount that arrived, others the
    amount that left.

    The amount that arrives of a transfer is known once its commission is taken: until then its payee sees none.
    """
    is_initiator = view.user_id == viewer.id
    gave_token = is_initiator and view.type != PaymentType.ADJUSTMENT  # which names an account, not its token
    is_waiting = view.state == State.INITIATED and view.parked_at is None
    is_charge = view.type == PaymentType.CHARGE
    sees_all = is_initiator or viewer.reads_all
    moved = view.captured_amount or view.amount
    arrived = moved if view.type == PaymentType.REFUND else moved - view.commission
    amount, sees_fee = view.amount, sees_commission(view, viewer)
    if not sees_fee:
        amount = arrived = arrived if view.target.owner_id == viewer.id else moved
    there = view.conversion or ConvertedAmount(arrived, view.currency, view.digits, 0)
    here = (
        ConvertedAmount(amount, view.currency, view.digits, 0)
        if sees_fee or viewer.id != view.target.owner_id
        else there
    )
    is_unknown = (
        not sees_fee and view.type == PaymentType.TRANSFER and view.finalized_at is None and view.conversion is None
    )
    balance = None
    if view.source.owner_id == viewer.id:
        balance = amount_or_none(view.source_balance_after, view.digits)
    elif view.target.owner_id == viewer.id:
        balance = amount_or_none(view.target_balance_after, there.digits)
    captured = moved if view.state == State.COMPLETED else 0
    return {
        "id": view.id,
        "type": view.type,
        "state": view.state,
        "source": party_body(view.source, viewer, gave_token),
        "target": {"wallet": None, **view.payee._asdict()}
        if view.payee
        else party_body(view.target, viewer, gave_token),
        "amount": None if is_unknown else render(here.amount, here.digits),
        "currency": here.currency,
        "commission": render(view.commission, view.digits) if sees_fee else None,
        "target_amount": None if is_unknown else render(there.amount, there.digits),
        "target_currency": there.currency,
        "rate": rate_text(there.rate) if view.conversion else None,
        "summary": view.summary,
        "reference": view.reference,
        "metadata": view.metadata if sees_all else None,
        "failure": failure_body(view.failure_code),
        "attempts": view.attempts,
        "next_attempt_at": view.due_at.isoformat() if is_waiting else None,
        "captured_amount": render(captured, view.digits) if is_charge else None,
        "refunded_amount": render(view.refunded, view.digits) if is_charge else None,
        "balance_after": balance,
        "merchant": view.user_id if is_charge else None,
        "reason": view.reason,
        "parent": view.parent_id,
        "bulk": view.bulk_id,
        "scheduled_at": iso(view.scheduled_at),
        "expires_at": iso(view.expires_at),
        "created_at": view.created_at.isoformat(),
        "finalized_at": iso(view.finalized_at),
    }


def amount_or_none(minor: int | None, digits: int) -> str | None:
    """The amount as a decimal string, or None."""
    return None if minor is None else render(minor, digits)


def iso(time: datetime | None) -> str | None:
    """The time in ISO 8601, or None."""
    return None if time is None else time.isoformat()


def party_body(party: Party, viewer: ViewerLike, gave_token: bool) -> dict[str, str | None]:
    """One side of a payment; only its owner and the user who sent it see the token: merchants may charge by it."""
    knows = party.owner_id == viewer.id or (gave_token and not party.is_token_newer)
    return {
        "wallet": party.token if knows else None,
        "name": party.name,
        "last4": party.token[-4:] if party.token else None,
    }


def failure_body(code: str | None) -> dict[str, Any] | None:
    """The reason why the payment FAILED, with a sentence for people."""
    if code is None:
        return None
    reason = Failure(code)
    return {"code": code, "message": MESSAGES[reason], "retryable": reason.is_retryable}


def bulk_body(bulk: Bulk) -> dict[str, Any]:
    """The stored bulk."""
    done = {"authorized": bulk.authorized, "completed": bulk.completed, "failed": bulk.failed}
    return {
        "id": bulk.id,
        "kind": bulk.kind,
        "state": bulk.state,
        "mode": bulk.mode,
        "is_open": bulk.is_open,
        "bank_account": bulk.bank_account_id,
        "total": render(bulk.total, bulk.digits),
        "currency": bulk.currency,
        "counts": {"lines": bulk.lines, "initiated": bulk.lines - sum(done.values()), **done},
        "failure": failure_body(bulk.failure_code),
        "created_at": bulk.created_at.isoformat(),
        "finalized_at": bulk.finalized_at.isoformat() if bulk.finalized_at else None,
    }


def endpoint_body(endpoint: Endpoint) -> dict[str, Any]:
    """The webhook endpoint as its owner sees it: without its secrets, which are shown only once."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "description": endpoint.description,
        "is_active": endpoint.is_active,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": iso(endpoint.failing_since),
        "created_at": endpoint.created_at.isoformat(),
    }


def event_body(event: Event, data: dict[str, Any]) -> dict[str, Any]:
    """The event, with `data` as the current state of its subject."""
    return {
        "id": str(event.sequence),
        "type": event.name,
        "timestamp": event.created_at.isoformat(),
        "version": event.version,
        "data": data,
    }
