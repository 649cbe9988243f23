"""The JSON of the fake: wallets, payments and what belongs to them, as their viewer sees them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from payments_client.testing.books import Books, FakeEvent, FakeOperation, FakeWallet, failure_json
from payments_client.testing.money import plain, text
from payments_client.testing.payment import FINAL, FakePayment, Step
from payments_client.testing.people import User

AMOUNTS = ("per_charge", "per_day")


def wallet_json(wallet: FakeWallet) -> dict[str, Any]:
    """A wallet as its owner sees it."""

    def limit(given: dict[str, Any]) -> dict[str, Any]:
        amounts = {name: given.get(name) and text(Decimal(given[name]), wallet.currency) for name in AMOUNTS}
        return {"merchant": given.get("merchant"), **amounts}

    return {
        "token": wallet.token,
        "label": wallet.label,
        "currency": wallet.currency,
        "balance": text(wallet.balance, wallet.currency),
        "held": text(wallet.held, wallet.currency),
        "available": text(wallet.available, wallet.currency),
        "is_active": wallet.is_active,
        "is_frozen": False,
        "charge_limits": [limit(given) for given in wallet.charge_limits],
        "blocked_merchants": wallet.blocked_merchants,
        "created_at": wallet.created_at.isoformat(),
    }


class View:
    """What a viewer sees of a payment: who bears the commission sees it, and a token is for who may know it."""

    def __init__(self, payment: FakePayment, viewer: User) -> None:
        self.payment, self.viewer = payment, viewer
        self.owns_source, self.owns_target = (
            isinstance(side, FakeWallet) and side.owner is viewer for side in (payment.source, payment.target)
        )
        is_borne_by_target = payment.type == "charge" or not isinstance(payment.source, FakeWallet)
        self.sees_commission = self.owns_target if is_borne_by_target else self.owns_source
        arrived = payment.moved - (Decimal(0) if payment.type == "refund" else payment.commission)
        received = (payment.offer.target_amount, payment.offer.rate.target) if payment.offer else None
        self.arrived, self.arrived_currency = received or (arrived, payment.currency)

    def _other(self) -> str | None:
        """The amount for those who do not see the commission."""
        payment = self.payment
        if payment.type == "transfer" and payment.state not in FINAL and not payment.offer:
            return None
        if self.owns_target:
            return text(self.arrived, self.arrived_currency)
        return text(payment.moved, payment.currency)

    def amounts(self) -> dict[str, Any]:
        """The members that depend on who looks."""
        payment, sees = self.payment, self.sees_commission
        arrived = text(self.arrived, self.arrived_currency)
        is_converted = self.owns_target and not sees
        return {
            "amount": text(payment.amount, payment.currency) if sees else self._other(),
            "currency": self.arrived_currency if is_converted else payment.currency,
            "commission": text(payment.commission, payment.currency) if sees else None,
            "target_amount": arrived if sees or payment.offer else self._other(),
            "target_currency": self.arrived_currency,
            "rate": plain(payment.offer.rate.rate) if payment.offer else None,
            "balance_after": self._balance(),
        }

    def _balance(self) -> str | None:
        own = self.payment.source if self.owns_source else self.payment.target if self.owns_target else None
        after = [o.balance_after for o in self.payment.operations if o.account is own]
        return text(after[-1], own.currency) if after and isinstance(own, FakeWallet) else None

    def party(self, side: FakeWallet | str) -> dict[str, str | None]:
        """A side, with its token for its owner, and for who gave it."""
        if isinstance(side, str):
            return {"wallet": None, "name": side, "last4": None}
        gave = self.payment.user is self.viewer and side.token in self.payment.tokens
        token = side.token if side.owner is self.viewer or gave else None
        return {"wallet": token, "name": side.owner.name, "last4": side.token[-4:]}


def payment_json(payment: FakePayment, viewer: User) -> dict[str, Any]:
    """A payment as the viewer sees it."""
    view, given, payee = View(payment, viewer), payment.given, payment.payee
    is_charge, is_waiting = payment.type == "charge", payment.state == "INITIATED"
    captured = payment.captured if payment.state == "COMPLETED" else Decimal(0)
    due = payment.scheduled_at or payment.created_at
    return {
        "id": payment.id,
        "type": payment.type,
        "state": payment.state,
        "source": view.party(payment.source),
        "target": {"wallet": None, "name": payee.name, "last4": payee.iban[-4:]}
        if payee
        else view.party(payment.target),
        **view.amounts(),
        "summary": given.get("summary"),
        "reference": given.get("reference"),
        "metadata": given.get("metadata") if payment.user is viewer else None,
        "failure": failure_json(payment.failure),
        "attempts": 0,
        "next_attempt_at": due.isoformat() if is_waiting else None,
        "paused": None,
        "captured_amount": text(captured, payment.currency) if is_charge else None,
        "refunded_amount": text(payment.refunded, payment.currency) if is_charge else None,
        "merchant": payment.user.id if is_charge else None,
        "reason": given.get("reason"),
        "parent": payment.parent.id if payment.parent else None,
        "bulk": payment.bulk.id if payment.bulk else None,
        "scheduled_at": iso(payment.scheduled_at),
        "expires_at": given.get("expires_at"),
        "created_at": payment.created_at.isoformat(),
        "finalized_at": iso(payment.finalized_at),
    }


def operations_json(payment: FakePayment, viewer: User) -> list[dict[str, Any]]:
    """The double entry of a payment; that of the commission is for those who see it."""
    view = View(payment, viewer)

    def row(line: int, operation: FakeOperation) -> dict[str, Any]:
        account = operation.account
        is_owner = isinstance(account, FakeWallet) and account.owner is viewer
        party = view.party(account) | {
            "wallet": account.token if is_owner and isinstance(account, FakeWallet) else None
        }
        return {
            "line": line,
            "account": party,
            "amount": text(operation.amount, operation.currency),
            "currency": operation.currency,
            "kind": operation.kind,
            "balance_after": text(operation.balance_after, operation.currency) if is_owner else None,
            "created_at": operation.created_at.isoformat(),
        }

    shown = [(n, o) for n, o in enumerate(payment.operations) if view.sees_commission or o.kind != "commission"]
    return [row(line, operation) for line, operation in shown]


def timeline_json(payment: FakePayment, viewer: User) -> list[dict[str, Any]]:
    """The steps of a payment, each with the time since the one before."""

    def row(step: Step, before: Step | None) -> dict[str, Any]:
        own = payment.user is viewer and step.actor == "maker"
        return {
            "at": step.at.isoformat(),
            "step": step.step,
            "actor": step.actor,
            "actor_id": step.actor_id if own else None,
            "attempt": None,
            "waited_seconds": round((step.at - before.at).total_seconds(), 3) if before else None,
            "next_attempt_at": None,
            "outcome": step.outcome,
            "reason": None,
            "error": None,
            "failure": failure_json(payment.failure) if step.step == "failed" else None,
            "payment": step.payment,
        }

    steps = payment.steps
    return [row(step, before) for step, before in zip(steps, [None, *steps], strict=False)]


def history_json(payment: FakePayment, wallet: FakeWallet) -> dict[str, Any]:
    """What a decided payment did to the wallet; an amount that left it is negative."""
    is_incoming, is_done = payment.target is wallet, payment.state == "COMPLETED"
    other = payment.source if is_incoming else payment.target
    is_outside = not isinstance(other, FakeWallet)
    bears = is_incoming == (payment.type == "charge" or (is_incoming and is_outside))
    offer = payment.offer if is_incoming else None
    currency = wallet.currency if is_done else offer.rate.target if offer else payment.currency
    ordered = offer.target_amount if offer else payment.amount if is_incoming else -payment.amount
    own = [operation for operation in payment.operations if operation.account is wallet]
    amount = sum((operation.amount for operation in own), Decimal(0)) if is_done else ordered
    return {
        "payment": payment.id,
        "type": payment.type,
        "success": is_done,
        "amount": text(amount, currency),
        "currency": currency,
        "commission": text(payment.commission, payment.currency) if bears else None,
        "balance_after": text(own[-1].balance_after, currency) if own else None,
        "counterparty": {
            "name": other.owner.name if isinstance(other, FakeWallet) else other,
            "last4": other.token[-4:] if isinstance(other, FakeWallet) else None,
        },
        "summary": payment.given.get("summary"),
        "reference": payment.given.get("reference"),
        "failure": failure_json(payment.failure),
        "created_at": payment.created_at.isoformat(),
        "finalized_at": iso(payment.finalized_at),
    }


def event_json(event: FakeEvent, viewer: User) -> dict[str, Any]:
    """An event as the feed and webhooks have it for the viewer."""
    subject = event.subject
    return {
        "id": str(event.sequence),
        "type": event.type,
        "timestamp": event.timestamp,
        "version": event.version,
        "data": payment_json(subject, viewer) if isinstance(subject, FakePayment) else subject.body(),
    }


def concerns(event: FakeEvent, user: User) -> bool:
    """Whether the user is told of the event."""
    subject = event.subject
    return is_visible(subject, user) if isinstance(subject, FakePayment) else subject.user is user


def is_visible(payment: FakePayment, user: User) -> bool:
    """Whether the user ordered the payment or owns one of its wallets."""
    return user is payment.user or any(wallet.owner is user for wallet in payment.wallets)


def visible_payments(books: Books, user: User) -> list[FakePayment]:
    """The payments that the user sees, the newest first."""
    return [payment for payment in reversed(books.payments.values()) if is_visible(payment, user)]


def iso(time: datetime | None) -> str | None:
    """The time in ISO 8601."""
    return time.isoformat() if time else None
