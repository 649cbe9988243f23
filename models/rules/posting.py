"""What becomes of each payment: a ladder of named refusals, then its movements.

`decide` takes the due payments in their order and the locked accounts, and returns what is to be written.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from models.rules.failure import Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.state import State, move_to


class PaymentType(StrEnum):
    """What may be ordered."""

    DEPOSIT = "deposit"
    """Money in, from a technical account to a wallet."""
    TRANSFER = "transfer"
    """From a wallet of the payer's to any wallet, ordered by the payer."""
    CHARGE = "charge"
    """From a customer's wallet to one of the merchant's, ordered by the merchant."""
    BONUS = "bonus"
    """From `internal` to a wallet, in its owner's name; ordered by workers alone, as the schema sees to."""


class Kind(StrEnum):
    """What an operation is for."""

    TRANSFER = "transfer"
    COMMISSION = "commission"
    EXCHANGE = "exchange"


DEPOSIT_SOURCES = frozenset({"wire", "wallet", "crypto"})
"""Codes of the technical accounts from which money comes in."""


class Payment(NamedTuple):
    """An order as claimed; amount in minor units."""

    id: str
    type: str
    state: str
    user_id: str
    source_id: str
    target_id: str
    amount: int
    currency: str


class Account(NamedTuple):
    """An account as locked; amounts in minor units, `last_seq` the account_seq of its newest operation.

    `is_active` if both the account and its owner are.
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


class Maker(NamedTuple):
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
    kind: Kind = Kind.TRANSFER


class Operation(NamedTuple):
    """One side of a movement; `account_seq` is dense per account."""

    payment_id: str
    line: int
    account_id: str
    amount: int
    currency: str
    kind: Kind
    balance_after: int
    account_seq: int


class Verdict(NamedTuple):
    """What becomes of one payment: COMPLETED with its operations, or FAILED with its reason and none."""

    payment_id: str
    state: State
    failure: Failure | None
    operations: tuple[Operation, ...]


class Decision(NamedTuple):
    """A batch decided: one verdict a payment, and the accounts that changed as they stand afterwards."""

    verdicts: list[Verdict]
    accounts: list[Account]


def decide(
    payments: Iterable[Payment],
    accounts: Mapping[str, Account],
    makers: Mapping[str, Maker],
    *,
    deposits_open: bool,
) -> Decision:
    """Decide the payments in order, each on the balances that the ones before it left behind.

    `accounts` and `makers` are by id; one that is missing fails its payment, never the batch.
    """
    books = dict(accounts)
    changed: set[str] = set()
    verdicts = []
    for payment in payments:
        source, target = books.get(payment.source_id), books.get(payment.target_id)
        maker = makers.get(payment.user_id)
        if source is None or target is None or maker is None:
            verdicts.append(_failed(payment, Failure.ACCOUNT_UNKNOWN))
            continue
        failure = refusal(payment, source, target, maker, deposits_open=deposits_open)
        if failure is not None:
            verdicts.append(_failed(payment, failure))
            continue
        # From here it must succeed.
        movement = Movement(source.id, target.id, payment.amount, payment.currency)
        operations = _apply(payment.id, [movement], books)
        changed.update(operation.account_id for operation in operations)
        verdicts.append(
            Verdict(payment.id, move_to(State(payment.state), State.COMPLETED), None, operations),
        )
    return Decision(verdicts, [books[account_id] for account_id in sorted(changed)])


def refusal(payment: Payment, source: Account, target: Account, maker: Maker, *, deposits_open: bool) -> Failure | None:
    """The first rung of the ladder that refuses the payment, or None."""
    if not _is_permitted(payment, source, target, maker, deposits_open=deposits_open):
        return Failure.NOT_PERMITTED
    if source.currency != payment.currency or target.currency != payment.currency:
        return Failure.CURRENCY_MISMATCH
    if not (maker.is_active and source.is_active and target.is_active):
        return Failure.ACCOUNT_INACTIVE
    if source.is_frozen or target.is_frozen:
        return Failure.ACCOUNT_FROZEN
    floor = -MINOR_UNITS_MAX if source.floor is None else source.floor
    if source.balance - source.held - payment.amount < floor:
        return Failure.INSUFFICIENT_FUNDS
    ceiling = MINOR_UNITS_MAX if target.ceiling is None else target.ceiling
    if target.balance + payment.amount > ceiling:
        return Failure.LIMIT_EXCEEDED
    return None


def _is_permitted(payment: Payment, source: Account, target: Account, maker: Maker, *, deposits_open: bool) -> bool:
    """What the gateway promised, looked at again: who may order this between these accounts."""
    if source.id == target.id or target.owner_id is None:
        return False
    match payment.type:
        case PaymentType.DEPOSIT:
            own = deposits_open and target.owner_id == maker.id
            return source.code in DEPOSIT_SOURCES and (maker.may_deposit or own)
        case PaymentType.TRANSFER:
            return source.owner_id == maker.id
        case PaymentType.CHARGE:
            customers = source.owner_id is not None and source.owner_id != maker.id
            return maker.role == "merchant" and target.owner_id == maker.id and customers
        case PaymentType.BONUS:
            return source.code == "internal" and target.owner_id == maker.id
    raise ValueError(f"no rule for payments of type {payment.type}")


def _failed(payment: Payment, failure: Failure) -> Verdict:
    return Verdict(payment.id, move_to(State(payment.state), State.FAILED), failure, ())


def _apply(payment_id: str, movements: Iterable[Movement], books: dict[str, Account]) -> tuple[Operation, ...]:
    """Write the movements into `books`; returns their operations, two a movement."""
    operations: list[Operation] = []
    for movement in movements:
        sides = ((movement.source_id, -movement.amount), (movement.target_id, movement.amount))
        for account_id, amount in sides:
            before = books[account_id]
            after = before._replace(balance=before.balance + amount, last_seq=before.last_seq + 1)
            books[account_id] = after
            operations.append(
                Operation(
                    payment_id,
                    len(operations),
                    account_id,
                    amount,
                    movement.currency,
                    movement.kind,
                    after.balance,
                    after.last_seq,
                )
            )
    return tuple(operations)
