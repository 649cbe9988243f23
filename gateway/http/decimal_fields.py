"""Decimal strings with a fixed number of digits: percentages and exchange rates."""

import re
from typing import Any

from gateway.http.fields import StrictField
from models.rules.commission import PERCENT_DIGITS, WHOLE
from models.rules.exchange import RATE_DIGITS
from models.rules.money import MoneyError, parse


class RateText(StrictField):
    """A rate as a decimal string of up to 18 digits after the point; read as an integer number of its last digit."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$", "example": "1.0837"}
        super().__init__(metadata=metadata, **kwargs)

    def read(self, text: str) -> int:
        try:
            return parse(text, RATE_DIGITS)
        except MoneyError:
            detail = f"Must be a decimal string above zero, with up to {RATE_DIGITS} digits after the point."
            raise self.refuse("invalid_value", detail) from None


_PERCENT = re.compile(rf"(0|[1-9][0-9]{{0,2}})(?:\.([0-9]{{1,{PERCENT_DIGITS}}}))?", re.ASCII)


class Percent(StrictField):
    """A percentage as a decimal string, 0 to 100; read as millionths of a percent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{_PERCENT.pattern}$", "example": "2.5"}, **kwargs)

    def read(self, text: str) -> int:
        match = _PERCENT.fullmatch(text)
        millionths = int(match[1] + (match[2] or "").ljust(PERCENT_DIGITS, "0")) if match else -1
        if not 0 <= millionths <= WHOLE:
            raise self.refuse(
                "invalid_value", f'Must be "0" to "100", with up to {PERCENT_DIGITS} digits after the point.'
            )
        return millionths
