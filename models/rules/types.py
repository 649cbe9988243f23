"""Types of the rules: payments as claimed, accounts as locked, verdicts as they are to be written."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from models.rules.commission import FREE, Terms
from models.rules.failure_codes import Failure
from models.rules.state import State


class PaymentType(StrEnum):
    """Type of a payment."""

    DEPOSIT = "deposit"
    """Money in, from a technical account to a wallet."""
    WITHDRAWAL = "withdrawal"
    """Money out, from a wallet of the payer to a technical account, ordered by the payer."""
    TRANSFER = "transfer"
    """From a wallet of the payer to any wallet, ordered by the payer."""
    CHARGE = "charge"
    """From a customer's wallet to a wallet of the merchant, ordered by the merchant."""
    EXCHANGE = "exchange"
    """Between two wallets of the payer in different currencies, by a quote."""
    REFUND = "refund"
    """From the wallet that a charge went to, back to the one it came from, ordered by its merchant."""
    ADJUSTMENT = "adjustment"
    """From `internal` to a wallet or back, proposed by one ops user and approved by another."""
    RETURN = "return"
    """From `wire` back to the wallet that a withdrawal came from: its bank sent it back. Ordered by workers only."""
    BONUS = "bonus"
    """From `internal` to a wallet, in its owner's name; ordered by workers only, as the schema enforces."""


class OperationKind(StrEnum):
    """Purpose of an operation."""

    TRANSFER = "transfer"
    COMMISSION = "commission"
    EXCHANGE = "exchange"


EXTERNAL_CODES = frozenset({"wire", "wallet", "crypto"})
"""Codes of the technical accounts through which money enters and leaves."""


class PaymentAction(StrEnum):
    """An action on a payment that was accepted before, in place of its first decision."""

    CAPTURE = "capture"
    """Take what is held, or a part of it; the rest is released."""
    VOID = "void"
    """Release what is held."""
    CANCEL = "cancel"
    """Do not post it at all."""
    FAIL = "fail"
    """Give it up, as ops decided: no bank knows of it."""
    EXPIRE = "expire"
    """It was not captured or not posted in time."""
    CONFIRM = "confirm"
    """The bank has paid it out."""
    REJECT = "reject"
    """The bank has not paid it out, and will not."""


BANK_ACTIONS = frozenset({PaymentAction.CONFIRM, PaymentAction.REJECT})
"""The only actions that finish a withdrawal that waits for its bank."""


class ClaimedPayment(NamedTuple):
    """A payment as claimed for posting; amounts in minor units.

    `parent_id` is the charge of a refund, or the withdrawal of a return. `action` is set when it was decided before,
    with the `command_id` that ordered it, if any; `capture_amount` None is the whole. With `quote_id` the target amount
    arrives in the target currency. `day` is the day (UTC) on which a charge counts towards the payer's limits,
    `waited_ms` how long ago it was accepted or scheduled when it was claimed.
    An action `is_by_ops` if ops ordered it, and `is_refused` if `models/rules/ops_actions.py` refuses it now.
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
    action: PaymentAction | None = None
    capture_amount: int | None = None
    command_id: str | None = None
    parent_id: str | None = None
    terms: Terms = FREE
    quote_id: str | None = None
    target_amount: int | None = None
    target_currency: str | None = None
    day: date | None = None
    bulk_id: str | None = None
    waited_ms: int = 0
    is_by_ops: bool = False
    is_refused: bool = False

    @property
    def received_currency(self) -> str:
        """Currency that the target receives."""
        return self.target_currency or self.currency

    @property
    def moved(self) -> int:
        """Amount that moves if it is posted: all, or the part that is captured."""
        return self.capture_amount or self.amount


class QuotedAmounts(NamedTuple):
    """Amounts of the quote that a payment used in time, for its pair of accounts; in minor units."""

    user_id: str
    currency: str
    target_currency: str
    amount: int
    target_amount: int
    commission: int

    def fits(self, payment: ClaimedPayment) -> bool:
        """Whether the payment orders exactly this."""
        ordered = (payment.user_id, payment.currency, payment.target_currency, payment.amount, payment.target_amount)
        return self[:5] == ordered


class RefundableAmount(NamedTuple):
    """The charge or withdrawal that a refund or return gives back; amounts in minor units.

    `captured` is 0 until it is COMPLETED, `refunded` the sum so far. `commission` is what refunds give back of it too;
    0 for a withdrawal, whose commission never went to the bank.
    """

    type: str
    user_id: str
    source_id: str
    target_id: str
    captured: int
    refunded: int
    commission: int = 0


class ApprovedAdjustment(NamedTuple):
    """An adjustment that two ops users agreed on; amount in minor units, `is_credit` if the account receives it."""

    account_id: str
    is_credit: bool
    amount: int
    currency: str
    approver_id: str

    def fits(self, payment: ClaimedPayment, source: "LockedAccount", target: "LockedAccount") -> bool:
        """Whether the payment orders exactly this."""
        internal, wallet = (source, target) if self.is_credit else (target, source)
        ordered = (wallet.id, self.is_credit, payment.amount, payment.currency, payment.user_id)
        return self == ordered and internal.code == "internal" and wallet.owner_id is not None


class LockedAccount(NamedTuple):
    """An account as locked; amounts in minor units, `last_seq` the account_seq of its newest operation.

    `is_active` if both the account and its owner are; `is_limited` if its owner limits or blocks merchants.
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
    """A bulk as locked; amounts in minor units.

    An atomic bulk `is_decided` once: either its total is `held` and each line takes its part, or all lines get the
    `failure`. `authorized`, `completed` and `failed` count lines; `least` is the smallest line's amount until then.
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
    """The user who ordered the payment, with current rights; `may_deposit` from outside into any wallet."""

    id: str
    role: str
    is_active: bool
    may_deposit: bool


class Movement(NamedTuple):
    """Money from one account to another in one currency; posted as two operations."""

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
    """Decision on one payment: COMPLETED with its operations, or without any AUTHORIZED, or FAILED with a reason.

    `captured` is what was taken of a hold, `commission` what was taken or given back, in minor units. With
    `sends_payout` the bank is to be instructed now.
    """

    payment_id: str
    state: State
    failure: Failure | None
    operations: tuple[Operation, ...]
    captured: int | None = None
    commission: int = 0
    sends_payout: bool = False


NO_CHARGES: Mapping[str, RefundableAmount] = MappingProxyType({})
NO_QUOTES: Mapping[str, QuotedAmounts] = MappingProxyType({})
NO_ADJUSTMENTS: Mapping[str, ApprovedAdjustment] = MappingProxyType({})
NO_BULKS: Mapping[str, LockedBulk] = MappingProxyType({})


class Decision(NamedTuple):
    """A decided batch: a verdict for each payment that moved on, and all changed accounts and bulks."""

    verdicts: list[Verdict]
    accounts: list[LockedAccount]
    bulks: list[LockedBulk]

    @property
    def operations(self) -> list[Operation]:
        """The operations of all verdicts, in order."""
        return [operation for verdict in self.verdicts for operation in verdict.operations]
