"""Currencies, rates, quotes, and what a payment would cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from payments_client.testing.books import Books
from payments_client.testing.money import CURRENCIES, Offer, Rate, fee_of, offer, plain, text, unit
from payments_client.testing.orders import amount_of
from payments_client.testing.payment import COSTS, Quote
from payments_client.testing.people import now
from payments_client.testing.problems import Refused
from payments_client.testing.queries import only_page
from payments_client.testing.routing import Asked, Body, answers

SIDES = {"transfer": ("source", "target"), "charge": ("target", "source"), "withdrawal": ("source", "")}
"""First the wallet that must be one's own, then the one that may be."""


def currency_json(code: str) -> dict[str, Any]:
    """A currency, which has no bounds in the fake."""
    digits, name = CURRENCIES[code]
    bounds = dict.fromkeys(("minimum", "maximum", "balance_maximum"))
    return {"code": code, "digits": digits, "kind": "fiat", "name": name, **bounds, "is_active": True}


@answers("list_currencies")
def list_currencies(_books: Books, _asked: Asked) -> httpx.Response:
    """The currencies of the fake, which are few."""
    return only_page([currency_json(code) for code in CURRENCIES])


@answers("get_currency")
def get_currency(_books: Books, _asked: Asked, code: str) -> httpx.Response:
    """A currency."""
    if code not in CURRENCIES:
        raise Refused(404, "not_found")
    return httpx.Response(200, json=currency_json(code))


@answers("list_exchange_rates")
def list_rates(books: Books, _asked: Asked) -> httpx.Response:
    """The rates, by their currencies."""
    return only_page([books.rates[pair].body() for pair in sorted(books.rates)])


@answers("set_exchange_rate")
def set_rate(books: Books, asked: Asked) -> httpx.Response:
    """A new rate, which counts at once."""
    body = asked.body
    if unknown := [side for side in ("source", "target") if body[side] not in CURRENCIES]:
        raise Refused(422, "currency_unknown", f"/{unknown[0]}")
    numbers = Decimal(body["rate"]), Decimal(body.get("spread", "0"))
    rate = Rate(body["source"], body["target"], *numbers, body["source_name"], now().isoformat())
    books.rates[rate.source, rate.target] = rate
    return httpx.Response(200, json=rate.body())


@answers("create_quote")
def create_quote(books: Books, asked: Asked) -> httpx.Response:
    """A rate that is fixed for a minute, and what it offers."""
    body = asked.body
    for name in ("source_currency", "target_currency"):
        if body[name] not in CURRENCIES:
            raise Refused(422, "currency_unknown", f"/{name}")
    is_target_fixed = body.get("side", "source") == "target"
    amount = amount_of(body, body["target_currency" if is_target_fixed else "source_currency"])
    rate = books.rates.get((body["source_currency"], body["target_currency"]))
    if rate is None:
        raise Refused(422, "rate_unknown", "/target_currency")

    def offered(*percents: Decimal) -> Offer | Refused:
        try:
            return offer(rate, amount, is_target_fixed=is_target_fixed, percents=percents)
        except Refused as refused:
            return refused

    exchange, transfer = offered(rate.spread), offered(rate.spread, books.commission_percent)
    if isinstance(exchange, Refused) and isinstance(transfer, Refused):
        raise exchange
    first, second = (None if isinstance(one, Refused) else one for one in (exchange, transfer))
    quote = Quote(asked.user, rate, first, second)
    books.quotes[quote.id] = quote
    return httpx.Response(201, json=_quote_json(quote))


@answers("get_quote")
def get_quote(books: Books, asked: Asked, id: str) -> httpx.Response:
    """One of the caller's quotes."""
    quote = books.quotes.get(id)
    if quote is None or quote.user is not asked.user:
        raise Refused(404, "not_found")
    return httpx.Response(200, json=_quote_json(quote))


def _quote_json(quote: Quote) -> dict[str, Any]:
    nothing = dict.fromkeys(("source_amount", "target_amount", "commission"))
    return {
        "id": quote.id,
        "state": "used" if quote.payment else "expired" if quote.is_expired else "open",
        "source_currency": quote.rate.source,
        "target_currency": quote.rate.target,
        "rate": plain(quote.rate.rate),
        **(quote.exchange.body() if quote.exchange else nothing),
        "transfer": quote.transfer.body() if quote.transfer else None,
        "payment": quote.payment.id if quote.payment else None,
        "user": quote.user.id,
        "created_at": quote.created_at.isoformat(),
        "expires_at": quote.expires_at.isoformat(),
    }


@answers("preview_commission")
def preview(books: Books, asked: Asked) -> httpx.Response:
    """What would be taken of a payment, and what would arrive."""
    body = asked.body
    amount, currency = amount_of(body), body["currency"]
    percent = books.commission_percent if body["type"] in COSTS else Decimal(0)
    if _is_between_own(books, asked, body):
        percent = Decimal(0)
    fee = fee_of(amount, [percent], currency)
    smallest = int(50 / percent) + 1 if percent else None
    paying = text(smallest * unit(currency), currency) if smallest else None
    terms = {
        "percent": plain(percent),
        **dict.fromkeys(("fixed", "minimum"), text(Decimal(0), currency)),
        "maximum": None,
        "smallest_paying_amount": paying,
        "smallest_paying_units": smallest,
        "ending_minimum": text(unit(currency), currency) if smallest and smallest > 1 else None,
    }
    return httpx.Response(
        200,
        json={
            "type": body["type"],
            "amount": text(amount, currency),
            "currency": currency,
            "commission": text(fee, currency),
            "arrives": text(amount - fee, currency) if fee < amount else None,
            "terms": terms,
        },
    )


def _is_between_own(books: Books, asked: Asked, body: Body) -> bool:
    """Whether the wallets that are named are one's own; raises Refused for one that must be, and is not."""
    own_side, other_side = SIDES.get(body["type"], ("target", ""))
    if body.get("merchant", asked.user.id) != asked.user.id:
        raise Refused(404, "not_found", "/merchant")
    for side in ("source", "target"):
        wallet = books.wallets.get(body.get(side, ""))
        if side in body and (wallet is None or (side == own_side and wallet.owner is not asked.user)):
            raise Refused(404, "not_found", f"/{side}")
    other = books.wallets.get(body.get(other_side, ""))
    return other is not None and other.owner is asked.user
