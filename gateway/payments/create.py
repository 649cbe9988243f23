"""Creates payments from validated bodies; the routes and the fast path share it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import marshmallow as ma
from uuid_utils import uuid7

from gateway.acceptance.accepted import AcceptedPayment
from gateway.acceptance.payment_request import PaymentRequest
from gateway.acceptance.reference_data import limits_error, minor_units
from gateway.auth.tokens import Caller
from gateway.http.blueprint import Body
from gateway.http.errors import ApiError, invalid
from gateway.http.idempotency import idempotency_key, request_fingerprint
from gateway.payments.quotes import usable_quote
from gateway.payments.schemas import (
    ChargeInput,
    DepositInput,
    ExchangeInput,
    RefundInput,
    TransferInput,
    WithdrawalInput,
)
from gateway.services import Services
from models import payment_view
from models.payment_view import ConvertedAmount, PaymentView
from models.payout import Counterparty
from models.rules.types import PaymentType
from models.session import statements


class PaymentTerms(NamedTuple):
    """The part of a PaymentRequest that depends on the type of payment; `charge` is the one to refund."""

    source: str
    target: str | None
    amount: int
    currency: str
    digits: int
    objection: ApiError | None = None
    into_any: bool = False
    arrival: ConvertedAmount | None = None
    charge: PaymentView | None = None


class Route(NamedTuple):
    """A route that creates payments: their type, the scopes that allow it, its schema and its terms.

    `terms` raises ApiError.
    """

    payment_type: PaymentType
    scopes: tuple[str, ...]
    schema: type[ma.Schema]
    terms: Callable[[Body, Caller, Services], PaymentTerms]


def _terms(body: Body, services: Services, source: str, target: str | None, *, into_any: bool = False) -> PaymentTerms:
    """The terms of a body that names an amount and its currency."""
    currency = services.reference_data.currency(body["currency"])
    amount = minor_units(body["amount"], currency)
    objection = limits_error(amount, currency)
    return PaymentTerms(source, target, amount, currency.code, currency.digits, objection, into_any)


def _deposit(body: Body, caller: Caller, services: Services) -> PaymentTerms:
    into_any = "deposits:write" in caller.scopes
    if not into_any and not services.settings.deposits_open:
        raise ApiError("deposits_closed", "This needs the scope deposits:write.")
    return _terms(body, services, body["source"], body["wallet"], into_any=into_any)


def _withdrawal(body: Body, _caller: Caller, services: Services) -> PaymentTerms:
    return _terms(body, services, body["wallet"], body["target"])


def _transfer(body: Body, caller: Caller, services: Services) -> PaymentTerms:
    if body["source"] == body["target"]:
        raise invalid([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    terms = _terms(body, services, body["source"], body["target"])
    if "quote" not in body:
        return terms
    quote = usable_quote(body["quote"], body["target"], caller, services)
    objection = terms.objection or quote.objection(terms.amount, terms.currency)
    return terms._replace(objection=objection, arrival=quote.arrival)


def _exchange(body: Body, caller: Caller, services: Services) -> PaymentTerms:
    quote = usable_quote(body["quote"], body["target"], caller, services)
    currency = services.reference_data.currency(quote.currency)
    objection = limits_error(quote.amount, currency) or quote.objection(quote.amount, currency.code)
    terms = PaymentTerms(body["source"], body["target"], quote.amount, currency.code, currency.digits, objection)
    return terms._replace(arrival=quote.arrival)


def _charge(body: Body, _caller: Caller, services: Services) -> PaymentTerms:
    return _terms(body, services, body["wallet"], body.get("target"))


def _refund(body: Body, caller: Caller, services: Services) -> PaymentTerms:
    """Without an amount, all that is left to refund as read without a lock; the worker decides it under lock."""
    with statements(services.engine) as connection:
        charge = payment_view.by_id(connection, body["charge"])
    if charge is None or charge.user_id != caller.id or charge.type != PaymentType.CHARGE:
        raise invalid([("/charge", "not_found", "You have no such charge.")])
    if "amount" in body:
        amount = minor_units(body["amount"], services.reference_data.currency(charge.currency))
    else:
        captured = charge.captured_amount or charge.amount
        amount = captured - charge.refunded or captured
    return PaymentTerms(
        charge.target.token or "", charge.source.token, amount, charge.currency, charge.digits, charge=charge
    )


ROUTES = {
    "/v1/deposits": Route(PaymentType.DEPOSIT, ("deposits:write", "deposits:own"), DepositInput, _deposit),
    "/v1/withdrawals": Route(PaymentType.WITHDRAWAL, ("withdrawals:write",), WithdrawalInput, _withdrawal),
    "/v1/transfers": Route(PaymentType.TRANSFER, ("transfers:write",), TransferInput, _transfer),
    "/v1/exchanges": Route(PaymentType.EXCHANGE, ("transfers:write",), ExchangeInput, _exchange),
    "/v1/charges": Route(PaymentType.CHARGE, ("charges:write",), ChargeInput, _charge),
    "/v1/refunds": Route(PaymentType.REFUND, ("charges:write",), RefundInput, _refund),
}
"""The routes that create payments, by path."""


def create_payment(
    path: str, json: Any, body: Body, environ: Mapping[str, Any], caller: Caller, services: Services
) -> AcceptedPayment:
    """Create the payment, or return the one that the same idempotency key created before.

    `json` is the parsed body, `body` the same body loaded by the route's schema. Raises ApiError, DatabaseAway,
    Contention or StatementTimeout.
    """
    route = ROUTES[path]
    key = idempotency_key(environ)
    terms = route.terms(body, caller, services)
    charge = terms.charge
    accepted = services.group_commit.submit(
        PaymentRequest(
            id=str(uuid7()),
            type=route.payment_type,
            user_id=caller.id,
            source=terms.source,
            target=terms.target,
            amount=terms.amount,
            currency=terms.currency,
            digits=terms.digits,
            key=key,
            fingerprint=request_fingerprint(path, json),
            summary=body.get("summary"),
            reference=body.get("reference"),
            metadata=body.get("metadata"),
            objection=terms.objection,
            into_any=terms.into_any,
            capture=body.get("capture", True),
            scheduled_at=body.get("scheduled_at"),
            expires_at=body.get("expires_at"),
            parent=charge and charge.id,
            reason=body.get("reason"),
            quote_id=body.get("quote"),
            arrival=terms.arrival,
            counterparty=_counterparty(body),
        )
    )
    if charge is None:
        return accepted
    # The tokens of a charge are not shown with its refund.
    return accepted._replace(view=accepted.view._replace(source=charge.target, target=charge.source))


def _counterparty(body: Body) -> Counterparty | None:
    if "iban" not in body:
        return None
    return Counterparty(body["iban"], body["name"], body.get("bic"), body.get("summary"))
