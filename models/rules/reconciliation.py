"""What a booking of the bank's says about a payment of ours: the same, or in what it differs."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

from models.rules.state import State


class MatchVerdict(StrEnum):
    """What was found of a line of a bank's statement, or of a payment that should be in it."""

    MATCHED = "matched"
    """The bank and we say the same."""
    MISMATCHED = "mismatched"
    """Both know of it, but not the same."""
    MISSING_HERE = "missing_here"
    """The bank booked what is not ours."""
    MISSING_THERE = "missing_there"
    """We have what the bank did not book."""


class Difference(StrEnum):
    """In what a booking and its payment differ, the gravest first."""

    DIRECTION = "direction"
    """Money came in where it should have gone out, or the other way; such as a return that we do not know of."""
    CURRENCY = "currency"
    """Another currency."""
    AMOUNT = "amount"
    """Another amount."""
    STATE = "state"
    """The payment is not COMPLETED."""
    DUPLICATE = "duplicate"
    """The bank booked it before."""


class Booking(NamedTuple):
    """A line of a statement, as far as it is judged; the amount in minor units."""

    direction: str
    amount: int
    currency: str
    bank_reference: str | None


class Expected(NamedTuple):
    """A payment as the bank should have booked it; `booked` are the bank's references of bookings matched earlier."""

    payment_id: str
    direction: str
    amount: int
    currency: str
    state: str
    bank_reference: str | None
    booked: tuple[str | None, ...]


class MatchResult(NamedTuple):
    """What is kept beside the line."""

    verdict: MatchVerdict
    difference: Difference | None = None
    payment_id: str | None = None


def judge(booking: Booking, candidates: Sequence[Expected], seen: Collection[str]) -> MatchResult:
    """What the booking says of those of our payments that it may mean.

    `seen` are the payments that earlier lines of the same statement were matched with.
    """
    if not candidates:
        return MatchResult(MatchVerdict.MISSING_HERE)
    meant = min(candidates, key=lambda expected: _mismatch_rank(booking, expected, seen))
    difference = _difference(booking, meant, seen)
    verdict = MatchVerdict.MATCHED if difference is None else MatchVerdict.MISMATCHED
    return MatchResult(verdict, difference, meant.payment_id)


def _mismatch_rank(booking: Booking, expected: Expected, seen: Collection[str]) -> tuple[bool, ...]:
    return (
        expected.direction != booking.direction,
        expected.payment_id in seen,
        expected.bank_reference is None or expected.bank_reference != booking.bank_reference,
        expected.amount != booking.amount,
    )


def _difference(booking: Booking, expected: Expected, seen: Collection[str]) -> Difference | None:
    if expected.direction != booking.direction:
        return Difference.DIRECTION
    if expected.currency != booking.currency:
        return Difference.CURRENCY
    if expected.amount != booking.amount:
        return Difference.AMOUNT
    if expected.state != State.COMPLETED:
        return Difference.STATE
    if expected.payment_id in seen or _is_booked_elsewhere(booking, expected):
        return Difference.DUPLICATE
    return None


def _is_booked_elsewhere(booking: Booking, expected: Expected) -> bool:
    """Whether an earlier statement had it under another reference; the same booking may stand in two statements."""
    return booking.bank_reference is not None and any(
        reference not in (None, booking.bank_reference) for reference in expected.booked
    )
