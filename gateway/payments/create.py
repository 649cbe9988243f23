"""From a checked body to a kept payment: what the order routes have in common, whichever way a request came in."""

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
from gateway.payments.schemas import ChargeInput, DepositInput, TransferInput, WithdrawalInput
from gateway.services import Services
from models.payout import Counterparty
from models.rules.types import PaymentType
from settings import Settings


class RequestedParties(NamedTuple):
    """Between what an order moves money, as it names them: see Order."""

    source: str
    target: str | None
    into_any: bool = False


class Route(NamedTuple):
    """A route that takes orders: who may, in what form, and between what; `sides` raises ApiError."""

    orders: PaymentType
    scopes: tuple[str, ...]
    schema: type[ma.Schema]
    sides: Callable[[Body, Caller, Settings], RequestedParties]


def _of_deposit(body: Body, caller: Caller, settings: Settings) -> RequestedParties:
    into_any = "deposits:write" in caller.scopes
    if not into_any and not settings.deposits_open:
        raise ApiError("deposits_closed", "This needs the scope deposits:write.")
    return RequestedParties(body["source"], body["wallet"], into_any)


def _of_withdrawal(body: Body, _caller: Caller, _settings: Settings) -> RequestedParties:
    return RequestedParties(body["wallet"], body["target"])


def _of_transfer(body: Body, _caller: Caller, _settings: Settings) -> RequestedParties:
    if body["source"] == body["target"]:
        raise invalid([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    return RequestedParties(body["source"], body["target"])


def _of_charge(body: Body, _caller: Caller, _settings: Settings) -> RequestedParties:
    return RequestedParties(body["wallet"], body.get("target"))


ROUTES = {
    "/v1/deposits": Route(PaymentType.DEPOSIT, ("deposits:write", "deposits:own"), DepositInput, _of_deposit),
    "/v1/withdrawals": Route(PaymentType.WITHDRAWAL, ("withdrawals:write",), WithdrawalInput, _of_withdrawal),
    "/v1/transfers": Route(PaymentType.TRANSFER, ("transfers:write",), TransferInput, _of_transfer),
    "/v1/charges": Route(PaymentType.CHARGE, ("charges:write",), ChargeInput, _of_charge),
}
"""Path to what is ordered there by POST."""


def create_payment(
    path: str, given: Any, body: Body, environ: Mapping[str, Any], caller: Caller, ours: Services
) -> AcceptedPayment:
    """Keep the order, or find what its key kept before.

    `given` is the parsed body, `body` the same through the route's schema. Raises ApiError, DatabaseAway, Contention
    or Overdue.
    """
    route = ROUTES[path]
    key = idempotency_key(environ)
    sides = route.sides(body, caller, ours.settings)
    currency = ours.reference_data.currency(body["currency"])
    amount = minor_units(body["amount"], currency)
    quote = usable_quote(body["quote"], body["target"], caller, ours) if "quote" in body else None
    return ours.group_commit.submit(
        PaymentRequest(
            id=str(uuid7()),
            type=route.orders,
            user_id=caller.id,
            source=sides.source,
            target=sides.target,
            amount=amount,
            currency=currency.code,
            digits=currency.digits,
            key=key,
            fingerprint=request_fingerprint(path, given),
            summary=body.get("summary"),
            reference=body.get("reference"),
            metadata=body.get("metadata"),
            objection=limits_error(amount, currency) or (quote and quote.objection(amount, currency.code)),
            into_any=sides.into_any,
            capture=body.get("capture", True),
            scheduled_at=body.get("scheduled_at"),
            expires_at=body.get("expires_at"),
            quote_id=body.get("quote"),
            arrival=quote and quote.arrival,
            counterparty=_counterparty_of(body),
        )
    )


def _counterparty_of(body: Body) -> Counterparty | None:
    if "iban" not in body:
        return None
    return Counterparty(body["iban"], body["name"], body.get("bic"), body.get("summary"))
