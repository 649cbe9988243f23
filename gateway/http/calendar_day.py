"""The fields of a day and of a month of the calendar."""

import re
from datetime import date, datetime
from typing import Any

from gateway.http.fields import StrictField
from models.rules.calendar import YEAR_MAX, YEAR_MIN

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)


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


class Month(StrictField):
    """A month as YYYY-MM; the time at which it begins, in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{_MONTH.pattern}$", "example": "2026-11"}, **kwargs)

    def read(self, text: str) -> datetime:
        if not _MONTH.fullmatch(text) or not YEAR_MIN <= int(text[:4]) <= YEAR_MAX:
            raise self.refuse("invalid_value", "A month, such as 2026-11.")
        return datetime.fromisoformat(f"{text}-01T00:00:00Z")
