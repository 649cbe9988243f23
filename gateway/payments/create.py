"""Creates payments from validated bodies; the routes and the fast path share it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import marshmallow as ma
from uuid_utils import uuid7

from gateway.acceptance.accepted import AcceptedPayment
from gateway.acceptance.payment_request import PaymentRequest
from gateway.acceptance.reference_data import limits_error, minor_units
from gateway.auth.tokens import Caller
from gateway.http.access_log import NEW_ID, PAYMENT, REQUEST_ID, WRITTEN, Environ
from gateway.http.blueprint import Body
from gateway.http.errors import ApiError, invalid
from gateway.http.event_loop import run_in_thread
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
from models.currency import Currency
from models.payment import NewPayment
from models.payment_view import ConvertedAmount, PaymentView
from models.payout import Counterparty
from models.rules.exchange import rate_text
from models.rules.types import PaymentType
from models.session import statements


class Submission(NamedTuple):
    """A request to create a payment: the parsed body, the same loaded by the route's schema, its sender, a new id.

    `request_id` is the Request-Id if the client chose it.
    """

    path: str
    json: Any
    body: Body
    key: str
    caller: Caller
    services: Services
    payment_id: str
    request_id: str | None


class Route(NamedTuple):
    """A route that creates payments: their type, the scopes that allow it, its schema, and what makes the request.

    `request` raises ApiError.
    """

    payment_type: PaymentType
    scopes: tuple[str, ...]
    schema: type[ma.Schema]
    request: Callable[[Submission], PaymentRequest]


def _request(
    submission: Submission,
    source: str,
    target: str | None,
    amount: int,
    currency: Currency,
    error_if_new: ApiError | None = None,
    *,
    into_any_wallet: bool = False,
    conversion: ConvertedAmount | None = None,
    charge: PaymentView | None = None,
) -> PaymentRequest:
    """The request with all that does not depend on the type of payment."""
    path, json, body, key, caller, _, id, request_id = submission
    payment = NewPayment(
        id=id,
        type=ROUTES[path].payment_type.value,
        user_id=caller.id,
        source_id="",
        target_id="",
        amount=amount,
        currency=currency.code,
        key=key,
        fingerprint=request_fingerprint(path, json),
        summary=body.get("summary"),
        reference=body.get("reference"),
        metadata=body.get("metadata"),
        capture=body.get("capture", True),
        scheduled_at=body.get("scheduled_at"),
        expires_at=body.get("expires_at"),
        parent_id=charge and charge.id,
        reason=body.get("reason"),
        quote_id=body.get("quote"),
        target_amount=conversion and conversion.amount,
        target_currency=conversion and conversion.currency,
        rate=conversion and rate_text(conversion.rate),
        request_id=request_id,
    )
    details = (currency.digits, error_if_new, into_any_wallet, conversion, _counterparty(body), charge)
    maker_id = caller.person_id if caller.merchant_id else None
    return PaymentRequest(payment, source, target, *details, maker_id=maker_id)


def _counterparty(body: Body) -> Counterparty | None:
    if "iban" not in body:
        return None
    return Counterparty(body["iban"], body["name"], body.get("bic"), body.get("summary"))


def _amount(submission: Submission) -> tuple[int, Currency, ApiError | None]:
    """Amount and currency of the body, and the error if they are beyond the limits."""
    currency = submission.services.reference_data.currency(submission.body["currency"])
    amount = minor_units(submission.body["amount"], currency)
    return amount, currency, limits_error(amount, currency)


def _deposit(submission: Submission) -> PaymentRequest:
    body, is_ops = submission.body, "deposits:write" in submission.caller.scopes
    if not is_ops and not submission.services.settings.deposits_open:
        raise ApiError("deposits_closed", "This needs the scope deposits:write.")
    return _request(submission, body["source"], body["wallet"], *_amount(submission), into_any_wallet=is_ops)


def _withdrawal(submission: Submission) -> PaymentRequest:
    return _request(submission, submission.body["wallet"], submission.body["target"], *_amount(submission))


def _transfer(submission: Submission) -> PaymentRequest:
    body = submission.body
    if body["source"] == body["target"]:
        raise invalid([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    amount, currency, error = _amount(submission)
    conversion = None
    if "quote" in body:
        quote = run_in_thread(usable_quote, body["quote"], body["target"], submission.caller, submission.services)
        error, conversion = error or quote.error_if_new(amount, currency.code), quote.conversion
    return _request(submission, body["source"], body["target"], amount, currency, error, conversion=conversion)


def _exchange(submission: Submission) -> PaymentRequest:
    body = submission.body
    quote = run_in_thread(usable_quote, body["quote"], body["target"], submission.caller, submission.services)
    amount, currency = quote.amount, submission.services.reference_data.currency(quote.currency)
    error = limits_error(amount, currency) or quote.error_if_new(amount, currency.code)
    return _request(submission, body["source"], body["target"], amount, currency, error, conversion=quote.conversion)


def _charge(submission: Submission) -> PaymentRequest:
    return _request(submission, submission.body["wallet"], submission.body.get("target"), *_amount(submission))


def _refund(submission: Submission) -> PaymentRequest:
    """Without an amount, all that is left to refund as read without a lock; the worker decides it under lock."""
    charge = run_in_thread(_charge_of, submission)
    if charge is None or charge.user_id != submission.caller.id or charge.type != PaymentType.CHARGE:
        raise invalid([("/charge", "not_found", "You have no such charge.")])
    currency = submission.services.reference_data.currency(charge.currency)
    if "amount" in submission.body:
        amount = minor_units(submission.body["amount"], currency)
    else:
        captured = charge.captured_amount or charge.amount
        amount = captured - charge.refunded or captured
    return _request(submission, charge.target.token or "", charge.source.token, amount, currency, charge=charge)


def _charge_of(submission: Submission) -> PaymentView | None:
    with statements(submission.services.engine) as connection:
        return payment_view.by_id(connection, submission.body["charge"])


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
    path: str, json: Any, body: Body, environ: Environ, caller: Caller, services: Services
) -> AcceptedPayment:
    """Create the payment, or return the one that the same idempotency key created before.

    `json` is the parsed body, `body` the same body loaded by the route's schema. Raises ApiError, DatabaseUnavailable,
    Contention or StatementTimeout. Unless the client chose the Request-Id, the payment has it as its id, so that it is
    found by that without an index.
    """
    new_id = environ.pop(NEW_ID, None)
    ids = (str(new_id), None) if new_id else (str(uuid7()), environ[REQUEST_ID])
    request = ROUTES[path].request(Submission(path, json, body, idempotency_key(environ), caller, services, *ids))
    accepted, charge = services.group_commit.submit(request), request.charge
    if not accepted.is_replay:
        environ[PAYMENT] = accepted.view.id
    environ[WRITTEN] = accepted.written
    if charge is None:
        return accepted
    # The tokens of a charge are not shown with its refund.
    return accepted._replace(view=accepted.view._replace(source=charge.target, target=charge.source))
