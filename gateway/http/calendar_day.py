"""The field of a day of the calendar."""

import re
from datetime import date
from typing import Any

from gateway.http.fields import YEAR_MAX, YEAR_MIN, StrictField

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class CalendarDay(StrictField):
    """A day of the calendar in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "date"}, **kwargs)

    def read(self, text: str) -> date:
        if _DAY.fullmatch(text) and YEAR_MIN <= int(text[:4]) <= YEAR_MAX:
            try:
                return date.fromisoformat(text)
            except ValueError:
                pass
        raise self.refuse("invalid_value", "Must be a date such as 2026-01-31.")
