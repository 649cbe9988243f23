"""Cells of CSV files that no spreadsheet reads as a formula."""

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

_FORMULA = re.compile("[\\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""Leading blanks of any kind, and full-width signs: spreadsheets skip the former and read the latter as signs."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def cell(value: Any) -> str:
    """The value as text that no spreadsheet reads as a formula: one that looks like it, except a number, is quoted."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def written(rows: Iterable[Iterable[str]]) -> str:
    """The rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
