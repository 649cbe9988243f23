"""Exchange at an exact rate, rounded against the customer; the margin is charged openly, as commission."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from models.rules.commission import Terms, commission
from models.rules.money import MINOR_UNITS_MAX, MoneyError, render

RATE_DIGITS = 18
"""Fraction digits of a rate, which is stored as an integer: 10**18 is one for one."""

RATE_ONE = 10**RATE_DIGITS


class Side(StrEnum):
    """The amount that is fixed."""

    SOURCE = "source"
    """The amount paid, commission included."""
    TARGET = "target"
    """The amount received."""


class Market(NamedTuple):
    """Units of the target currency per unit of the source currency, and the digits of both."""

    rate: int
    source_digits: int
    target_digits: int


class Offer(NamedTuple):
    """Amount paid and the commission in it, in minor units of the source currency, and the amount received."""

    source_amount: int
    target_amount: int
    commission: int


def received(amount: int, market: Market) -> int:
    """Amount received for `amount`, in minor units of the target currency; rounded down, perhaps to 0."""
    paid, worth = _parity(market)
    return amount * worth // paid


def needed(amount: int, market: Market) -> int:
    """Amount to exchange to receive `amount`, in minor units of the source currency; rounded up."""
    paid, worth = _parity(market)
    return -(-amount * paid // worth)


def _parity(market: Market) -> tuple[int, int]:
    """The exact rate as a pair: minor units of the source currency, and of the target currency they are worth."""
    paid: int = RATE_ONE * 10**market.source_digits
    worth: int = market.rate * 10**market.target_digits
    return paid, worth


def offer(side: Side, amount: int, market: Market, terms: Sequence[Terms] = ()) -> Offer:
    """The exchange with this amount (above zero) fixed; commission by each of the terms is taken before the exchange.

    Raises MoneyError amount_too_small when one side would be 0, amount_too_large when it could not be stored.
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
    """The amount that leaves exactly `net`; it exists, since one unit more leaves at most one unit more."""
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
    """A rate as a decimal string without trailing zeros: rate_text(RATE_ONE) is "1"."""
    return render(rate, RATE_DIGITS).rstrip("0").rstrip(".")
