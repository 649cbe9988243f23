"""How payments, operations and wallets look to whoever asks: who sees what is decided here alone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from gateway.acceptance.payment_request import PaymentRequest
from gateway.auth.tokens import Caller
from models.account import Party, Wallet
from models.adjustment import Adjustment
from models.audit import AuditEntry
from models.bulk import Bulk
from models.currency import Currency
from models.operation import OperationView
from models.payment_stuck import StuckPayment
from models.payment_view import Payee, PaymentView
from models.representations import amount_or_none, iso, party_body, sees_commission
from models.rules.charge_limits import ChargeLimit
from models.rules.money import render
from models.rules.state import State
from models.rules.types import OperationKind

VERSION_OF_NEW = 1


class AcceptedPayment(NamedTuple):
    """A payment about to be answered; `is_replay` when its key had been used before."""

    view: PaymentView
    is_replay: bool


def new_payment(order: PaymentRequest, source: Party, target: Party, created_at: datetime) -> AcceptedPayment:
    """The payment just kept, without reading it again."""
    due_at = max(created_at, order.scheduled_at or created_at)
    payee = Payee(order.counterparty.name, order.counterparty.iban[-4:]) if order.counterparty else None
    view = PaymentView(
        order.id, order.type.value, State.INITIATED.value, order.user_id, order.amount, order.currency, order.digits, 0,
        order.summary, order.reference, order.metadata, None, 0, due_at, None, created_at, None, VERSION_OF_NEW,
        order.capture, None, order.scheduled_at, order.expires_at, order.parent, order.reason, 0, source, target, None,
        None, order.arrival, None, payee,
    )  # fmt: skip
    return AcceptedPayment(view, is_replay=False)


def etag(version: int | str, caller: Caller) -> str:
    """An entity tag: of this version, as this viewer sees it."""
    return f'"{version}-{caller.id[-12:]}"'


def etag_of(subject: PaymentView | Bulk, caller: Caller) -> str:
    """The entity tag of a payment or bulk; a charge's version does not count its refunds."""
    refunded = subject.refunded if isinstance(subject, PaymentView) else 0
    return etag(f"{subject.version}.{refunded}" if refunded else subject.version, caller)


def payment_headers(shown: AcceptedPayment, caller: Caller) -> dict[str, str]:
    """ETag, Location, Retry-After while the payment is not final, and whether it is a replay."""
    view = shown.view
    headers = {"ETag": etag_of(view, caller), "Location": f"/v1/payments/{view.id}"}
    if view.finalized_at is None:
        headers["Retry-After"] = "1"
    if shown.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return headers


def operation_bodies(rows: Iterable[OperationView], view: PaymentView, caller: Caller) -> list[dict[str, Any]]:
    """The operations of a payment; those of commission only for whoever may see that."""
    is_told = sees_commission(view, caller)
    return [operation_body(row, caller) for row in rows if is_told or row.kind != OperationKind.COMMISSION]


def operation_body(view: OperationView, caller: Caller) -> dict[str, Any]:
    """One side of the double entry; the balance it left is its owner's to see."""
    is_owner = view.owner_id == caller.id
    party = Party(view.account_id, view.token, view.owner_id, view.currency, view.name)
    return {
        "line": view.line,
        "account": party_body(party, caller, is_owner),
        "amount": render(view.amount, view.digits),
        "currency": view.currency,
        "kind": view.kind,
        "balance_after": (render(view.balance_after, view.digits) if is_owner or caller.reads_all else None),
        "created_at": view.created_at.isoformat(),
    }


def wallet_body(wallet: Wallet) -> dict[str, Any]:
    """The wallet as its owner sees it."""
    return {
        "token": wallet.token,
        "label": wallet.label,
        "currency": wallet.currency,
        "balance": render(wallet.balance, wallet.digits),
        "held": render(wallet.held, wallet.digits),
        "available": render(wallet.available, wallet.digits),
        "is_active": wallet.is_active,
        "charge_limits": [limit_body(limit, wallet.digits) for limit in wallet.charge_limits],
        "blocked_merchants": list(wallet.blocked_merchants),
        "created_at": wallet.created_at.isoformat(),
    }


def limit_body(limit: ChargeLimit, digits: int) -> dict[str, Any]:
    """The limit, with its amounts in a currency of so many digits."""
    return {
        "merchant": limit.merchant_id,
        "per_charge": amount_or_none(limit.per_charge, digits),
        "per_day": amount_or_none(limit.per_day, digits),
    }


def account_body(wallet: Wallet) -> dict[str, Any]:
    """The wallet as ops see it: without its token."""
    shown = wallet_body(wallet)
    token = shown.pop("token")
    return {
        "id": wallet.id,
        "owner": wallet.owner_id,
        "last4": token[-4:],
        **shown,
        "is_frozen": wallet.is_frozen,
    }


def stuck_body(row: StuckPayment) -> dict[str, Any]:
    """The payment as ops see it while it does not post."""
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
    """The adjustment as ops see it."""
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


def audit_body(line: AuditEntry) -> dict[str, Any]:
    """The line as it was written."""
    return {**line._asdict(), "created_at": line.created_at.isoformat()}


def currency_body(currency: Currency) -> dict[str, Any]:
    """The currency, with its bounds as amounts."""
    minimum, maximum, most = currency.minimum, currency.maximum, currency.balance_maximum
    return {
        "code": currency.code,
        "digits": currency.digits,
        "kind": currency.kind,
        "name": currency.name,
        "minimum": None if minimum is None else render(minimum, currency.digits),
        "maximum": None if maximum is None else render(maximum, currency.digits),
        "balance_maximum": None if most is None else render(most, currency.digits),
        "is_active": currency.is_active,
    }
