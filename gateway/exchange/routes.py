"""/v1/quotes and POST /v1/exchanges: a quote fixes a rate for a limited time, for one payment."""

from typing import Any

from flask import g
from uuid_utils import uuid7

from gateway.acceptance.reference_data import limits_error, minor_units
from gateway.auth.guards import requires
from gateway.exchange.schemas import QuoteInput, QuoteSchema
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.found import path_id, readable
from gateway.http.payment_schemas import PaymentSchema
from gateway.outcomes.responses import JsonResult
from gateway.payments.create import ROUTES
from gateway.payments.create_routes import create
from gateway.payments.schemas import ExchangeInput
from gateway.services import services
from models import commission_terms, exchange_rate, quote
from models.currency import Currency
from models.quote import Quote
from models.representations import iso
from models.rules.commission import Terms
from models.rules.exchange import Market, Offer, Side, offer, rate_text
from models.rules.money import MoneyError, render
from models.rules.types import PaymentType
from models.session import Connection, statements, transaction

exchanges = Blueprint(
    "exchanges",
    __name__,
    url_prefix="/v1",
    description="Quotes that fix a rate, and exchanges between your wallets.",
)


@exchanges.route("/quotes", methods=["POST"])
@requires("transfers:write")
@exchanges.arguments(QuoteInput)
@exchanges.response(201, QuoteSchema)
def make_quote(body: Body) -> JsonAnswer:
    """Create a quote: a fixed rate for one exchange or one transfer, with commission apart from the rate."""
    source, target = (
        services().reference_data.currency(body[name], f"/{name}") for name in ("source_currency", "target_currency")
    )
    with transaction(services().engine) as connection:
        created = _quote(connection, body, source, target)
        quote.keep(connection, created)
        kept = readable(quote.by_id(connection, created.id))
    return _body(kept), {}


@exchanges.route("/quotes/<id>")
@requires("payments:read")
@exchanges.response(200, QuoteSchema)
def get_quote(id: str) -> JsonAnswer:
    """Get a quote: its rate and offers, whether it may still be used, and the payment that used it."""
    with statements(services().engine) as connection:
        shown = readable(quote.by_id(connection, path_id(id)))
    return _body(shown), {}


def _body(shown: Quote) -> dict[str, Any]:
    source, target = (
        services().reference_data.currency(code) for code in (shown.source_currency, shown.target_currency)
    )
    nothing = dict.fromkeys(Offer._fields)
    return {
        "id": shown.id,
        "state": shown.state,
        "source_currency": source.code,
        "target_currency": target.code,
        "rate": rate_text(shown.rate),
        **(_offer_body(shown.exchange, source, target) or nothing),
        "transfer": _offer_body(shown.transfer, source, target),
        "payment": shown.payment_id,
        "user": shown.user_id,
        "created_at": iso(shown.created_at),
        "expires_at": shown.expires_at.isoformat(),
    }


def _offer_body(offer: Offer | None, source: Currency, target: Currency) -> dict[str, str] | None:
    if offer is None:
        return None
    return {
        "source_amount": render(offer.source_amount, source.digits),
        "target_amount": render(offer.target_amount, target.digits),
        "commission": render(offer.commission, source.digits),
    }


def _quote(connection: Connection, body: Body, source: Currency, target: Currency) -> Quote:
    """The quote at the current rate and terms of commission; raises ApiError."""
    side = Side(body["side"])
    amount = minor_units(body["amount"], source if side is Side.SOURCE else target)
    rates = exchange_rate.in_force(connection, source.code, target.code)
    if not rates:
        raise invalid([("/target_currency", "rate_unknown", f"There is no rate from {source.code} to {target.code}.")])
    [current] = rates
    market = Market(current.rate, source.digits, target.digits)
    spread = Terms(current.spread_millionths)
    terms = commission_terms.in_force(connection, PaymentType.TRANSFER, source.code, g.caller.id)

    def compute_offer(*terms: Terms) -> Offer | ApiError:
        try:
            computed = offer(side, amount, market, terms)
        except MoneyError as error:
            return invalid([("/amount", error.code, error.detail)])
        return limits_error(computed.source_amount, source) or limits_error(computed.target_amount, target) or computed

    for_exchange, for_transfer = compute_offer(spread), compute_offer(spread, terms)
    if isinstance(for_exchange, ApiError) and isinstance(for_transfer, ApiError):
        raise for_exchange
    return Quote(
        id=str(uuid7()),
        user_id=g.caller.id,
        source_currency=source.code,
        target_currency=target.code,
        rate=current.rate,
        exchange=None if isinstance(for_exchange, ApiError) else for_exchange,
        transfer=None if isinstance(for_transfer, ApiError) else for_transfer,
        expires_at=quote.expiry_time(connection, services().settings.quote_ttl_seconds),
    )


@exchanges.route("/exchanges", methods=["POST"])
@requires(*ROUTES["/v1/exchanges"].scopes)
@exchanges.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])
@exchanges.arguments(ExchangeInput)
@exchanges.outcome(PaymentSchema)
def exchange(body: Body) -> JsonResult:
    """Create an exchange between two of your wallets, on the terms of a quote."""
    return create(body)
