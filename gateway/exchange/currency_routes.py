"""GET and POST /v1/currencies, GET and PATCH /v1/currencies/{code}."""

from typing import Any

from flask import Response, g

from gateway.acceptance.reference_data import minor_units
from gateway.auth.guards import actor, requires
from gateway.exchange.representations import currency_body
from gateway.exchange.schemas import CurrencyChange, CurrencyInput, CurrencySchema
from gateway.http.blueprint import IF_MATCH, IF_NONE_MATCH, Blueprint, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.etag import etag, precondition_failed, require_if_match, unless_known
from gateway.http.fields import is_currency_code
from gateway.http.found import found
from gateway.http.schemas import page_of
from gateway.lists.pagination import only_page
from gateway.services import services
from models import audit, currency
from models.currency import Currency
from models.session import Connection, statements, transaction

currencies = Blueprint(
    "currencies", __name__, url_prefix="/v1/currencies", description="Currencies, their digits and bounds."
)


BOUNDS = ("minimum", "maximum", "balance_maximum")


@currencies.route("")
@requires("currencies:read")
@currencies.response(200, page_of(CurrencySchema))
def list_currencies() -> JsonAnswer:
    """List all currencies by code, on one page."""
    return only_page(currency_body(row) for row in services().reference_data.currencies().values())


@currencies.route("/<code>")
@requires("currencies:read")
@currencies.doc(parameters=[IF_NONE_MATCH])
@currencies.response(200, CurrencySchema)
def get_currency(code: str) -> JsonAnswer | Response:
    """Get a currency."""
    with statements(services().engine) as connection:
        current = _find_currency(connection, code)
    headers = {"ETag": etag(current.version, g.caller.id)}
    return unless_known(currency_body(current), headers)


@currencies.route("", methods=["POST"])
@requires("ops:currencies")
@currencies.arguments(CurrencyInput)
@currencies.response(201, CurrencySchema)
def add_currency(body: dict[str, Any]) -> JsonAnswer:
    """Add a currency; its code, digits and kind cannot change later."""
    code, digits = body["code"], body["digits"]
    new = _bounded(Currency(code, digits, body["kind"], body["name"], None, None, None), body)
    with transaction(services().engine) as connection:
        if not currency.create(connection, new):
            raise ApiError("duplicate_currency", f"The currency {code} exists.")
        audit.note(connection, actor(), "currencies.add", code, after=currency_body(new))
    services().reference_data.forget()
    return currency_body(new), {"ETag": etag(new.version, g.caller.id), "Location": f"/v1/currencies/{code}"}


@currencies.route("/<code>", methods=["PATCH"])
@requires("ops:currencies")
@currencies.doc(parameters=[IF_MATCH])
@currencies.arguments(CurrencyChange)
@currencies.response(200, CurrencySchema)
def change_currency(body: dict[str, Any], code: str) -> JsonAnswer:
    """Update the name, bounds or use of a currency; an inactive one accepts no new payments."""
    with transaction(services().engine) as connection:
        current = _find_currency(connection, code)
        require_if_match(current.version, "currency")
        wanted = _bounded(current._replace(**{name: body[name] for name in body if name not in BOUNDS}), body)
        changed = current if wanted == current else currency.change(connection, wanted)
        if changed is None:
            raise precondition_failed("currency")
        if changed.version != current.version:
            before, after = currency_body(current), currency_body(changed)
            audit.note(connection, actor(), "currencies.change", code, before=before, after=after)
    services().reference_data.forget()
    return currency_body(changed), {"ETag": etag(changed.version, g.caller.id)}


def _find_currency(connection: Connection, code: str) -> Currency:
    """The currency; raises ApiError not_found."""
    return found(currency.by_code(connection, code) if is_currency_code(code) else None)


def _bounded(currency: Currency, body: dict[str, Any]) -> Currency:
    """The currency with the bounds of the body, in its own minor units; raises ApiError."""
    bounds: dict[str, Any] = {name: body[name] for name in BOUNDS if name in body}
    for name, text in bounds.items():
        bounds[name] = None if text is None else minor_units(text, currency, f"/{name}")
    bounded = currency._replace(**bounds)
    if bounded.maximum is not None and bounded.maximum < (bounded.minimum or 0):
        raise invalid([("/maximum", "invalid_value", "Must not be below the minimum.")])
    return bounded
