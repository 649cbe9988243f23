"""A payment of the fake, and how it is decided: held, posted or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from payments_client.testing.books import FakeOperation, FakeWallet
from payments_client.testing.money import Offer, Rate, fee_of, rounded
from payments_client.testing.people import User, new_id, now

if TYPE_CHECKING:
    from payments_client.testing.bulks import FakeBulk

FINAL = ("COMPLETED", "FAILED")
COSTS = ("charge", "transfer")
"""Types that bear commission, between different owners."""

REJECTED_BY_BANK = Decimal("6660.02")
"""The amount of a withdrawal by wire that the bank rejects, as the simulated bank does."""

QUOTE_LIFETIME = timedelta(seconds=60)


class Payee(NamedTuple):
    """To whom a bank account belongs that a withdrawal goes to."""

    name: str
    iban: str


class Step(NamedTuple):
    """A step of a payment's timeline."""

    at: datetime
    step: str
    actor: str
    actor_id: str | None = None
    outcome: str | None = None
    payment: str | None = None


@dataclass(eq=False)
class Quote:
    """A fixed rate for one payment: an exchange, or a transfer, which bears its commission beside."""

    user: User
    rate: Rate
    exchange: Offer | None
    transfer: Offer | None
    payment: FakePayment | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)

    @property
    def expires_at(self) -> datetime:
        return self.created_at + QUOTE_LIFETIME

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= now()


