"""What an order, or a later wish about a payment, is answered with: at once, or after a wait for what comes of it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import g, request

from gateway.bulks.create import AcceptedBulk
from gateway.bulks.representations import bulk_headers
from gateway.http.access_log import CALLER
from gateway.outcomes.prefer import is_decided, is_final, moved_on, wait_for
from gateway.payments.representations import AcceptedPayment, payment_headers
from gateway.services import services
from models.bulk import Bulk
from models.payment_view import PaymentView
from models.representations import bulk_body, payment_body

JsonResult = tuple[dict[str, Any], dict[str, str], int]
"""Body, headers and status."""


def payment_response(shown: AcceptedPayment) -> JsonResult:
    """201 if the payment became final in the time that the caller gave it, else 202."""
    return _of_payment(shown, is_decided, HTTPStatus.CREATED)


def action_response(shown: AcceptedPayment) -> JsonResult:
    """200 if the payment became final in the time that the caller gave it, else 202."""
    return _of_payment(shown, moved_on(shown.view), HTTPStatus.OK)


def related_response(body: dict[str, Any], view: PaymentView | None) -> JsonResult:
    """201 with this body if the payment behind it became final in the time that the caller gave it, else 202."""
    if view is None:
        return body, {}, HTTPStatus.ACCEPTED
    view, applied = wait_for(view, is_decided, request.environ, services())
    return body, applied, _status(view, applied, HTTPStatus.CREATED)


def bulk_response(placed: AcceptedBulk) -> JsonResult:
    """201 if the bulk became final in the time that the caller gave it, else 202: at once if lines are yet to come."""
    bulk, applied = wait_for(placed.bulk, lambda bulk: bulk.is_open or is_final(bulk), request.environ, services())
    g.caller = request.environ[CALLER]
    replayed = {"Idempotent-Replayed": "true"} if placed.is_replay else {}
    headers = {**bulk_headers(bulk, g.caller), **replayed, **applied}
    return bulk_body(bulk), headers, _status(bulk, applied, HTTPStatus.CREATED)


def _of_payment(shown: AcceptedPayment, is_over: Callable[[PaymentView], bool], final: HTTPStatus) -> JsonResult:
    view, applied = wait_for(shown.view, is_over, request.environ, services())
    g.caller = request.environ[CALLER]
    headers = payment_headers(AcceptedPayment(view, shown.is_replay), g.caller) | applied
    return payment_body(view, g.caller), headers, _status(view, applied, final)


def _status(subject: PaymentView | Bulk, applied: dict[str, str], final: HTTPStatus) -> HTTPStatus:
    return final if applied and is_final(subject) else HTTPStatus.ACCEPTED
