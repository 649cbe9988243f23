"""What all balances of a currency sum to: zero, or money was made or lost; kept when the auditor looks."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models.records import records
from models.representations import iso
from models.rules.money import render

INVARIANT = "all balances of a currency sum to zero"


class Imbalance(NamedTuple):
    """The sum of all balances of a currency, in minor units, as it was when the auditor last looked."""

    currency: str
    amount: int
    digits: int
    looked_at: datetime


LOOK = """
INSERT INTO imbalances (currency, amount) SELECT currency, sum(balance) FROM accounts GROUP BY currency
ON CONFLICT (currency) DO UPDATE SET amount = excluded.amount, looked_at = excluded.looked_at
"""


def look(connection: Connection) -> list[Imbalance]:
    """Add up the balances of now, and keep the sums; returns all of them."""
    connection.exec_driver_sql(LOOK)
    return last_seen(connection)


def last_seen(connection: Connection) -> list[Imbalance]:
    """The sums that were last seen, by currency."""
    rows = connection.exec_driver_sql(
        "SELECT currency, amount, digits, looked_at FROM imbalances JOIN currencies ON code = currency ORDER BY code"
    )
    return [sum._replace(amount=int(sum.amount)) for sum in records(Imbalance, rows)]


def body(sum: Imbalance) -> dict[str, object]:
    """The JSON of a sum."""
    return {
        "currency": sum.currency,
        "amount": render(sum.amount, sum.digits),
        "looked_at": iso(sum.looked_at),
    }
