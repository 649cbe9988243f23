"""How payments, operations and wallets look to whoever asks: who sees what is decided here alone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from gateway.auth import Caller
from gateway.orders import Order
from models.account import Party, Wallet
from models.adjustment import Adjustment
from models.audit import Line
from models.currency import Currency
from models.operation import OperationView
from models.payment_view import Arrival, Payee, PaymentView
from models.rules.exchange import rate_text
from models.rules.failure import MESSAGES, Failure
from models.rules.limits import ChargeLimit
from models.rules.money import render
from models.rules.state import State
from models.rules.values import Kind, PaymentType
from models.stuck import Stuck

READ_ALL = "payments:read-all"
VERSION_OF_NEW = 1


class Shown(NamedTuple):
    """A payment about to be answered; `is_replay` when its key had been used before."""

    view: PaymentView
    is_replay: bool


def fresh(order: Order, source: Party, target: Party, created_at: datetime) -> Shown:
    """The payment just kept, without reading it again."""
    due_at = max(created_at, order.scheduled_at or created_at)
    payee = Payee(order.counterparty.name, order.counterparty.iban[-4:]) if order.counterparty else None
    view = PaymentView(
        order.id, order.type.value, State.INITIATED.value, order.user_id, order.amount, order.currency, order.digits, 0,
        order.summary, order.reference, order.metadata, None, 0, due_at, None, created_at, None, VERSION_OF_NEW,
        order.capture, None, order.scheduled_at, order.expires_at, order.parent, order.reason, 0, source, target, None,
        None, order.arrival, None, payee,
    )  # fmt: skip
    return Shown(view, is_replay=False)


def is_visible(view: PaymentView, caller: Caller) -> bool:
    """Whether the caller ordered the payment, owns one of its wallets, or may read all."""
    return caller.id in (view.user_id, view.source.owner_id, view.target.owner_id) or READ_ALL in caller.scopes


def sees_commission(view: PaymentView, caller: Caller) -> bool:
    """Whether the caller bears the commission of the payment (or got it back), or may read all.

    The merchant bears that of a charge and of its refunds, the owner that of a deposit, otherwise the payer does.
    """
    is_borne_by_target = view.type == PaymentType.CHARGE or view.source.owner_id is None
    bearer = view.target if is_borne_by_target else view.source
    return bearer.owner_id == caller.id or READ_ALL in caller.scopes


def payment_body(view: PaymentView, caller: Caller) -> dict[str, Any]:
    """The payment as the caller may see it; who may not see the commission sees what left, or what arrived.

    What will arrive of a transfer is known when its commission is taken: until then its payee sees no amount.
    """
    is_maker = view.user_id == caller.id
    is_supplier = is_maker and view.type != PaymentType.ADJUSTMENT  # which names an account, not its token
    is_waiting = view.state == State.INITIATED and view.parked_at is None
    is_charge = view.type == PaymentType.CHARGE
    sees_all = is_maker or READ_ALL in caller.scopes
    moved = view.captured_amount or view.amount
    arrived = moved if view.type == PaymentType.REFUND else moved - view.commission
    amount, is_told = view.amount, sees_commission(view, caller)
    if not is_told:
        amount = arrived = arrived if view.target.owner_id == caller.id else moved
    there = view.arrival or Arrival(arrived, view.currency, view.digits, 0)
    here = Arrival(amount, view.currency, view.digits, 0) if is_told or caller.id != view.target.owner_id else there
    is_open = not is_told and view.type == PaymentType.TRANSFER and view.finalized_at is None and view.arrival is None
    balance = None
    if view.source.owner_id == caller.id:
        balance = _render(view.source_balance_after, view.digits)
    elif view.target.owner_id == caller.id:
        balance = _render(view.target_balance_after, there.digits)
    captured = moved if view.state == State.COMPLETED else 0
    return {
        "id": view.id,
        "type": view.type,
        "state": view.state,
        "source": side(view.source, caller, is_supplier),
        "target": {"wallet": None, **view.payee._asdict()} if view.payee else side(view.target, caller, is_supplier),
        "amount": None if is_open else render(here.amount, here.digits),
        "currency": here.currency,
        "commission": render(view.commission, view.digits) if is_told else None,
        "target_amount": None if is_open else render(there.amount, there.digits),
        "target_currency": there.currency,
        "rate": rate_text(there.rate) if view.arrival else None,
        "summary": view.summary,
        "reference": view.reference,
        "metadata": view.metadata if sees_all else None,
        "failure": failure(view.failure_code),
        "attempts": view.attempts,
        "next_attempt_at": view.due_at.isoformat() if is_waiting else None,
        "captured_amount": render(captured, view.digits) if is_charge else None,
        "refunded_amount": render(view.refunded, view.digits) if is_charge else None,
        "balance_after": balance,
        "merchant": view.user_id if is_charge else None,
        "reason": view.reason,
        "parent": view.parent_id,
        "bulk": view.bulk_id,
        "scheduled_at": _moment(view.scheduled_at),
        "expires_at": _moment(view.expires_at),
        "created_at": view.created_at.isoformat(),
        "finalized_at": _moment(view.finalized_at),
    }


def _render(minor: int | None, digits: int) -> str | None:
    return None if minor is None else render(minor, digits)


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def side(party: Party, caller: Caller, is_supplier: bool) -> dict[str, str | None]:
    """One side of a payment; its token, by which any merchant may charge it, only for its owner and who gave it."""
    knows = party.owner_id == caller.id or (is_supplier and not party.is_token_newer)
    return {
        "wallet": party.token if knows else None,
        "name": party.name,
        "last4": party.token[-4:] if party.token else None,
    }


def failure(code: str | None) -> dict[str, Any] | None:
    """Why the payment FAILED, with a sentence for people."""
    if code is None:
        return None
    reason = Failure(code)
    return {"code": code, "message": MESSAGES[reason], "retryable": reason.is_retryable}


def etag(version: int, caller: Caller) -> str:
    """An entity tag: of this version, as this viewer sees it."""
    return f'"{version}-{caller.id[-12:]}"'


def payment_headers(shown: Shown, caller: Caller) -> dict[str, str]:
    """ETag, Location, Retry-After while the payment is not final, and whether it is a replay."""
    view = shown.view
    headers = {"ETag": etag(view.version, caller), "Location": f"/v1/payments/{view.id}"}
    if view.finalized_at is None:
        headers["Retry-After"] = "1"
    if shown.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return headers


def operation_bodies(rows: Iterable[OperationView], view: PaymentView, caller: Caller) -> list[dict[str, Any]]:
    """The operations of a payment; those of commission only for whoever may see that."""
    is_told = sees_commission(view, caller)
    return [operation_body(row, caller) for row in rows if is_told or row.kind != Kind.COMMISSION]


def operation_body(view: OperationView, caller: Caller) -> dict[str, Any]:
    """One side of the double entry; the balance it left is its owner's to see."""
    is_owner = view.owner_id == caller.id
    party = Party(view.account_id, view.token, view.owner_id, view.currency, view.name)
    return {
        "line": view.line,
        "account": side(party, caller, is_owner),
        "amount": render(view.amount, view.digits),
        "currency": view.currency,
        "kind": view.kind,
        "balance_after": (render(view.balance_after, view.digits) if is_owner or READ_ALL in caller.scopes else None),
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
        "per_charge": _render(limit.per_charge, digits),
        "per_day": _render(limit.per_day, digits),
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


def stuck_body(row: Stuck) -> dict[str, Any]:
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
        "direction": adjustment.direction,
        "amount": render(adjustment.amount, adjustment.digits),
        "currency": adjustment.currency,
        "reason": adjustment.reason,
        "proposed_by": adjustment.proposed_by,
        "created_at": adjustment.created_at.isoformat(),
        "approved_by": adjustment.approved_by,
        "approved_at": _moment(adjustment.approved_at),
        "approval_reason": adjustment.approval_reason,
        "payment": adjustment.payment_id,
        "rejected_by": adjustment.rejected_by,
        "rejected_at": _moment(adjustment.rejected_at),
        "rejection_reason": adjustment.rejection_reason,
    }


def audit_body(line: Line) -> dict[str, Any]:
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
