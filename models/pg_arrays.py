"""Rows and lists as parameters: array literals as text, which psycopg2 sends far faster than Python lists."""

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any


class Columns:
    """The columns of the rows that a statement takes by `unnest`, written as in SQL: "id uuid, amount numeric".

    `unnest` is the item for FROM, `names` the list of columns, `arrays` and `array` are parameters alone.
    """

    def __init__(self, alias: str, columns: str) -> None:
        types = dict(column.split() for column in columns.split(","))
        self._columns = [(name, f"{alias}_{name}", attrgetter(name), LITERALS[type]) for name, type in types.items()]
        self._arrays = {name: f"%({alias}_{name})s::{type}[]" for name, type in types.items()}
        self.names = ", ".join(types)
        self.arrays = ", ".join(self._arrays.values())
        self.unnest = f"unnest({self.arrays}) AS {alias} ({self.names})"

    def array(self, name: str) -> str:
        """One column as an array."""
        return self._arrays[name]

    def parameters(self, rows: Collection[Any] = (), /, **columns: Iterable[Any]) -> dict[str, str]:
        """The statement's parameters: each column from `columns`, or else from the rows' attribute of its name."""
        return {
            parameter: literal(columns[name] if name in columns else map(attribute, rows))
            for name, parameter, attribute, literal in self._columns
        }


def attributes(rows: Iterable[Any], *names: str) -> dict[str, list[Any]]:
    """Columns from attributes of the rows, for `Columns.parameters`."""
    return {name: [getattr(row, name) for row in rows] for name in names}


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


def _bytes(values: Iterable[bytes | None]) -> str:
    return quoted(None if value is None else "\\x" + value.hex() for value in values)


def _json(values: Iterable[object]) -> str:
    return quoted(None if value is None else json.dumps(value) for value in values)


def _times(values: Iterable[datetime | str | None]) -> str:
    return quoted(value.isoformat() if isinstance(value, datetime) else value for value in values)


LITERALS: dict[str, Callable[[Iterable[Any]], str]] = {
    **dict.fromkeys(("boolean", "smallint", "integer", "bigint", "numeric", "float", "uuid", "date"), plain),
    "text": quoted,
    "bytea": _bytes,
    "jsonb": _json,
    "timestamptz": _times,
}
"""How the values of each SQL type are written into an array."""
