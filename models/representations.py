"""JSON of payments, bulks and events, with the values that a viewer may see.

The same for answers of the gateway and for webhooks sent by workers.
"""

from datetime import datetime
from typing import Any, Protocol

from models.account import Party
from models.bulk import Bulk
from models.event import Event
from models.paused_payment import PausedPayment
from models.payment_view import ConvertedAmount, PaymentView
from models.rules.charge_limits import ChargeLimit
from models.rules.exchange import rate_text
from models.rules.failure_codes import MESSAGES, Failure
from models.rules.money import render
from models.rules.state import State
from models.rules.types import PaymentType
from models.rules.visibility import SEES_COMMISSION, VISIBLE, decide
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
    """Whether the viewer bears the commission of the payment (or got it back), or may read all."""
    return bool(_facts(view, viewer)["sees_commission"])


def _facts(view: PaymentView, viewer: ViewerLike) -> dict[str, Any]:
    """What `models/rules/visibility.py` decides by; an amount is in minor units, with its digits."""
    is_initiator = view.user_id == viewer.id
    gave_tokens = is_initiator and view.type != PaymentType.ADJUSTMENT  # which names an account, not its token
    moved = view.captured_amount or view.amount
    arrived = moved if view.type == PaymentType.REFUND else moved - view.commission
    there = view.conversion or ConvertedAmount(arrived, view.currency, view.digits, 0)
    facts: dict[str, Any] = {
        "always": True,
        "nothing": None,
        "reads_all": viewer.reads_all,
        "is_initiator": is_initiator,
        "owns_source": view.source.owner_id == viewer.id,
        "owns_target": view.target.owner_id == viewer.id,
        "is_borne_by_target": view.type == PaymentType.CHARGE or view.source.owner_id is None,
        "is_exchanged": view.conversion is not None,
        "is_undecided": view.type == PaymentType.TRANSFER and view.finalized_at is None and view.conversion is None,
        "gave_source": gave_tokens and not view.source.is_token_newer,
        "gave_target": gave_tokens and not view.target.is_token_newer,
        "source_token": view.source.token,
        "target_token": view.target.token,
        "amount": (view.amount, view.digits),
        "commission": (view.commission, view.digits),
        "moved": (moved, view.digits),
        "arrived": (there.amount, there.digits),
        "currency": view.currency,
        "arrived_currency": there.currency,
        "metadata": view.metadata,
        "source_balance": (view.source_balance_after, view.digits),
        "target_balance": (view.target_balance_after, there.digits),
    }
    facts["sees_commission"] = decide(SEES_COMMISSION, facts)
    return facts


def payment_body(view: PaymentView, viewer: ViewerLike) -> dict[str, Any]:
    """The payment as the viewer may see it."""
    facts = _facts(view, viewer)
    visible = {name: decide(rule, facts) for name, rule in VISIBLE.items()}
    is_waiting = view.state == State.INITIATED and view.parked_at is None and view.paused is None
    is_charge = view.type == PaymentType.CHARGE
    captured = facts["moved"] if view.state == State.COMPLETED else (0, view.digits)
    payee = {"wallet": None, **view.payee._asdict()} if view.payee else None
    return {
        "id": view.id,
        "type": view.type,
        "state": view.state,
        "source": party_body(view.source, visible["source"]),
        "target": payee or party_body(view.target, visible["target"]),
        "amount": _amount(visible["amount"]),
        "currency": visible["currency"],
        "commission": _amount(visible["commission"]),
        "target_amount": _amount(visible["target_amount"]),
        "target_currency": facts["arrived_currency"],
        "rate": rate_text(view.conversion.rate) if view.conversion else None,
        "summary": view.summary,
        "reference": view.reference,
        "metadata": visible["metadata"],
        "failure": failure_body(view.failure_code),
        "attempts": view.attempts,
        "next_attempt_at": view.due_at.isoformat() if is_waiting else None,
        "paused": view.paused and _paused_body(view.paused, viewer),
        "captured_amount": _amount(captured) if is_charge else None,
        "refunded_amount": render(view.refunded, view.digits) if is_charge else None,
        "balance_after": _amount(visible["balance_after"]),
        "merchant": view.user_id if is_charge else None,
        "reason": view.reason,
        "parent": view.parent_id,
        "bulk": view.bulk_id,
        "scheduled_at": iso(view.scheduled_at),
        "expires_at": iso(view.expires_at),
        "created_at": view.created_at.isoformat(),
        "finalized_at": iso(view.finalized_at),
    }


def _paused_body(paused: PausedPayment, viewer: ViewerLike) -> dict[str, str | None]:
    """Since and until when the payment is set aside; the reason is for ops."""
    reason = paused.reason if viewer.reads_all else None
    return {"reason": reason, "since": iso(paused.since), "until": iso(paused.until)}


def _amount(amount: tuple[int | None, int] | None) -> str | None:
    return None if amount is None else amount_or_none(*amount)


def amount_or_none(minor: int | None, digits: int) -> str | None:
    """The amount as a decimal string, or None."""
    return None if minor is None else render(minor, digits)


def iso(time: datetime | None) -> str | None:
    """The time in ISO 8601, or None."""
    return None if time is None else time.isoformat()


def party_body(party: Party, token: str | None) -> dict[str, str | None]:
    """One side of a payment, with its token for those who may see it."""
    return {
        "wallet": token,
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
        "payment_types": endpoint.payment_types,
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


def limit_body(limit: ChargeLimit, digits: int) -> dict[str, Any]:
    """The limit, with amounts in a currency with this number of digits."""
    return {
        "merchant": limit.merchant_id,
        "per_charge": amount_or_none(limit.per_charge, digits),
        "per_day": amount_or_none(limit.per_day, digits),
    }
