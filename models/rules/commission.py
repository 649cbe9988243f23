"""Commission: the fee of a payment, rounded half-even once, on terms frozen when the payment was accepted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

TYPES = ("transfer", "charge", "deposit", "withdrawal")
"""Types of payments that may carry commission."""

PERCENT_DIGITS = 6
"""Fraction digits of a percentage: it is stored in millionths of a percent."""

WHOLE = 100 * 10**PERCENT_DIGITS
"""100 % in millionths of a percent."""


class Terms(NamedTuple):
    """Terms of commission; amounts in minor units, `percent_millionths` 2,000,000 is 2 %."""

    percent_millionths: int
    fixed: int = 0
    minimum: int = 0
    maximum: int | None = None


class Schedule(NamedTuple):
    """Terms and where they apply from `valid_from` on: None is any currency, or any merchant."""

    type: str
    currency: str | None
    merchant_id: str | None
    valid_from: datetime
    terms: Terms


FREE = Terms(0)


Schedules = Mapping[tuple[str, str | None, str | None], Sequence[Schedule]]
"""By type, currency and merchant, newest first each: a payment looks up four keys, however many there are."""

NO_SCHEDULES: Schedules = MappingProxyType({})


def newest_terms(schedules: Iterable[Schedule]) -> Schedules:
    """The schedules by the key under which a payment looks them up."""
    by_key: dict[tuple[str, str | None, str | None], list[Schedule]] = {}
    for schedule in sorted(schedules, key=lambda s: s.valid_from, reverse=True):
        by_key.setdefault((schedule.type, schedule.currency, schedule.merchant_id), []).append(schedule)
    return by_key


def terms_for(schedules: Schedules, type: str, currency: str, user_id: str, at: datetime) -> Terms:
    """The terms of a payment accepted at that time: the narrowest that apply (merchant before currency), the newest."""
    for narrowed in ((currency, user_id), (None, user_id), (currency, None), (None, None)):
        for schedule in schedules.get((type, *narrowed), ()):
            if schedule.valid_from <= at:
                return schedule.terms
    return FREE


def commission(amount: int, terms: Terms) -> int:
    """The fee for an amount, in minor units; rounded half-even."""
    fee = half_even(amount * terms.percent_millionths, WHOLE) + terms.fixed
    fee = max(fee, terms.minimum)
    return fee if terms.maximum is None else min(fee, terms.maximum)


def smallest_amount_with_fee(terms: Terms) -> int | None:
    """The smallest amount whose commission is not zero, in minor units; None if there is none."""
    if terms.maximum == 0:
        return None
    if terms.fixed or terms.minimum:
        return 1
    # half-even: exactly half a unit is rounded to zero
    return WHOLE // (2 * terms.percent_millionths) + 1 if terms.percent_millionths else None


def returned_fee(fee: int, captured: int, refunded_before: int, refund: int) -> int:
    """Part of a charge's fee that a refund gives back: in proportion, rounded on the sum of all refunds so far."""
    return half_even(fee * (refunded_before + refund), captured) - half_even(fee * refunded_before, captured)


def half_even(numerator: int, denominator: int) -> int:
    """The quotient of two integers above zero, rounded to the nearest, a tie to the even one."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
