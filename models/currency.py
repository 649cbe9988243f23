"""Currencies: seeded from ISO 4217, extended by ops; their digits give every stored amount its meaning."""

from typing import NamedTuple

from sqlalchemy import Connection

from models.records import record, records


class Currency(NamedTuple):
    """A currency; amounts in minor units, None where there is no bound.

    `minimum` and `maximum` bound one payment, `balance_maximum` is the ceiling of wallets opened from now on.
    """

    code: str
    digits: int
    kind: str
    name: str
    minimum: int | None
    maximum: int | None
    balance_maximum: int | None
    is_active: bool = True
    version: int = 1


CURRENCY = """
SELECT code, digits, kind, name, minimum, maximum, balance_maximum, is_active, version FROM currencies
"""


def all_by_code(connection: Connection) -> dict[str, Currency]:
    """All currencies by code, in the order of the codes."""
    rows = connection.exec_driver_sql(f"{CURRENCY} ORDER BY code")
    return {currency.code: currency for currency in records(Currency, rows)}


def by_code(connection: Connection, code: str) -> Currency | None:
    """The currency, or None."""
    return record(Currency, connection.exec_driver_sql(f"{CURRENCY} WHERE code = %s", (code,)))


def create(connection: Connection, new: Currency) -> bool:
    """Add a currency together with its technical accounts; False if its code exists."""
    created = connection.exec_driver_sql(
        "INSERT INTO currencies (code, digits, kind, name, minimum, maximum, balance_maximum)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        new[:7],
    )
    return created.rowcount == 1


def change(connection: Connection, changed: Currency) -> Currency | None:
    """Store all but code, digits and kind, if the currency is still at this version; None if it is not."""
    updated = connection.exec_driver_sql(
        "UPDATE currencies SET name = %(name)s, minimum = %(minimum)s, maximum = %(maximum)s,"
        " balance_maximum = %(balance_maximum)s, is_active = %(is_active)s, version = version + 1"
        " WHERE code = %(code)s AND version = %(version)s",
        changed._asdict(),
    )
    return by_code(connection, changed.code) if updated.rowcount else None
