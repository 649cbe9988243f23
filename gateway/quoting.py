"""Quotes as orders use them: whose they are, for what, and whether they are still good."""

from gateway.auth import Caller
from gateway.errors import Refusal, flawed
from gateway.services import Services
from models import quote
from models.payment_view import Arrival
from models.quote import Quote
from models.rules.values import PaymentType
from models.session import statements


def quoted(id: str, type: PaymentType, caller: Caller, ours: Services) -> Quote:
    """The caller's own quote for a payment of that type; raises Refusal."""
    with statements(ours.engine) as connection:
        found = quote.by_id(connection, id)
    if found is None or found.user_id != caller.id:
        raise flawed([("/quote", "not_found", "There is no such quote of yours.")])
    if found.type != type:
        raise flawed([("/quote", "quote_mismatch", f"It is for {found.type}s; ask for a quote of type {type.value}.")])
    return found


def expiry(given: Quote | None) -> Refusal | None:
    """What is against a quote whose time is over; a replay is not held to it."""
    return Refusal("quote_expired", "Ask for a new quote.") if given is not None and given.is_expired else None


def arrival_of(given: Quote | None, ours: Services) -> Arrival | None:
    """What arrives by the quote."""
    if given is None:
        return None
    digits = ours.catalogue.currency(given.target_currency).digits
    return Arrival(given.target_amount, given.target_currency, digits, given.rate)
