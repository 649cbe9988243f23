"""What the fake keeps: users, wallets and payments, and how a payment is decided. It takes no commission."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

FAILURES = {
    "insufficient_funds": ("The payer's available balance does not cover the amount.", True),
    "account_unknown": ("An account of this payment does not exist.", False),
    "account_inactive": ("An account or user of this payment is inactive.", False),
    "account_frozen": ("An account of this payment is frozen.", False),
    "merchant_blocked": ("The payer has blocked this merchant.", False),
    "currency_mismatch": ("An account of this payment holds another currency.", False),
    "limit_exceeded": (
        "It would pass a limit: of the payee's balance, or of what the payer lets merchants take.",
        True,
    ),
    "not_permitted": ("The payment was ordered without the right to it.", False),
    "commission_exceeds_amount": ("The commission would leave nothing of the amount.", False),
    "quote_expired": ("The quote had expired, or was not for this payment.", False),
    "refund_exceeds_charge": ("More would be refunded than was charged.", False),
    "rejected_by_bank": ("The bank did not carry out the payment.", False),
    "canceled": ("The payment was canceled, or its hold released.", False),
    "canceled_by_ops": ("The operator canceled the payment, or released its hold.", False),
    "expired": ("The payment was not posted or captured in time.", False),
    "system_failure": ("The payment could not be posted.", True),
}
"""Every code with which a payment can fail: its message, and whether a new payment may succeed."""

DIGITS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "JPY": 0}
"""The currencies that the fake knows."""

FINAL = ("COMPLETED", "FAILED")


def now() -> datetime:
    """The time, aware."""
    return datetime.now(timezone.utc)


@dataclass
class User:
    """Someone with a token."""

    role: str
    name: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: f"pay_{secrets.token_hex(20)}")


@dataclass
class FakeWallet:
    """A wallet; `fails_with` is the code with which each payment out of or into it fails."""

    owner: User
    currency: str
    label: str | None = None
    balance: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    is_active: bool = True
    fails_with: str | None = None
    version: int = 1
    token: str = field(default_factory=lambda: f"wal_{secrets.token_hex(11)}")
    created_at: datetime = field(default_factory=now)


@dataclass
class FakePayment:
    """A payment, and what was ordered of it but is not decided yet."""

    type: str
    user: User
    source: FakeWallet | str
    target: FakeWallet
    amount: Decimal
    currency: str
    given: dict[str, Any]
    parent: FakePayment | None = None
    state: str = "INITIATED"
    failure: str | None = None
    ending: tuple[str, Decimal] | None = None
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    balances: dict[str, Decimal] = field(default_factory=dict)
    """After it was posted, by token of the wallet."""

    version: int = 1
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = field(default_factory=now)
    finalized_at: datetime | None = None

    @property
    def scheduled_at(self) -> datetime | None:
        text = self.given.get("scheduled_at")
        return datetime.fromisoformat(text) if text else None

    @property
    def wallets(self) -> list[FakeWallet]:
        return [wallet for wallet in (self.source, self.target) if isinstance(wallet, FakeWallet)]

    @property
    def moved(self) -> Decimal:
        return self.captured or self.amount

    def decide(self) -> bool:
        """Decide what can be decided now; returns whether the state has changed."""
        before = self.state
        if self.ending:
            action, amount = self.ending
            self.ending = None
            if before == "AUTHORIZED" and isinstance(self.source, FakeWallet):
                self.source.held -= self.amount
            if action == "capture":
                self._post(amount)
            else:
                self._end("FAILED", "canceled")
        elif before == "INITIATED" and not (self.scheduled_at and self.scheduled_at > now()):
            refusal = self._refusal()
            if refusal:
                self._end("FAILED", refusal)
            elif self.given.get("capture") is False and isinstance(self.source, FakeWallet):
                self.source.held += self.amount
                self._end("AUTHORIZED")
            else:
                self._post(self.amount)
        return self.state != before

    def _refusal(self) -> str | None:
        """The code of the first reason not to post it."""
        if wanted := [wallet.fails_with for wallet in self.wallets if wallet.fails_with]:
            return wanted[0]
        if any(wallet.currency != self.currency for wallet in self.wallets):
            return "currency_mismatch"
        if not all(wallet.is_active for wallet in self.wallets):
            return "account_inactive"
        if self.parent and self.parent.refunded + self.amount > self.parent.captured:
            return "refund_exceeds_charge"
        if isinstance(self.source, FakeWallet) and self.source.balance - self.source.held < self.amount:
            return "insufficient_funds"
        return None

    def _post(self, amount: Decimal) -> None:
        if isinstance(self.source, FakeWallet):
            self.source.balance -= amount
        self.target.balance += amount
        self.captured = amount if self.type == "charge" else self.captured
        if self.parent:
            self.parent.refunded += amount
        self.balances = {wallet.token: wallet.balance for wallet in self.wallets}
        self._end("COMPLETED")

    def _end(self, state: str, failure: str | None = None) -> None:
        self.state, self.failure = state, failure
        self.version += 1
        self.finalized_at = now() if state in FINAL else None
