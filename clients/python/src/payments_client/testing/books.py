"""What the fake keeps: users, wallets, payments, bulks, rates, endpoints and events."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from payments_client.testing.money import Rate
from payments_client.testing.people import Token, User, new_secret, now
from payments_client.testing.problems import Refused

if TYPE_CHECKING:
    from payments_client.testing.bulks import BankAccount, FakeBulk
    from payments_client.testing.payment import FakePayment, Quote
    from payments_client.testing.webhook_routes import FakeEndpoint, Webhook

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


def failure_json(code: str | None) -> dict[str, Any] | None:
    """The reason of a failure, with a sentence for people."""
    if code is None:
        return None
    message, retryable = FAILURES[code]
    return {"code": code, "message": message, "retryable": retryable}


class FakeOperation(NamedTuple):
    """One side of a movement: negative where money left the account, which is a wallet or the code of another."""

    account: FakeWallet | str
    amount: Decimal
    currency: str
    kind: str
    balance_after: Decimal
    created_at: datetime


@dataclass(eq=False)
class FakeWallet:
    """A wallet; `fails_with` is the code with which each payment out of or into it fails."""

    owner: User
    currency: str
    label: str | None = None
    balance: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    is_active: bool = True
    fails_with: str | None = None
    charge_limits: list[dict[str, Any]] = field(default_factory=list)
    blocked_merchants: list[str] = field(default_factory=list)
    payments: list[FakePayment] = field(default_factory=list)
    operations: list[FakeOperation] = field(default_factory=list)
    version: int = 1
    token: str = field(default_factory=lambda: f"wal_{secrets.token_hex(11)}")
    created_at: datetime = field(default_factory=now)

    @property
    def available(self) -> Decimal:
        return self.balance - self.held

    def balance_before(self, moment: datetime) -> Decimal:
        """The balance right before that time; what it was opened with was there always."""
        return self.balance - sum((o.amount for o in self.operations if o.created_at >= moment), Decimal(0))


class FakeEvent(NamedTuple):
    """What happened to a payment or bulk."""

    sequence: int
    type: str
    subject: FakePayment | FakeBulk
    version: int
    timestamp: str


class Books:
    """All of it, in memory; while `is_posting` is False nothing is decided."""

    def __init__(self, commission_percent: Decimal | str | int = 2) -> None:
        self.is_posting = True
        self.commission_percent = Decimal(commission_percent)
        self.users: list[User] = []
        self.tokens: dict[str, Token] = {}
        self.mails: dict[str, tuple[User, str]] = {}
        """By the token that was mailed: to whom, and for what."""

        self.wallets: dict[str, FakeWallet] = {}
        self.payments: dict[str, FakePayment] = {}
        self.undecided: list[FakePayment] = []
        self.bulks: dict[str, FakeBulk] = {}
        self.bank_accounts: dict[str, BankAccount] = {}
        self.rates: dict[tuple[str, str], Rate] = {}
        self.quotes: dict[str, Quote] = {}
        self.endpoints: dict[str, FakeEndpoint] = {}
        self.sent: list[Webhook] = []
        """The webhooks that were sent, in their order: hand their bodies and headers to your receiver."""

        self.by_key: dict[tuple[str, str], tuple[Any, Any]] = {}
        self.events: list[FakeEvent] = []

    def mail(self, user: User, purpose: str) -> None:
        """Send a mail with a token that is redeemed once."""
        self.mails[new_secret("cfm_")] = user, purpose

    def keep(self, payment: FakePayment) -> None:
        """Keep a new payment, and tell of it."""
        self.payments[payment.id] = payment
        self.undecided.append(payment)
        for wallet in payment.wallets:
            wallet.payments.append(payment)
        self.tell(payment, "payment.initiated")

    def post(self) -> None:
        """Decide what is due, as a worker does."""
        for payment in self.undecided[:]:
            if payment.decide():
                self.tell(payment, f"payment.{payment.state.lower()}")
                if payment.finalized_at:
                    self.undecided.remove(payment)
                if payment.bulk:
                    self.end(payment.bulk)

    def end(self, bulk: FakeBulk) -> None:
        """End a bulk whose lines are all final, and tell of it."""
        if bulk.end():
            self.tell(bulk, f"bulk.{bulk.state.lower()}")

    def tell(self, subject: FakePayment | FakeBulk, type: str) -> None:
        """Note an event, and send it to the endpoints that want it."""
        at = (subject.finalized_at or now()).isoformat()
        event = FakeEvent(len(self.events) + 1, type, subject, subject.version, at)
        self.events.append(event)
        for endpoint in self.endpoints.values():
            endpoint.send(event)

    def earlier(self, user: User, asked: Any, key: str | None) -> Any:
        """What an earlier request with the same key made; raises Refused for another request."""
        known, made = self.by_key.get((user.id, key or ""), (asked, None))
        if known != asked:
            raise Refused(422, "idempotency_key_reused")
        return made
