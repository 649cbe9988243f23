"""Currencies: a table, seeded from ISO 4217; digits give every stored amount its meaning."""

from typing import NamedTuple

from sqlalchemy import Connection


class Currency(NamedTuple):
    """A currency; minimum and maximum of a payment in minor units, None where there is none."""

    code: str
    digits: int
    kind: str
    name: str
    minimum: int | None
    maximum: int | None
    is_active: bool


def all_by_code(connection: Connection) -> dict[str, Currency]:
    """Every currency by its code, in the order of the codes."""
    rows = connection.exec_driver_sql(
        "SELECT code, digits, kind, name, minimum::text, maximum::text, is_active FROM currencies ORDER BY code"
    )
    return {row[0]: Currency._make((*row[:4], _optional(row[4]), _optional(row[5]), row[6])) for row in rows}


def _optional(text: str | None) -> int | None:
    return None if text is None else int(text)
