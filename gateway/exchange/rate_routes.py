"""GET and PUT /v1/exchange-rates: what one currency is worth in another, told by ops, seen by everybody."""

from typing import Any

from gateway.auth import tokens
from gateway.auth.tokens import requires
from gateway.exchange.schemas import RateInput, RateSchema
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.errors import invalid
from gateway.http.schemas import page_of
from gateway.services import services
from models import audit, exchange_rate
from models.exchange_rate import ExchangeRate
from models.rules.commission import PERCENT_DIGITS
from models.rules.exchange import rate_text
from models.rules.money import render
from models.session import statements, transaction

rates = Blueprint("rates", __name__, url_prefix="/v1/exchange-rates", description="Rates between currencies.")


@rates.route("")
@requires("currencies:read")
@rates.response(200, page_of(RateSchema))
def list_rates() -> JsonAnswer:
    """The rates that count now, by currencies, on one page."""
    with statements(services().engine) as connection:
        rows = exchange_rate.in_force(connection)
    return {"data": [_body(row) for row in rows], "has_more": False, "next_cursor": None, "prev_cursor": None}, {}


@rates.route("", methods=["PUT"])
@requires("ops:rates")
@rates.arguments(RateInput)
@rates.response(200, RateSchema)
def tell_rate(body: dict[str, Any]) -> JsonAnswer:
    """Tell a rate; quotes that were given keep theirs."""
    for side in ("source", "target"):
        services().reference_data.currency(body[side], f"/{side}")
    with transaction(services().engine) as connection:
        told = exchange_rate.tell(
            connection,
            body["source"],
            body["target"],
            body["rate"],
            body["spread"],
            body["source_name"],
            body.get("valid_from"),
        )
        if told is None:
            raise invalid([("/valid_from", "invalid_value", "A rate does not count backwards.")])
        audit.note(connection, tokens.actor(), "exchange_rates.tell", f"{told.source}/{told.target}", after=_body(told))
    return _body(told), {}


def _body(told: ExchangeRate) -> dict[str, Any]:
    return {
        "source": told.source,
        "target": told.target,
        "rate": rate_text(told.rate),
        "spread": render(told.spread_millionths, PERCENT_DIGITS).rstrip("0").rstrip("."),
        "source_name": told.source_name,
        "valid_from": told.valid_from.isoformat(),
    }
