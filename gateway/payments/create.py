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
from gateway.payments.schemas import ChargeInput, DepositInput, TransferInput, WithdrawalInput
from gateway.services import Services
from models.payout import Counterparty
from models.rules.types import PaymentType
from settings import Settings


class RequestedParties(NamedTuple):
    """Source and target as the body names them; see PaymentRequest."""

    source: str
    target: str | None
    into_any: bool = False


class Route(NamedTuple):
    """A route that creates payments: their type, the scopes that allow it, its schema, and its parties.

    `parties` raises ApiError.
    """

    payment_type: PaymentType
    scopes: tuple[str, ...]
    schema: type[ma.Schema]
    parties: Callable[[Body, Caller, Settings], RequestedParties]


def _deposit_parties(body: Body, caller: Caller, settings: Settings) -> RequestedParties:
    into_any = "deposits:write" in caller.scopes
    if not into_any and not settings.deposits_open:
        raise ApiError("deposits_closed", "This needs the scope deposits:write.")
    return RequestedParties(body["source"], body["wallet"], into_any)


def _withdrawal_parties(body: Body, _caller: Caller, _settings: Settings) -> RequestedParties:
    return RequestedParties(body["wallet"], body["target"])


def _transfer_parties(body: Body, _caller: Caller, _settings: Settings) -> RequestedParties:
    if body["source"] == body["target"]:
        raise invalid([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    return RequestedParties(body["source"], body["target"])


def _charge_parties(body: Body, _caller: Caller, _settings: Settings) -> RequestedParties:
    return RequestedParties(body["wallet"], body.get("target"))


ROUTES = {
    "/v1/deposits": Route(PaymentType.DEPOSIT, ("deposits:write", "deposits:own"), DepositInput, _deposit_parties),
    "/v1/withdrawals": Route(PaymentType.WITHDRAWAL, ("withdrawals:write",), WithdrawalInput, _withdrawal_parties),
    "/v1/transfers": Route(PaymentType.TRANSFER, ("transfers:write",), TransferInput, _transfer_parties),
    "/v1/charges": Route(PaymentType.CHARGE, ("charges:write",), ChargeInput, _charge_parties),
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
    parties = route.parties(body, caller, services.settings)
    currency = services.reference_data.currency(body["currency"])
    amount = minor_units(body["amount"], currency)
    quote = usable_quote(body["quote"], body["target"], caller, services) if "quote" in body else None
    return services.group_commit.submit(
        PaymentRequest(
            id=str(uuid7()),
            type=route.payment_type,
            user_id=caller.id,
            source=parties.source,
            target=parties.target,
            amount=amount,
            currency=currency.code,
            digits=currency.digits,
            key=key,
            fingerprint=request_fingerprint(path, json),
            summary=body.get("summary"),
            reference=body.get("reference"),
            metadata=body.get("metadata"),
            objection=limits_error(amount, currency) or (quote and quote.objection(amount, currency.code)),
            into_any=parties.into_any,
            capture=body.get("capture", True),
            scheduled_at=body.get("scheduled_at"),
            expires_at=body.get("expires_at"),
            quote_id=body.get("quote"),
            arrival=quote and quote.arrival,
            counterparty=_counterparty(body),
        )
    )


def _counterparty(body: Body) -> Counterparty | None:
    if "iban" not in body:
        return None
    return Counterparty(body["iban"], body["name"], body.get("bic"), body.get("summary"))
