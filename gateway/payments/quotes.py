"""Quotes as orders use them: whose they are, what they offer to whom, and whether they are still good."""

from typing import NamedTuple

from gateway.auth.tokens import Caller
from gateway.http.errors import ApiError, invalid
from gateway.services import Services
from models import account, quote
from models.payment_view import ConvertedAmount
from models.rules.money import render
from models.session import statements


class UsableQuote(NamedTuple):
    """What a quote offers to one order; the amount in minor units, `digits` those of its currency."""

    amount: int
    currency: str
    digits: int
    arrival: ConvertedAmount
    is_expired: bool

    def objection(self, amount: int, currency: str) -> ApiError | None:
        """What is against using it for that amount now; a replay is not held to it."""
        if (amount, currency) != (self.amount, self.currency):
            asked = f"{render(self.amount, self.digits)} {self.currency}"
            return invalid([("/quote", "quote_mismatch", f"To this target the quote is for {asked}.")])
        return ApiError("quote_expired", "Ask for a new quote.") if self.is_expired else None


def usable_quote(id: str, target: str, caller: Caller, ours: Services) -> UsableQuote:
    """What the caller's own quote offers to an order into the wallet of that token; raises ApiError.

    To a wallet of one's own that is the exchange, however it is ordered: there is no commission of transfers on it.
    """
    with statements(ours.engine) as connection:
        found = quote.by_id(connection, id)
        there = account.parties_by_token(connection, [target]).get(target)
    if found is None or found.user_id != caller.id:
        raise invalid([("/quote", "not_found", "There is no such quote of yours.")])
    offer = found.offer(is_own=there is not None and there.owner_id == caller.id)
    if offer is None:
        raise invalid([("/quote", "quote_mismatch", "To this target the quote offers nothing.")])
    source, arriving = (ours.reference_data.currency(code) for code in (found.source_currency, found.target_currency))
    arrival = ConvertedAmount(offer.target_amount, arriving.code, arriving.digits, found.rate)
    return UsableQuote(offer.source_amount, source.code, source.digits, arrival, found.is_expired)
