"""The JSON of currencies."""

from typing import Any

from models.currency import Currency
from models.rules.money import render


def currency_body(currency: Currency) -> dict[str, Any]:
    """The currency, with its bounds as amounts."""
    minimum, maximum, most = currency.minimum, currency.maximum, currency.balance_maximum
    return {
        "code": currency.code,
        "digits": currency.digits,
        "kind": currency.kind,
        "name": currency.name,
        "minimum": None if minimum is None else render(minimum, currency.digits),
        "maximum": None if maximum is None else render(maximum, currency.digits),
        "balance_maximum": None if most is None else render(most, currency.digits),
        "is_active": currency.is_active,
    }
