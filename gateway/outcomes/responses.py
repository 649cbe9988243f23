"""Responses about a payment that was created or acted on: at once, or after a wait for the outcome."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import g, request

from gateway.acceptance.accepted import AcceptedPayment
from gateway.auth.tokens import Caller
from gateway.http.access_log import CALLER
from gateway.http.etag import etag_of
from gateway.http.idempotency import REPLAYED
from gateway.outcomes.prefer import is_final, moved_on, needs_no_wait, wait_for
from gateway.services import services
from models.bulk import Bulk
from models.payment_view import PaymentView
from models.representations import payment_body

JsonResult = tuple[dict[str, Any], dict[str, str], int]
"""Body, headers and status."""


def payment_response(accepted: AcceptedPayment) -> JsonResult:
    """201 if the payment became final within the time that the caller waits, else 202."""
    return _of_payment(accepted.view, needs_no_wait, HTTPStatus.CREATED, is_replay=accepted.is_replay)


def action_response(view: PaymentView, *, is_replay: bool = False) -> JsonResult:
    """200 if the payment became final within the time that the caller waits, else 202."""
    return _of_payment(view, moved_on(view), HTTPStatus.OK, is_replay=is_replay)


def related_response(body: dict[str, Any], view: PaymentView | None) -> JsonResult:
    """201 with this body if its payment became final within the time that the caller waits, else 202."""
    if view is None:
        return body, {}, HTTPStatus.ACCEPTED
    view, applied = wait_for(view, needs_no_wait, request.environ, services())
    return body, applied, outcome_status(view, applied, HTTPStatus.CREATED)


def _of_payment(
    view: PaymentView, is_over: Callable[[PaymentView], bool], final: HTTPStatus, *, is_replay: bool
) -> JsonResult:
    view, applied = wait_for(view, is_over, request.environ, services())
    g.caller = request.environ[CALLER]
    headers = payment_headers(view, g.caller, is_replay=is_replay) | applied
    return payment_body(view, g.caller), headers, outcome_status(view, applied, final)


def outcome_status(subject: PaymentView | Bulk, applied: dict[str, str], final: HTTPStatus) -> HTTPStatus:
    """`final` if the caller waited and the payment or bulk became final, else 202."""
    return final if applied and is_final(subject) else HTTPStatus.ACCEPTED


def payment_headers(view: PaymentView, caller: Caller, *, is_replay: bool = False) -> dict[str, str]:
    """ETag, Location, Retry-After while the payment is not final, and Idempotent-Replayed for a replay."""
    headers = {"ETag": etag_of(view, caller.id), "Location": f"/v1/payments/{view.id}"}
    if view.finalized_at is None:
        headers["Retry-After"] = "1"
    if is_replay:
        headers |= REPLAYED
    return headers
