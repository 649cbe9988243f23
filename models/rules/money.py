"""Amounts: integers of minor units inside, decimal strings on the wire, never a float.

An amount never travels without its currency; the caller passes the digits of the currency.
"""

import re
from dataclasses import dataclass

MINOR_UNITS_MAX = 10**38 - 1
"""Largest amount or balance: that of NUMERIC(38,0)."""

TEXT_LENGTH_MAX = 60
"""Longer texts are refused unread: 38 digits and a point always fit."""

_GRAMMAR = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)


class MoneyError(ValueError):
    """Raised for a text that is not a payable amount; `code` is the published reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units beside its currency's code: `Money(1050, "EUR")` is 10.50 EUR."""

    minor: int
    currency: str


def parse(text: str, digits: int) -> int:
    """Minor units of a decimal string, at most `digits` after the point; never rounded.

    Raises MoneyError with code amount_invalid, amount_precision, amount_not_positive or amount_too_large.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise MoneyError("amount_too_large", "The amount has too many digits.")
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise MoneyError("amount_invalid", 'An amount is a plain decimal string such as "10.00".')
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > digits:
        raise MoneyError("amount_precision", f"This currency has {digits} digits behind the point.")
    minor = int(whole + fraction.ljust(digits, "0"))
    if minor == 0:
        raise MoneyError("amount_not_positive", "The amount must be above zero.")
    if minor > MINOR_UNITS_MAX:
        raise MoneyError("amount_too_large", "The amount is above what can be kept.")
    return minor


def render(minor: int, digits: int) -> str:
    """The decimal string of `minor` units with exactly the currency's digits: render(-5, 2) is "-0.05"."""
    text = str(abs(minor)).rjust(digits + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"
