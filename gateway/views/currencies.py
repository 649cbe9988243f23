"""GET /v1/currencies."""

from typing import Any

from gateway.auth import requires
from gateway.contract import Blueprint
from gateway.schemas import CurrencySchema, page_of
from gateway.services import services
from gateway.showing import currency_body

currencies = Blueprint("currencies", __name__, url_prefix="/v1/currencies", description="What money there is.")


@currencies.route("")
@requires("currencies:read")
@currencies.response(200, page_of(CurrencySchema))
def list_currencies() -> tuple[dict[str, Any], dict[str, str]]:
    """All currencies by code, on one page."""
    rows = [currency_body(currency) for currency in services().catalogue.currencies().values()]
    return {"data": rows, "has_more": False, "next_cursor": None, "prev_cursor": None}, {}
