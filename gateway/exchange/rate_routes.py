"""GET and PUT /v1/exchange-rates: ops set the rates, everyone may read them."""

from typing import Any

from gateway.auth.guards import actor, requires
from gateway.exchange.schemas import RateInput, RateSchema
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.errors import invalid
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page
from gateway.services import services
from models import audit, exchange_rate
from models.exchange_rate import ExchangeRate
from models.rules.commission import PERCENT_DIGITS
from models.rules.exchange import rate_text
from models.rules.money import render
from models.session import statements, transaction

rates = Blueprint("rates", __name__, url_prefix="/v1/exchange-rates", description="Exchange rates between currencies.")


@rates.route("")
@requires("currencies:read")
@rates.response(200, page_of(RateSchema))
def list_rates() -> JsonAnswer:
    """List the current exchange rates, by currencies, on one page."""
    with statements(services().engine) as connection:
        rows = exchange_rate.in_force(connection)
    return only_page(_body(row) for row in rows)


@rates.route("", methods=["PUT"])
@requires("ops:rates")
@rates.arguments(RateInput)
@rates.response(200, RateSchema)
def set_rate(body: dict[str, Any]) -> JsonAnswer:
    """Set an exchange rate; existing quotes keep theirs."""
    for side in ("source", "target"):
        services().reference_data.currency(body[side], f"/{side}")
    with transaction(services().engine) as connection:
        rate = exchange_rate.add(
            connection,
            body["source"],
            body["target"],
            body["rate"],
            body["spread"],
            body["source_name"],
            body.get("valid_from"),
        )
        if rate is None:
            raise invalid([("/valid_from", "invalid_value", "A rate cannot apply to the past.")])
        audit.note(connection, actor(), "exchange_rates.tell", f"{rate.source}/{rate.target}", after=_body(rate))
    return _body(rate), {}


def _body(rate: ExchangeRate) -> dict[str, Any]:
    return {
        "source": rate.source,
        "target": rate.target,
        "rate": rate_text(rate.rate),
        "spread": render(rate.spread_millionths, PERCENT_DIGITS).rstrip("0").rstrip("."),
        "source_name": rate.source_name,
        "valid_from": rate.valid_from.isoformat(),
    }
