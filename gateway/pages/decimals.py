"""Sums of decimal amounts of one currency, exact: amounts are added as minor units."""

from collections.abc import Iterable


def total(amounts: Iterable[str]) -> str:
    """The sum of amounts of one currency, which have the same digits; "0" of none."""
    texts = list(amounts)
    digits = len(texts[0].partition(".")[2]) if texts else 0
    return decimal(sum(minor(text) for text in texts), digits)


def difference(minuend: str, subtrahend: str) -> str:
    """The difference of two amounts of one currency."""
    return decimal(minor(minuend) - minor(subtrahend), len(minuend.partition(".")[2]))


def negated(amount: str) -> str:
    """The amount with the other sign."""
    return decimal(-minor(amount), len(amount.partition(".")[2]))


def minor(amount: str) -> int:
    """The amount in minor units."""
    return int(amount.replace(".", ""))


def decimal(minor: int, digits: int) -> str:
    """Minor units of a currency with these digits as decimal text."""
    if not digits:
        return str(minor)
    sign, whole = ("-" if minor < 0 else ""), f"{abs(minor):0{digits + 1}}"
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}"
