"""Columns for `unnest`: PostgreSQL array literals as text, which psycopg2 sends far faster than Python lists."""

from collections.abc import Iterable


def plain(values: Iterable[object]) -> str:
    """An array of numbers, uuids or texts without quotes, blanks, commas or braces; None is NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def quoted(values: Iterable[str | None]) -> str:
    """An array of any texts; None is NULL."""
    return "{" + ",".join([_quote(value) for value in values]) + "}"


def _quote(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
