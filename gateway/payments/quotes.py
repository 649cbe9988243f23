"""Checks whether a payment may use a quote, and what the quote offers to it."""

from typing import NamedTuple

from gateway.auth.tokens import Caller
from gateway.http.errors import ApiError, invalid
from gateway.services import Services
from models import account, quote
from models.payment_view import ConvertedAmount
from models.rules.money import render
from models.session import statements


class UsableQuote(NamedTuple):
    """What a quote offers to one payment; the amount is in minor units of a currency with `digits`."""

    amount: int
    currency: str
    digits: int
    conversion: ConvertedAmount
    is_expired: bool

    def error_if_new(self, amount: int, currency: str) -> ApiError | None:
        """The error if it cannot be used for this amount now; it does not apply to a replay."""
        if (amount, currency) != (self.amount, self.currency):
            quoted = f"{render(self.amount, self.digits)} {self.currency}"
            return invalid([("/quote", "quote_mismatch", f"For this target the quote is for {quoted}.")])
        return ApiError("quote_expired", "Ask for a new quote.") if self.is_expired else None


def usable_quote(id: str, target: str, caller: Caller, services: Services) -> UsableQuote:
    """What the caller's own quote offers to a payment into the target wallet; raises ApiError.

    Into the caller's own wallet that is the offer of an exchange, on any route: it bears no transfer commission.
    """
    with statements(services.engine) as connection:
        record = quote.by_id(connection, id)
        party = account.parties_by_token(connection, [target]).get(target)
    if record is None or record.user_id != caller.id:
        raise invalid([("/quote", "not_found", "You have no such quote.")])
    offer = record.offer(is_own=party is not None and party.owner_id == caller.id)
    if offer is None:
        raise invalid([("/quote", "quote_mismatch", "The quote cannot be used for this target.")])
    source, target_currency = (
        services.reference_data.currency(code) for code in (record.source_currency, record.target_currency)
    )
    conversion = ConvertedAmount(offer.target_amount, target_currency.code, target_currency.digits, record.rate)
    return UsableQuote(offer.source_amount, source.code, source.digits, conversion, record.is_expired)
