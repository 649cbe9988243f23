"""The query parameters of pages: number of rows, and cursor."""

import re
from typing import Any

from gateway.http.fields import StrictField

LIMIT_DEFAULT = 20
LIMIT_MAX = 100

CURSOR_LENGTH_MAX = 2_000
"""A cursor may contain a text of a hundred characters in any script, the value that the list is sorted by."""

_LIMIT = re.compile(r"[0-9]{1,9}", re.ASCII)


class LimitField(StrictField):
    """The number of rows of a page, 1 to 100, as a query parameter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}, **kwargs)

    def read(self, text: str) -> int:
        if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= LIMIT_MAX:
            raise self.refuse("limit_out_of_range", f"1 to {LIMIT_MAX}.")
        return int(text)


class CursorField(StrictField):
    """An opaque cursor; its signature is checked where it is decoded."""

    def __init__(self, **metadata: str) -> None:
        super().__init__(metadata={"pattern": "^[A-Za-z0-9_.-]+$", "maxLength": CURSOR_LENGTH_MAX, **metadata})

    def read(self, text: str) -> str:
        return text
