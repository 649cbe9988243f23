"""What the rules take and return: orders as claimed, accounts as locked, verdicts as they are to be written."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from models.rules.commission import FREE, Terms
from models.rules.failure_codes import Failure
from models.rules.state import State


class PaymentType(StrEnum):
    """What may be ordered."""

    DEPOSIT = "deposit"
    """Money in, from a technical account to a wallet."""
    WITHDRAWAL = "withdrawal"
    """Money out, from a wallet of the payer's to a technical account, ordered by the payer."""
    TRANSFER = "transfer"
    """From a wallet of the payer's to any wallet, ordered by the payer."""
    CHARGE = "charge"
    """From a customer's wallet to one of the merchant's, ordered by the merchant."""
    EXCHANGE = "exchange"
    """Between two wallets of the payer's in different currencies, by a quote."""
    REFUND = "refund"
    """From the wallet that a charge went to, back to the one it came from, ordered by its merchant."""
    ADJUSTMENT = "adjustment"
    """From `internal` to a wallet or back, proposed by one of ops and ordered by another."""
    RETURN = "return"
    """From `wire` back to the wallet that a withdrawal came from, ordered by workers alone: its bank sent it back."""
    BONUS = "bonus"
    """From `internal` to a wallet, in its owner's name; ordered by workers alone, as the schema sees to."""


class OperationKind(StrEnum):
    """What an operation is for."""

    TRANSFER = "transfer"
    COMMISSION = "commission"
    EXCHANGE = "exchange"


OUTSIDE = frozenset({"wire", "wallet", "crypto"})
"""Codes of the technical accounts by which money comes in and goes out."""


class PaymentAction(StrEnum):
    """How a payment is to be ended, instead of being decided for the first time."""

    CAPTURE = "capture"
    """Take what is held, or a part of it; the rest is released."""
    VOID = "void"
    """Release what is held."""
    CANCEL = "cancel"
    """Do not post it at all."""
    EXPIRE = "expire"
    """Its time is over: nobody captured it, or nobody posted it."""
    CONFIRM = "confirm"
    """The bank has paid it out."""
    REJECT = "reject"
    """The bank has not paid it out, and will not."""


BANKS_WORDS = frozenset({PaymentAction.CONFIRM, PaymentAction.REJECT})
"""What ends a withdrawal that waits for its bank, and nothing else does."""


class ClaimedPayment(NamedTuple):
    """An order as claimed; amounts in minor units.

    `parent_id` is the charge of a refund, or the withdrawal of a return. With `ending` it is to be ended, by the
    command of that id if there is one; `capture_amount` None is the whole. With `quote_id` the target amount arrives in
    the target currency. `day`, of a charge, is that (UTC) on which it counts towards the payer's limits.
    """

    id: str
    type: str
    state: str
    user_id: str
    source_id: str
    target_id: str
    amount: int
    currency: str
    captures: bool = True
    ending: PaymentAction | None = None
    capture_amount: int | None = None
    command_id: str | None = None
    parent_id: str | None = None
    terms: Terms = FREE
    quote_id: str | None = None
    target_amount: int | None = None
    target_currency: str | None = None
    day: date | None = None
    bulk_id: str | None = None

    @property
    def arrives_in(self) -> str:
        """The currency that the target receives."""
        return self.target_currency or self.currency

    @property
    def moved(self) -> int:
        """What moves if it moves: the amount, or the part of it that is captured."""
        return self.capture_amount or self.amount


class QuotedAmounts(NamedTuple):
    """What was quoted to a payment between its accounts, whose quote it used in time; amounts in minor units."""

    user_id: str
    currency: str
    target_currency: str
    amount: int
    target_amount: int
    commission: int

    def fits(self, payment: ClaimedPayment) -> bool:
        """Whether this is what the payment orders."""
        ordered = (payment.user_id, payment.currency, payment.target_currency, payment.amount, payment.target_amount)
        return self[:5] == ordered


class RefundableAmount(NamedTuple):
    """What a refund or a return gives back; `captured` (nothing until it is COMPLETED) and `refunded` so far, in minor
    units.

    `commission` was taken of it, if it is to be given back, too; of a withdrawal, whose bank never had it, it is not.
    """

    type: str
    user_id: str
    source_id: str
    target_id: str
    captured: int
    refunded: int
    commission: int = 0


class ApprovedAdjustment(NamedTuple):
    """What two of ops have agreed on; the amount in minor units, `is_credit` if the account is to receive it."""

    account_id: str
    is_credit: bool
    amount: int
    currency: str
    approver_id: str

    def fits(self, payment: ClaimedPayment, source: "LockedAccount", target: "LockedAccount") -> bool:
        """Whether this is what the payment orders."""
        ours, theirs = (source, target) if self.is_credit else (target, source)
        ordered = (theirs.id, self.is_credit, payment.amount, payment.currency, payment.user_id)
        return self == ordered and ours.code == "internal" and theirs.owner_id is not None


class LockedAccount(NamedTuple):
    """An account as locked; amounts in minor units, `last_seq` the account_seq of its newest operation.

    `is_active` if both the account and its owner are, `is_limited` if its owner limits or blocks merchants.
    """

    id: str
    owner_id: str | None
    code: str | None
    currency: str
    balance: int
    held: int
    floor: int | None
    ceiling: int | None
    is_active: bool
    is_frozen: bool
    last_seq: int
    is_limited: bool = False


class LockedBulk(NamedTuple):
    """Many payments accepted in one request; amounts in minor units.

    An atomic one `is_decided` once: `held` for all its lines, which take it with them one by one, or a `failure` for
    all. `authorized`, `completed` and `failed` count its lines; `least` is the amount of the smallest, until it is
    decided.
    """

    id: str
    user_id: str
    source_id: str | None
    currency: str
    total: int
    is_atomic: bool
    is_decided: bool
    held: int
    failure: str | None
    authorized: int
    completed: int
    failed: int
    least: int = 1


class Initiator(NamedTuple):
    """Who ordered the payment, as he stands now; `may_deposit` from outside, into any wallet."""

    id: str
    role: str
    is_active: bool
    may_deposit: bool


class Movement(NamedTuple):
    """Money from one account to another in one currency; posts as two operations."""

    source_id: str
    target_id: str
    amount: int
    currency: str
    kind: OperationKind = OperationKind.TRANSFER


class Operation(NamedTuple):
    """One side of a movement; `account_seq` is dense per account."""

    payment_id: str
    line: int
    account_id: str
    amount: int
    currency: str
    kind: OperationKind
    balance_after: int
    account_seq: int


class Verdict(NamedTuple):
    """What becomes of one payment: COMPLETED with its operations, or AUTHORIZED or, with its reason, FAILED without.

    `captured` is what was taken of a hold, `commission` what was taken for us, or given back, in minor units. With
    `instructs` a bank is to be told of it now.
    """

    payment_id: str
    state: State
    failure: Failure | None
    operations: tuple[Operation, ...]
    captured: int | None = None
    commission: int = 0
    instructs: bool = False


NO_CHARGES: Mapping[str, RefundableAmount] = MappingProxyType({})
NO_QUOTES: Mapping[str, QuotedAmounts] = MappingProxyType({})
NOTHING_AGREED: Mapping[str, ApprovedAdjustment] = MappingProxyType({})
NO_BULKS: Mapping[str, LockedBulk] = MappingProxyType({})


class Decision(NamedTuple):
    """A batch decided: one verdict a payment that moved; the accounts and bulks that changed, as they are then."""

    verdicts: list[Verdict]
    accounts: list[LockedAccount]
    bulks: list[LockedBulk]
