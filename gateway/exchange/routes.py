"""POST /v1/quotes and /v1/exchanges: a rate is frozen for a while, and used by one payment."""

from typing import Any

from flask import g, request
from uuid_utils import uuid7

from gateway.acceptance.payment_request import Order
from gateway.acceptance.reference_data import minor_units, objection
from gateway.auth.tokens import requires
from gateway.exchange.schemas import QuoteInput, QuoteSchema
from gateway.http.blueprint import IDEMPOTENCY_KEY, PREFER, Blueprint
from gateway.http.errors import Refusal, flawed
from gateway.http.idempotency import fingerprint_of, key_of
from gateway.http.parsing import body_of_request
from gateway.http.schemas import PaymentSchema
from gateway.outcomes.responses import Outcome, of_order
from gateway.payments.quotes import quoted
from gateway.payments.schemas import ExchangeInput
from gateway.services import services
from models import commission_terms, exchange_rate, quote
from models.currency import Currency
from models.quote import Quote
from models.rules.commission import Terms
from models.rules.exchange import Market, Offer, Side, offer, rate_text
from models.rules.money import MoneyError, render
from models.rules.types import PaymentType
from models.session import Connection, transaction

exchanges = Blueprint(
    "exchanges",
    __name__,
    url_prefix="/v1",
    description="Quotes that freeze a rate, and exchanges between your wallets.",
)

Body = dict[str, Any]
Answer = tuple[Body, dict[str, str]]


@exchanges.route("/quotes", methods=["POST"])
@requires("transfers:write")
@exchanges.arguments(QuoteInput)
@exchanges.response(201, QuoteSchema)
def make_quote(body: Body) -> Answer:
    """Freeze a rate for one exchange between your wallets, or one transfer; commission is named, and in no rate."""
    source, target = (
        services().catalogue.currency(body[name], f"/{name}") for name in ("source_currency", "target_currency")
    )
    with transaction(services().engine) as connection:
        made = _quote(connection, body, source, target)
        quote.keep(connection, made)
    nothing = dict.fromkeys(Offer._fields)
    return {
        "id": made.id,
        "source_currency": source.code,
        "target_currency": target.code,
        "rate": rate_text(made.rate),
        **(_offer_body(made.exchange, source, target) or nothing),
        "transfer": _offer_body(made.transfer, source, target),
        "expires_at": made.expires_at.isoformat(),
    }, {}


def _offer_body(made: Offer | None, source: Currency, target: Currency) -> dict[str, str] | None:
    if made is None:
        return None
    return {
        "source_amount": render(made.source_amount, source.digits),
        "target_amount": render(made.target_amount, target.digits),
        "commission": render(made.commission, source.digits),
    }


def _quote(connection: Connection, body: Body, source: Currency, target: Currency) -> Quote:
    """The quote at the rate and on the terms of commission that count now; raises Refusal."""
    side = Side(body["side"])
    amount = minor_units(body["amount"], source if side is Side.SOURCE else target)
    told = exchange_rate.in_force(connection, source.code, target.code)
    if not told:
        raise flawed([("/target_currency", "rate_unknown", f"No rate from {source.code} to {target.code} is known.")])
    [current] = told
    market = Market(current.rate, source.digits, target.digits)
    spread = Terms(current.spread_millionths)
    terms = commission_terms.in_force(connection, PaymentType.TRANSFER, source.code, g.caller.id)

    def offered(*terms: Terms) -> Offer | Refusal:
        try:
            made = offer(side, amount, market, terms)
        except MoneyError as error:
            return flawed([("/amount", error.code, error.detail)])
        return objection(made.source_amount, source) or objection(made.target_amount, target) or made

    own, beyond = offered(spread), offered(spread, terms)
    if isinstance(own, Refusal) and isinstance(beyond, Refusal):
        raise own
    return Quote(
        id=str(uuid7()),
        user_id=g.caller.id,
        source_currency=source.code,
        target_currency=target.code,
        rate=current.rate,
        exchange=None if isinstance(own, Refusal) else own,
        transfer=None if isinstance(beyond, Refusal) else beyond,
        expires_at=quote.good_until(connection, services().settings.quote_ttl_seconds),
    )


@exchanges.route("/exchanges", methods=["POST"])
@requires("transfers:write")
@exchanges.doc(parameters=[{**IDEMPOTENCY_KEY, "required": True}, PREFER])
@exchanges.arguments(ExchangeInput)
@exchanges.outcome(PaymentSchema)
def exchange(body: Body) -> Outcome:
    """Exchange between two of your wallets, as a quote says."""
    key = key_of(request.environ)
    given = quoted(body["quote"], body["target"], g.caller, services())
    currency = services().catalogue.currency(given.currency)
    shown = services().intake.submit(
        Order(
            id=str(uuid7()),
            type=PaymentType.EXCHANGE,
            user_id=g.caller.id,
            source=body["source"],
            target=body["target"],
            amount=given.amount,
            currency=currency.code,
            digits=currency.digits,
            key=key,
            fingerprint=fingerprint_of(request.path, body_of_request()),
            metadata=body.get("metadata"),
            objection=objection(given.amount, currency) or given.objection(given.amount, currency.code),
            quote_id=body["quote"],
            arrival=given.arrival,
        )
    )
    return of_order(shown)
