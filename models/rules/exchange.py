"""Exchange at an exact rate, rounded against the customer; what the house earns of it is commission, said aloud."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from models.rules.commission import Terms, commission
from models.rules.money import MINOR_UNITS_MAX, MoneyError, render

RATE_DIGITS = 18
"""Behind the point of a rate, which is kept as an integer of so many digits: 10**18 is one for one."""

RATE_ONE = 10**RATE_DIGITS


class Side(StrEnum):
    """Which amount is fixed."""

    SOURCE = "source"
    """What is paid, commission included."""
    TARGET = "target"
    """What is received."""


class Market(NamedTuple):
    """How many units of the target currency one of the source currency is worth, and the digits of both."""

    rate: int
    source_digits: int
    target_digits: int


class Offer(NamedTuple):
    """What is paid, in minor units of the source currency, of it as commission, and what is received for the rest."""

    source_amount: int
    target_amount: int
    commission: int


def received(amount: int, market: Market) -> int:
    """What `amount` is exchanged for, in minor units of the target currency; rounded down, perhaps to nothing."""
    paid, worth = _parity(market)
    return amount * worth // paid


def needed(amount: int, market: Market) -> int:
    """What is to be exchanged to receive `amount`, in minor units of the source currency; rounded up."""
    paid, worth = _parity(market)
    return -(-amount * paid // worth)


def _parity(market: Market) -> tuple[int, int]:
    """For how many minor units of the source currency there are how many of the target currency, exactly."""
    paid: int = RATE_ONE * 10**market.source_digits
    worth: int = market.rate * 10**market.target_digits
    return paid, worth


def offer(side: Side, amount: int, market: Market, terms: Sequence[Terms] = ()) -> Offer:
    """The exchange with this amount above zero fixed, commission taken by each of the terms before it is exchanged.

    Raises MoneyError amount_too_small when one side would be nothing, amount_too_large when it could not be kept.
    """
    source_amount = amount if side is Side.SOURCE else _before_commission(needed(amount, market), terms)
    fee = _fee(source_amount, terms)
    target_amount = received(source_amount - fee, market) if side is Side.SOURCE else amount
    if source_amount <= fee or target_amount <= 0:
        raise MoneyError("amount_too_small", "Nothing would be received for it.")
    if target_amount > MINOR_UNITS_MAX:
        raise MoneyError("amount_too_large", "The amount is above what can be kept.")
    return Offer(source_amount, target_amount, fee)


def _fee(amount: int, terms: Sequence[Terms]) -> int:
    return sum(commission(amount, each) for each in terms)


def _before_commission(net: int, terms: Sequence[Terms]) -> int:
    """An amount of which exactly `net` is left; what is left grows by at most one with the amount, so there is one."""
    too_little, enough = 0, MINOR_UNITS_MAX
    if net > enough - _fee(enough, terms):
        raise MoneyError("amount_too_large", "The amount is above what can be kept.")
    while enough - too_little > 1:
        middle = (too_little + enough) // 2
        if middle - _fee(middle, terms) < net:
            too_little = middle
        else:
            enough = middle
    return enough


def rate_text(rate: int) -> str:
    """A rate as a decimal string, without zeros at its end: rate_text(RATE_ONE) is "1"."""
    return render(rate, RATE_DIGITS).rstrip("0").rstrip(".")
