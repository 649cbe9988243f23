"""Compares a booking of the bank with our payment: equal, or the first difference."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
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
    EXPECTED = "expected"
    """We have a payment that the bank books after the days of the statement."""
    DISMISSED = "dismissed"
    """A person put aside what the bank booked, such as a fee."""


EXCEPTIONS = (MatchVerdict.MISMATCHED, MatchVerdict.MISSING_HERE, MatchVerdict.MISSING_THERE)
"""Verdicts that need a person."""


class DismissCategory(StrEnum):
    """What a booking is that is put aside."""

    FEE = "fee"
    INTEREST = "interest"
    TAX = "tax"
    OWN_TRANSFER = "own_transfer"
    """Between accounts of our own."""
    BANK_CORRECTION = "bank_correction"
    """The bank corrected a mistake of its own."""
    OTHER = "other"


class AgeBucket(StrEnum):
    """Days for which an exception has waited."""

    FRESH = "0-1"
    RECENT = "2-5"
    OLD = "over-5"


AGES = {AgeBucket.FRESH: 1, AgeBucket.RECENT: 5}
"""The last day of each bucket but the last."""


class LineProblem(StrEnum):
    """Why a line is not put aside; the value is the code of the problem, `DETAILS` has a sentence for people."""

    MATCHED = "line_matched"
    DISMISSED = "line_dismissed"
    NOT_BOOKED = "line_not_booked"


class MatchProblem(StrEnum):
    """Why a payment is not that of a line; the value is the code of the field, `DETAILS` has a sentence for people."""

    ANOTHER = "invalid_value"
    UNKNOWN = "not_found"


DETAILS: dict[LineProblem | MatchProblem, str] = {
    LineProblem.MATCHED: "The line is already matched to a payment.",
    LineProblem.DISMISSED: "The line was put aside before.",
    MatchProblem.ANOTHER: "Must be the payment of this line.",
    MatchProblem.UNKNOWN: "There is no such payment.",
    LineProblem.NOT_BOOKED: "The bank did not book it: only what a bank booked is put aside.",
}


def value_date(answered_on: date, told: date | None = None) -> date:
    """The day by which the bank books what it answered on a day: the next working day, or `told` by its evidence.

    SEPA credit transfers are booked within one business day; holidays of a bank are not known here.
    """
    if told is not None:
        return told
    days = {FRIDAY: 3, SATURDAY: 2}.get(answered_on.weekday(), 1)
    return answered_on + timedelta(days=days)


FRIDAY, SATURDAY = 4, 5


def lack_verdict(value_date: date, ends_on: date) -> MatchVerdict:
    """The verdict on a payment that a statement up to `ends_on` lacks."""
    return MatchVerdict.EXPECTED if value_date > ends_on else MatchVerdict.MISSING_THERE


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
