"""Quotes: an exchange at a frozen rate, for a while, for one payment of one user."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import arrays
from models.rules.values import Payment, Quoted


class Quote(NamedTuple):
    """A quote; amounts in minor units, the rate of 18 digits; `type` is that of the payment that may use it."""

    id: str
    type: str
    user_id: str
    source_currency: str
    target_currency: str
    source_amount: int
    target_amount: int
    rate: int
    commission: int
    expires_at: datetime
    is_expired: bool = False


QUOTE = """
SELECT id::text, type, user_id::text, source_currency, target_currency, source_amount::text, target_amount::text,
       (rate * 1e18)::numeric(38,0)::text, commission::text, expires_at, expires_at <= now()
FROM quotes WHERE id = %s
"""


def by_id(connection: Connection, id: str) -> Quote | None:
    """The quote, or None."""
    row = connection.exec_driver_sql(QUOTE, (id,)).first()
    return Quote._make((*row[:5], *map(int, row[5:9]), *row[9:])) if row else None


def good_until(connection: Connection, seconds: int) -> datetime:
    """The end of a quote that is given now, by the clock of the database."""
    return connection.exec_driver_sql("SELECT now() + make_interval(secs => %s)", (seconds,)).scalar_one()


def keep(connection: Connection, quote: Quote) -> None:
    """Keep a new quote."""
    connection.exec_driver_sql(
        "INSERT INTO quotes (id, type, user_id, source_currency, target_currency, source_amount, target_amount, rate,"
        " commission, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s::numeric * 1e-18, %s, %s)",
        (*quote[:5], *map(str, quote[5:9]), quote.expires_at),
    )


def use(connection: Connection, id: str, payment_id: str) -> bool:
    """Let the payment use the quote; False if another has."""
    return (
        connection.exec_driver_sql(
            "UPDATE quotes SET payment_id = %s WHERE id = %s AND payment_id IS NULL", (payment_id, id)
        ).rowcount
        == 1
    )


def quoted(connection: Connection, payments: Iterable[Payment]) -> dict[str, Quoted]:
    """By id of the payment, what was quoted to it while the quote was good; only to the one that used the quote."""
    ids = [payment.id for payment in payments if payment.quote_id]
    if not ids:
        return {}
    rows = connection.exec_driver_sql(
        "SELECT p.id::text, q.type, q.user_id::text, q.source_amount::text, q.source_currency,"
        " q.target_amount::text, q.target_currency, q.commission::text"
        " FROM payments p JOIN quotes q ON q.id = p.quote_id AND q.payment_id = p.id"
        " WHERE p.id = ANY(%s::uuid[]) AND q.rate = p.rate AND p.created_at < q.expires_at",
        (arrays.plain(ids),),
    )
    return {row[0]: Quoted._make((*row[1:3], int(row[3]), row[4], int(row[5]), row[6], int(row[7]))) for row in rows}
