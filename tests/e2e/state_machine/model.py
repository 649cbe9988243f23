"""The expected outcome of every payment: the rules once more, without a database or a lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

COMMISSION = Fraction(2, 100)


@dataclass(eq=False)
class User:
    """A user who orders payments."""

    name: str
    is_active: bool = True


@dataclass(eq=False)
class Account:
    """Money of one currency, in minor units: a user's wallet, or a technical account without owner and floor."""

    currency: str
    owner: User | None = None
    balance: int = 0
    held: int = 0
    is_frozen: bool = False
    is_active: bool = True

    @property
    def is_usable(self) -> bool:
        """True if both the account and its owner are active."""
        return self.is_active and (self.owner is None or self.owner.is_active)


@dataclass(eq=False)
class Quote:
    """What a payment of that type pays by a quote, `commission` included, and what arrives for it."""

    type: str
    user: User
    currencies: tuple[str, str]
    amount: int
    arrives: int
    commission: int
    is_used: bool = False


@dataclass(eq=False)
class Payment:
    """An order to move money between two accounts; amounts in minor units."""

    type: str
    maker: User
    source: Account
    target: Account
    amount: int
    capture: bool = True
    charge: "Payment | None" = None
    quote: Quote | None = None
    is_scheduled: bool = False
    state: str = "INITIATED"
    failure: str | None = None
    moved: int = 0
    commission: int = 0
    refunded: int = 0
    has_expired: bool = False
    is_to_end: bool = False


def quote(
    type: str, user: User, currencies: tuple[str, str], side: str, amount: int, rate: Fraction, spread: Fraction
) -> Quote | None:
    """The amount paid is rounded up, the amount received down; None if one of them would be zero."""
    percents = (spread, COMMISSION) if type == "transfer" else (spread,)
    wanted = 0 if side == "source" else ceil(amount / rate)
    paid = wanted or amount
    while paid - sum(round(percent * paid) for percent in percents) < wanted:
        paid += 1
    fee = sum(round(percent * paid) for percent in percents)
    arrives = amount if side == "target" else floor((paid - fee) * rate)
    return Quote(type, user, currencies, paid, arrives, fee) if paid > fee and arrives > 0 else None


@dataclass
class Model:
    """All payments by id; those that are due and the commands to end some, both in the order in which they came."""

    technical: Mapping[tuple[str, str], Account]
    payments: dict[str, Payment] = field(default_factory=dict)
    due: list[Payment] = field(default_factory=list)
    commands: list[tuple[Payment, str, int | None]] = field(default_factory=list)

    def post(self) -> None:
        """Decide all there is to decide: commands, then holds that have expired, then what is due."""
        for payment, kind, part in self.commands:
            if payment.has_expired or kind != "capture":
                self._fail(payment, "expired" if payment.has_expired else "canceled")
            else:
                self._decide(payment, payment.amount if part is None else part)
        for payment in self.payments.values():
            if payment.state == "AUTHORIZED" and payment.has_expired:
                self._fail(payment, "expired")
        for payment in self.due:
            if payment.state == "INITIATED":
                self._decide(payment, payment.amount)
        self.commands, self.due = [], []

    def _decide(self, payment: Payment, amount: int) -> None:
        is_first, fee = payment.state == "INITIATED", self._fee(payment, amount)
        self._release(payment)
        refusal = self._refusal(payment, amount, fee)
        if refusal is not None:
            self._fail(payment, refusal)
        elif is_first and not payment.capture:
            payment.state, payment.source.held = "AUTHORIZED", payment.source.held + amount
        else:
            payment.state, payment.moved, payment.commission = "COMPLETED", amount, fee
            self._move(payment, amount, fee)

    def _move(self, payment: Payment, amount: int, fee: int) -> None:
        """Commission is borne by the payer, or by the merchant of a charge, who gets it back with a refund."""
        quote, charge, taken = payment.quote, payment.charge, -fee if payment.charge else fee
        is_charge = payment.type == "charge"
        (payment.target if is_charge else payment.source).balance -= taken
        self.technical["commission", payment.source.currency].balance += taken
        arrives = amount if is_charge or charge else amount - fee
        payment.source.balance -= arrives
        payment.target.balance += quote.arrives if quote else arrives
        if quote is not None:
            self.technical["exchange", quote.currencies[0]].balance += arrives
            self.technical["exchange", quote.currencies[1]].balance -= quote.arrives
        if charge is not None:
            charge.refunded += amount

    def _refusal(self, payment: Payment, amount: int, fee: int) -> str | None:
        source, target, charge = payment.source, payment.target, payment.charge
        if not (payment.maker.is_active and source.is_usable and (target.is_usable or charge)):
            return "account_inactive"
        if target.is_frozen or source.is_frozen:
            return "account_frozen"
        if charge is not None and charge.refunded + amount > charge.moved:
            return "refund_exceeds_charge"
        if source.owner is not None and source.balance - source.held < amount - (fee if charge else 0):
            return "insufficient_funds"
        return None

    def _fee(self, payment: Payment, amount: int) -> int:
        """Rounded half-even, as Python rounds fractions; of a refund the share that makes up the sum so far."""
        if (charge := payment.charge) is not None:
            share = Fraction(charge.commission, charge.moved or 1)
            return round(share * (charge.refunded + amount)) - round(share * charge.refunded)
        if payment.quote is not None:
            return payment.quote.commission
        is_free = payment.type not in ("transfer", "charge") or payment.source.owner is payment.target.owner
        return 0 if is_free else round(COMMISSION * amount)

    def _release(self, payment: Payment) -> None:
        if payment.state == "AUTHORIZED":
            payment.state, payment.source.held = "INITIATED", payment.source.held - payment.amount

    def _fail(self, payment: Payment, failure: str) -> None:
        self._release(payment)
        payment.state, payment.failure = "FAILED", failure
