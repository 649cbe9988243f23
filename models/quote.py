"""Quotes: a rate and the amounts offered at it, fixed for a while, for one payment of one user."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.rules.exchange import Offer
from models.rules.types import ClaimedPayment, QuotedAmounts


class QuoteState(StrEnum):
    """Whether a payment may use a quote."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"


class Quote(NamedTuple):
    """A quote; the rate has 18 fraction digits. `exchange` is the offer between wallets of one owner, `transfer` to
    another owner's; None is not offered.
    """

    id: str
    user_id: str
    source_currency: str
    target_currency: str
    rate: int
    exchange: Offer | None
    transfer: Offer | None
    expires_at: datetime
    is_expired: bool = False
    payment_id: str | None = None
    created_at: datetime | None = None

    @property
    def state(self) -> QuoteState:
        """Whether a payment has used it, or may still do so."""
        if self.payment_id is not None:
            return QuoteState.USED
        return QuoteState.EXPIRED if self.is_expired else QuoteState.OPEN

    def offer(self, *, is_own: bool) -> Offer | None:
        """The offer to a wallet of the same owner, or to another owner's."""
        return self.exchange if is_own else self.transfer


QUOTE = """
SELECT id::text, user_id::text, source_currency, target_currency, (rate * 1e18)::numeric(38,0),
       ARRAY[source_amount, target_amount, commission]::text[] AS exchange,
       ARRAY[transfer_source_amount, transfer_target_amount, transfer_commission]::text[] AS transfer,
       expires_at, expires_at <= now(), payment_id::text, created_at
FROM quotes WHERE id = %s
"""


def by_id(connection: Connection, id: str) -> Quote | None:
    """The quote, or None."""
    row = connection.exec_driver_sql(QUOTE, (id,)).first()
    return Quote(*row)._replace(exchange=_offer(row.exchange), transfer=_offer(row.transfer)) if row else None


def expiry_time(connection: Connection, seconds: int) -> datetime:
    """Expiry of a quote given now, by the database's clock."""
    return connection.exec_driver_sql("SELECT now() + make_interval(secs => %s)", (seconds,)).scalar_one()


def keep(connection: Connection, quote: Quote) -> None:
    """Store a new quote."""
    nothing = (None, None, None)
    connection.exec_driver_sql(
        "INSERT INTO quotes (id, user_id, source_currency, target_currency, rate, source_amount, target_amount,"
        " commission, transfer_source_amount, transfer_target_amount, transfer_commission, expires_at)"
        " VALUES (%s, %s, %s, %s, %s::numeric * 1e-18, %s, %s, %s, %s, %s, %s, %s)",
        (*quote[:5], *(quote.exchange or nothing), *(quote.transfer or nothing), quote.expires_at),
    )


def use(connection: Connection, id: str, payment_id: str) -> bool:
    """Use the quote for the payment; False if another payment has used it."""
    return (
        connection.exec_driver_sql(
            "UPDATE quotes SET payment_id = %s WHERE id = %s AND payment_id IS NULL", (payment_id, id)
        ).rowcount
        == 1
    )


QUOTED = """
SELECT p.id::text, q.user_id::text, q.source_currency, q.target_currency,
       CASE WHEN s.owner_id = t.owner_id THEN ARRAY[q.source_amount, q.target_amount, q.commission]
            ELSE ARRAY[q.transfer_source_amount, q.transfer_target_amount, q.transfer_commission] END::text[]
FROM payments p JOIN quotes q ON q.id = p.quote_id AND q.payment_id = p.id
JOIN accounts s ON s.id = p.source_id JOIN accounts t ON t.id = p.target_id
WHERE p.id = ANY(%s::uuid[]) AND q.rate = p.rate AND p.created_at < q.expires_at
"""


def quoted(connection: Connection, payments: Iterable[ClaimedPayment]) -> dict[str, QuotedAmounts]:
    """Quoted amounts by payment id, for payments that were accepted before their quote expired and used it."""
    ids = [payment.id for payment in payments if payment.quote_id]
    if not ids:
        return {}
    rows = connection.exec_driver_sql(QUOTED, (pg_arrays.plain(ids),))
    return {id: QuotedAmounts._make((*pair, *offer)) for id, *pair, amounts in rows if (offer := _offer(amounts))}


def _offer(amounts: Sequence[str | None]) -> Offer | None:
    """The offer, whose amounts are all set or all NULL."""
    values = [int(amount) for amount in amounts if amount is not None]
    return Offer(*values) if values else None
