"""What must become of every payment, in a hundred lines: the rules once more, without a database or a lock."""

from dataclasses import dataclass, field
from fractions import Fraction

COMMISSION = Fraction(2, 100)


@dataclass(eq=False)
class Wallet:
    """Somebody's money, in minor units."""

    owner: str
    balance: int = 0
    held: int = 0
    is_frozen: bool = False
    is_active: bool = True


@dataclass(eq=False)
class Payment:
    """An order between two wallets, its `source` None if it comes from outside; amounts in minor units."""

    type: str
    source: Wallet | None
    target: Wallet
    amount: int
    capture: bool = True
    charge: "Payment | None" = None
    state: str = "INITIATED"
    failure: str | None = None
    moved: int = 0
    commission: int = 0
    refunded: int = 0
    has_expired: bool = False
    is_to_end: bool = False

    @property
    def refundable(self) -> int:
        """What a refund of all that is left asks for."""
        charged = self.moved or self.amount
        return charged - self.refunded or charged


@dataclass
class Model:
    """All payments by id; those that are due and the wishes to end some, both in the order in which they came."""

    payments: dict[str, Payment] = field(default_factory=dict)
    due: list[Payment] = field(default_factory=list)
    wishes: list[tuple[Payment, str, int | None]] = field(default_factory=list)
    commission: int = 0

    def post(self) -> None:
        """Decide all there is to decide: wishes, then holds that have expired, then what is due."""
        for payment, kind, part in self.wishes:
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
        self.wishes, self.due = [], []

    def _decide(self, payment: Payment, amount: int) -> None:
        source, target, is_first = payment.source, payment.target, payment.state == "INITIATED"
        fee = self._fee(payment, amount)
        self._release(payment)
        refusal = self._refusal(payment, amount, fee)
        if refusal is not None:
            self._fail(payment, refusal)
        elif source is not None and is_first and not payment.capture:
            payment.state, source.held = "AUTHORIZED", source.held + amount
        else:
            gives_back = payment.charge is not None
            payment.state, payment.moved, payment.commission = "COMPLETED", amount, fee
            self.commission += -fee if gives_back else fee
            target.balance += amount - (0 if gives_back else fee)
            if source is not None:
                source.balance -= amount - (fee if gives_back else 0)
            if payment.charge is not None:
                payment.charge.refunded += amount

    def _refusal(self, payment: Payment, amount: int, fee: int) -> str | None:
        source, target, charge = payment.source, payment.target, payment.charge
        if not (source is None or source.is_active) or not (target.is_active or charge):
            return "account_inactive"
        if target.is_frozen or (source is not None and source.is_frozen):
            return "account_frozen"
        if charge is not None and charge.refunded + amount > charge.moved:
            return "refund_exceeds_charge"
        if source is not None and source.balance - source.held < amount - (fee if charge else 0):
            return "insufficient_funds"
        return None

    def _fee(self, payment: Payment, amount: int) -> int:
        """Rounded half-even, as Python rounds fractions; of a refund the share that makes up the sum so far."""
        charge = payment.charge
        if charge is not None:
            share = Fraction(charge.commission, charge.moved or 1)
            return round(share * (charge.refunded + amount)) - round(share * charge.refunded)
        is_free = payment.source is None or payment.source.owner == payment.target.owner
        return 0 if is_free else round(COMMISSION * amount)

    def _release(self, payment: Payment) -> None:
        """As if it had never been held."""
        if payment.state == "AUTHORIZED" and payment.source is not None:
            payment.state, payment.source.held = "INITIATED", payment.source.held - payment.amount

    def _fail(self, payment: Payment, failure: str) -> None:
        self._release(payment)
        payment.state, payment.failure = "FAILED", failure
