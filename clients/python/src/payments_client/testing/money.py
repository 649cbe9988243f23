"""The fake's currencies, and how commission and exchanges are computed: exactly, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from payments_client.testing.problems import Refused

CURRENCIES = {
    "CHF": (2, "Swiss Franc"),
    "EUR": (2, "Euro"),
    "GBP": (2, "Pound Sterling"),
    "JPY": (0, "Yen"),
    "SEK": (2, "Swedish Krona"),
    "USD": (2, "US Dollar"),
}
"""The currencies that the fake knows: their digits and names."""


def unit(currency: str) -> Decimal:
    """The smallest amount of the currency."""
    return Decimal(1).scaleb(-CURRENCIES[currency][0])


def text(value: Decimal, currency: str) -> str:
    """The amount with exactly the digits of its currency."""
    return f"{value:.{CURRENCIES[currency][0]}f}"


def plain(value: Decimal) -> str:
    """A rate or percentage without trailing zeros."""
    return format(value.normalize(), "f")


def rounded(value: Decimal, currency: str) -> Decimal:
    """The amount, half to even."""
    return value.quantize(unit(currency), ROUND_HALF_EVEN)


def fee_of(amount: Decimal, percents: Sequence[Decimal], currency: str) -> Decimal:
    """What the percentages take of the amount, each rounded by itself."""
    return sum((rounded(amount * percent / 100, currency) for percent in percents), Decimal(0))


@dataclass(frozen=True)
class Rate:
    """How much of the target currency one of the source currency is worth; the spread in percent."""

    source: str
    target: str
    rate: Decimal
    spread: Decimal
    source_name: str
    valid_from: str

    def body(self) -> dict[str, Any]:
        """Its JSON."""
        numbers = {"rate": plain(self.rate), "spread": plain(self.spread)}
        names = {"source": self.source, "target": self.target}
        return {**names, **numbers, "source_name": self.source_name, "valid_from": self.valid_from}


@dataclass(frozen=True)
class Offer:
    """What a quote offers: the amount paid, the commission in it, and the amount received."""

    source_amount: Decimal
    target_amount: Decimal
    commission: Decimal
    rate: Rate

    def body(self) -> dict[str, Any]:
        """Its JSON."""
        return {
            "source_amount": text(self.source_amount, self.rate.source),
            "target_amount": text(self.target_amount, self.rate.target),
            "commission": text(self.commission, self.rate.source),
        }


def offer(rate: Rate, amount: Decimal, *, is_target_fixed: bool, percents: Sequence[Decimal]) -> Offer:
    """The exchange of which this amount is fixed: what is paid, rounded up, or received, rounded down."""
    if is_target_fixed:
        net = (amount / rate.rate).quantize(unit(rate.source), ROUND_CEILING)
        paid = net
        while (missing := net - (paid - fee_of(paid, percents, rate.source))) > 0:
            paid += missing
    else:
        paid = amount
    commission = fee_of(paid, percents, rate.source)
    received = amount if is_target_fixed else ((paid - commission) * rate.rate).quantize(unit(rate.target), ROUND_FLOOR)
    if paid <= commission or received <= 0:
        raise Refused(422, "amount_too_small", "/amount")
    return Offer(paid, received, commission, rate)
