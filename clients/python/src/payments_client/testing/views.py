"""The JSON of the fake: wallets and payments as their viewer sees them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from payments_client.testing.books import DIGITS, FAILURES, FINAL, FakePayment, FakeWallet, User


def amount(value: Decimal, currency: str) -> str:
    """The amount with exactly the digits of its currency."""
    return f"{value:.{DIGITS[currency]}f}"


def wallet_json(wallet: FakeWallet) -> dict[str, Any]:
    """A wallet as its owner sees it."""
    balance, held = (amount(value, wallet.currency) for value in (wallet.balance, wallet.held))
    return {
        "token": wallet.token,
        "label": wallet.label,
        "currency": wallet.currency,
        "balance": balance,
        "held": held,
        "available": amount(wallet.balance - wallet.held, wallet.currency),
        "is_active": wallet.is_active,
        "is_frozen": False,
        "charge_limits": [],
        "blocked_merchants": [],
        "created_at": wallet.created_at.isoformat(),
    }


def payment_json(payment: FakePayment, viewer: User) -> dict[str, Any]:
    """A payment as the viewer sees it: who bears the commission sees it, and a token is for who may know it."""

    def shown(value: Decimal) -> str:
        return amount(value, payment.currency)

    is_charge, is_final = payment.type == "charge", payment.state in FINAL
    owns_target = payment.target.owner is viewer
    owns_source = isinstance(payment.source, FakeWallet) and payment.source.owner is viewer
    bears = owns_target if payment.type in ("charge", "deposit") else owns_source
    is_undecided = payment.type == "transfer" and not is_final and not bears
    own = payment.source if owns_source else payment.target if owns_target else None
    after = payment.balances.get(own.token) if isinstance(own, FakeWallet) else None
    message, retryable = FAILURES.get(payment.failure or "", ("", False))
    is_waiting = payment.state == "INITIATED"
    due = payment.scheduled_at or payment.created_at
    given = payment.given
    return {
        "id": payment.id,
        "type": payment.type,
        "state": payment.state,
        "source": _party(payment.source, payment.user, viewer),
        "target": _party(payment.target, payment.user, viewer),
        "amount": shown(payment.amount) if bears else None if is_undecided else shown(payment.moved),
        "currency": payment.currency,
        "commission": shown(Decimal(0)) if bears else None,
        "target_amount": None if is_undecided else shown(payment.moved),
        "target_currency": payment.currency,
        "rate": None,
        "summary": given.get("summary"),
        "reference": given.get("reference"),
        "metadata": given.get("metadata") if payment.user is viewer else None,
        "failure": {"code": payment.failure, "message": message, "retryable": retryable} if payment.failure else None,
        "attempts": 0,
        "next_attempt_at": due.isoformat() if is_waiting else None,
        "paused": None,
        "captured_amount": shown(payment.captured) if is_charge else None,
        "refunded_amount": shown(payment.refunded) if is_charge else None,
        "balance_after": None if after is None else shown(after),
        "merchant": payment.user.id if is_charge else None,
        "reason": given.get("reason"),
        "parent": payment.parent.id if payment.parent else None,
        "bulk": None,
        "scheduled_at": _iso(payment.scheduled_at),
        "expires_at": given.get("expires_at"),
        "created_at": payment.created_at.isoformat(),
        "finalized_at": _iso(payment.finalized_at),
    }


def _party(side: FakeWallet | str, initiator: User, viewer: User) -> dict[str, str | None]:
    if isinstance(side, str):
        return {"wallet": None, "name": side, "last4": None}
    may_know = viewer in (side.owner, initiator)
    return {"wallet": side.token if may_know else None, "name": side.owner.name, "last4": side.token[-4:]}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