@dataclass(eq=False)
class FakePayment:
    """A payment, and what was ordered of it but is not decided yet; source and target are wallets or codes."""

    type: str
    user: User
    source: FakeWallet | str
    target: FakeWallet | str
    amount: Decimal
    currency: str
    given: dict[str, Any]
    percent: Decimal = Decimal(0)
    parent: FakePayment | None = None
    bulk: FakeBulk | None = None
    offer: Offer | None = None
    quote: Quote | None = None
    payee: Payee | None = None
    key: str | None = None
    state: str = "INITIATED"
    failure: str | None = None
    ending: tuple[str, Decimal] | None = None
    commission: Decimal = Decimal(0)
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    operations: list[FakeOperation] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    version: int = 1
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    finalized_at: datetime | None = None
    tokens: tuple[str, ...] = ()
    """Of its wallets, as they were when it was ordered."""

    def __post_init__(self) -> None:
        self.tokens = tuple(wallet.token for wallet in self.wallets)
        self.steps.append(Step(self.created_at, "initiated", "maker", self.user.id))

    def _time(self, name: str) -> datetime | None:
        text = self.given.get(name)
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

    @property
    def scheduled_at(self) -> datetime | None:
        return self._time("scheduled_at")

    @property
    def wallets(self) -> list[FakeWallet]:
        return [wallet for wallet in (self.source, self.target) if isinstance(wallet, FakeWallet)]

    @property
    def moved(self) -> Decimal:
        return self.captured or self.amount

    @property
    def is_wire(self) -> bool:
        return self.type == "withdrawal" and self.target == "wire"

    @property
    def holds(self) -> bool:
        """Whether it is held before it is posted."""
        return self.is_wire or self.given.get("capture") is False

    def fee(self) -> Decimal:
        """The commission that is taken, or given back by a refund."""
        if self.offer:
            return self.offer.commission
        if self.parent and self.parent.captured:
            charge, total = self.parent, self.parent.commission
            shares = (charge.refunded + self.amount, charge.refunded)
            after, before = (rounded(total * share / charge.captured, self.currency) for share in shares)
            return after - before
        if self.type not in COSTS or self._is_between_own():
            return Decimal(0)
        return fee_of(self.moved, [self.percent], self.currency)

    def _is_between_own(self) -> bool:
        return len({wallet.owner.id for wallet in self.wallets}) < len(self.wallets)

    def decide(self) -> bool:
        """Decide what can be decided now; returns whether the state has changed."""
        before, expiry = self.state, self._time("expires_at")
        if before == "AUTHORIZED":
            self._decide_hold()
        elif self.ending:
            self._end("FAILED", "canceled")
        elif expiry and expiry <= now():
            self._end("FAILED", "expired")
        elif not (self.scheduled_at and self.scheduled_at > now()):
            self._decide()
        return self.state != before

    def _decide_hold(self) -> None:
        """End a hold that was captured or voided, or whose bank has answered."""
        action, amount = self.ending or ("", self.amount)
        self.ending = None
        if self.is_wire:
            self.steps.append(Step(now(), "submitted", "worker"))
            action = "reject" if self.amount == REJECTED_BY_BANK else "confirm"
            self.steps.append(Step(now(), f"{action}ed", "bank"))
        if not action:
            return
        for wallet in self.wallets[:1]:
            wallet.held -= self.amount
        if action in ("capture", "confirm"):
            self.captured = amount if self.type == "charge" else Decimal(0)
            self._post()
        else:
            self._end("FAILED", "rejected_by_bank" if action == "reject" else "canceled")

    def _decide(self) -> None:
        bulk = self.bulk if self.bulk and self.bulk.is_atomic else None
        refusal = bulk.promise(self) if bulk else self.refusal(self.amount)
        if refusal:
            self._end("FAILED", refusal)
        elif self.holds:
            for wallet in self.wallets[:1]:
                wallet.held += self.amount
            self._end("AUTHORIZED")
        else:
            self.captured = self.amount if self.type == "charge" else Decimal(0)
            self._post()

    def refusal(self, amount: Decimal) -> str | None:
        """The code of the first reason not to post it, or a bulk of this amount."""
        if wanted := [wallet.fails_with for wallet in self.wallets if wallet.fails_with]:
            return wanted[0]
        received = self.offer.rate.target if self.offer else self.currency
        for wallet, currency in ((self.source, self.currency), (self.target, received)):
            if isinstance(wallet, FakeWallet) and wallet.currency != currency:
                return "currency_mismatch"
        if not all(wallet.is_active for wallet in self.wallets if not (self.parent and wallet is self.target)):
            return "account_inactive"
        if isinstance(self.source, FakeWallet) and (over := self._over_limit(self.source)):
            return over
        if self.parent and self.type == "refund" and self.parent.refunded + amount > self.parent.captured:
            return "refund_exceeds_charge"
        fee, gives_back = self.fee(), self.type == "refund"
        if fee >= self.moved and not gives_back:
            return "commission_exceeds_amount"
        if isinstance(self.source, FakeWallet) and self.source.available + fee * gives_back < amount:
            return "insufficient_funds"
        return None

    def _over_limit(self, wallet: FakeWallet) -> str | None:
        """Whether a charge passes what the wallet's owner lets merchants take."""
        if self.type != "charge":
            return None
        if self.user.id in wallet.blocked_merchants:
            return "merchant_blocked"
        taken = [p for p in wallet.payments if p.type == "charge" and p.state in ("AUTHORIZED", "COMPLETED")]
        for limit in wallet.charge_limits:
            merchant = limit.get("merchant")
            if merchant not in (None, self.user.id):
                continue
            today = [p.moved for p in taken if merchant in (None, p.user.id) and p.day == self.day]
            for bound, amount in (("per_charge", self.amount), ("per_day", sum(today, self.amount))):
                if limit.get(bound) is not None and amount > Decimal(limit[bound]):
                    return "limit_exceeded"
        return None

    @property
    def day(self) -> str:
        """The day (UTC) on which it counts."""
        return f"{(self.scheduled_at or self.created_at):%Y-%m-%d}"

    def _post(self) -> None:
        fee = self.commission = self.fee()
        if self.offer:
            self._move(self.source, "commission", fee, self.currency, "commission")
            self._move(self.source, "exchange", self.amount - fee, self.currency, "exchange")
            self._move("exchange", self.target, self.offer.target_amount, self.offer.rate.target, "exchange")
        elif self.type == "refund":
            self._move("commission", self.source, fee, self.currency, "commission")
            self._move(self.source, self.target, self.amount, self.currency, "transfer")
        elif self.type == "charge":
            self._move(self.source, self.target, self.moved, self.currency, "transfer")
            self._move(self.target, "commission", fee, self.currency, "commission")
        else:
            self._move(self.source, self.target, self.amount - fee, self.currency, "transfer")
            self._move(self.source, "commission", fee, self.currency, "commission")
        self._end("COMPLETED")
        if self.parent:
            self.parent.refunded += self.amount
            self.parent.steps.append(Step(now(), f"{self.type}ed", "worker", payment=self.id))

    def _move(
        self, source: FakeWallet | str, target: FakeWallet | str, amount: Decimal, currency: str, kind: str
    ) -> None:
        for account, signed in ((source, -amount), (target, amount)) if amount else ():
            balance = Decimal(0)
            if isinstance(account, FakeWallet):
                account.balance += signed
                balance = account.balance
            operation = FakeOperation(account, signed, currency, kind, balance, now())
            self.operations.append(operation)
            if isinstance(account, FakeWallet):
                account.operations.append(operation)

    def _end(self, state: str, failure: str | None = None) -> None:
        self.state, self.failure, self.ending = state, failure, None
        self.version += 1
        self.finalized_at = now() if state in FINAL else None
        self.steps.append(Step(now(), state.lower(), "worker"))
