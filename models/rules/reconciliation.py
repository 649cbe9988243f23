"""Compares a booking of the bank with our payment: equal, or the first difference."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

from models.rules.state import State


class MatchVerdict(StrEnum):
    """Result for a line of a bank statement, or for a payment that should be in it."""

    MATCHED = "matched"
    """The booking equals the payment."""
    MISMATCHED = "mismatched"
    """Both sides have it, but differ."""
    MISSING_HERE = "missing_here"
    """The bank booked something we do not have."""
    MISSING_THERE = "missing_there"
    """We have a payment that the bank did not book."""


class Difference(StrEnum):
    """First difference between a booking and its payment, the gravest first."""

    DIRECTION = "direction"
    """Money came in instead of going out, or the reverse; such as an unknown return."""
    CURRENCY = "currency"
    """Another currency."""
    AMOUNT = "amount"
    """Another amount."""
    STATE = "state"
    """The payment is not COMPLETED."""
    DUPLICATE = "duplicate"
    """The bank booked it twice."""


class Booking(NamedTuple):
    """The compared members of a statement line; the amount in minor units."""

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
    """Result stored with a statement line."""

    verdict: MatchVerdict
    difference: Difference | None = None
    payment_id: str | None = None


def judge(booking: Booking, candidates: Sequence[Expected], seen: Collection[str]) -> MatchResult:
    """Compare a booking with the payments it may refer to.

    `seen` are the payments that earlier lines of the same statement were matched with.
    """
    if not candidates:
        return MatchResult(MatchVerdict.MISSING_HERE)
    closest = min(candidates, key=lambda expected: _mismatch_rank(booking, expected, seen))
    difference = _difference(booking, closest, seen)
    verdict = MatchVerdict.MATCHED if difference is None else MatchVerdict.MISMATCHED
    return MatchResult(verdict, difference, closest.payment_id)


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
    """Whether an earlier statement booked it under another reference; two statements may contain the same booking."""
    return booking.bank_reference is not None and any(
        reference not in (None, booking.bank_reference) for reference in expected.booked
    )
