"""Every refusal the gateway can answer with: one table, one exception, one rendering (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from gateway.http.access_log import REQUEST_ID
from models.session import Contention, DatabaseAway, NoPartition, Overdue, WrongClock


class Problem(NamedTuple):
    """What a code means: HTTP status, a title for people, whether the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


PROBLEMS: dict[str, Problem] = {
    "bad_request": Problem(400, "Bad request"),
    "malformed_json": Problem(400, "The body is not well-formed JSON"),
    "malformed_xml": Problem(400, "The body is not well-formed XML of the expected kind"),
    "malformed_csv": Problem(400, "The body is not well-formed CSV"),
    "json_duplicate_key": Problem(400, "A JSON object names a member twice"),
    "json_too_deep": Problem(400, "The JSON is nested too deeply"),
    "bad_cursor": Problem(400, "The cursor does not belong to this list"),
    "idempotency_key_missing": Problem(400, "Idempotency-Key is required"),
    "idempotency_key_invalid": Problem(400, "Idempotency-Key is malformed"),
    "host_unknown": Problem(400, "The host is not known here"),
    "token_missing": Problem(401, "A bearer token is required"),
    "token_invalid": Problem(401, "The bearer token is not valid"),
    "credentials_invalid": Problem(401, "E-mail address and password do not fit"),
    "user_inactive": Problem(403, "The user has been deactivated"),
    "email_unconfirmed": Problem(403, "The e-mail address is not confirmed"),
    "scope_missing": Problem(403, "The token lacks the scope for this"),
    "origin_not_allowed": Problem(403, "Pages of this origin are not allowed"),
    "deposits_closed": Problem(403, "Deposits by owners are closed"),
    "not_found": Problem(404, "Not found"),
    "method_not_allowed": Problem(405, "Method not allowed"),
    "not_acceptable": Problem(406, "The asked media type cannot be answered"),
    "duplicate_reference": Problem(409, "The reference has been used"),
    "duplicate_bank_account": Problem(409, "The bank account is registered already"),
    "duplicate_terms": Problem(409, "Other terms begin at that moment"),
    "duplicate_currency": Problem(409, "The currency is there already"),
    "duplicate_email": Problem(409, "The e-mail address is another user's"),
    "duplicate_phone_number": Problem(409, "The phone number is another user's"),
    "api_key_limit_reached": Problem(409, "The user has as many API keys as they may have"),
    "api_key_replaced": Problem(409, "The API key has been rolled"),
    "wallet_limit_reached": Problem(409, "The user has as many wallets as they may have"),
    "illegal_transition": Problem(409, "The payment's state does not allow this"),
    "ending_ordered": Problem(409, "A capture, void or cancel of it came first"),
    "bulk_closed": Problem(409, "The bulk takes no more lines"),
    "bulk_empty": Problem(409, "The bulk has no lines"),
    "bulk_out_of_step": Problem(409, "The lines do not go on where the bulk ends"),
    "quote_expired": Problem(409, "The quote has expired"),
    "quote_used": Problem(409, "The quote was used for another payment"),
    "payment_final": Problem(409, "The payment is final"),
    "own_adjustment": Problem(409, "Nobody approves what they proposed"),
    "adjustment_decided": Problem(409, "The adjustment is approved or rejected already"),
    "line_matched": Problem(409, "The line means a payment already"),
    "own_user": Problem(409, "Nobody deactivates themselves"),
    "too_many_webhook_endpoints": Problem(409, "The user has as many webhook endpoints as they may have"),
    "webhook_endpoint_inactive": Problem(409, "The webhook endpoint is inactive"),
    "precondition_failed": Problem(412, "It has changed meanwhile"),
    "body_too_large": Problem(413, "The body is too large"),
    "uri_too_long": Problem(414, "The request line is too long"),
    "unsupported_media_type": Problem(415, "The body must be plain application/json"),
    "validation_failed": Problem(422, "The request does not fit its schema"),
    "required": Problem(422, "A member is missing"),
    "null_not_allowed": Problem(422, "A member must not be null"),
    "invalid_type": Problem(422, "A value has the wrong type"),
    "invalid_value": Problem(422, "A value is not allowed"),
    "unknown_field": Problem(422, "A member is not known"),
    "unknown_parameter": Problem(422, "A query parameter is not known"),
    "repeated_parameter": Problem(422, "A query parameter is given twice"),
    "integer_too_long": Problem(422, "An integer has too many digits"),
    "text_too_long": Problem(422, "A text is too long"),
    "text_invalid": Problem(422, "A text has characters that are not allowed"),
    "limit_out_of_range": Problem(422, "The limit is out of range"),
    "email_invalid": Problem(422, "This is no e-mail address"),
    "phone_number_invalid": Problem(422, "This is no international phone number"),
    "password_too_short": Problem(422, "The password is too short"),
    "password_too_long": Problem(422, "The password is too long"),
    "password_too_weak": Problem(422, "The password is easily guessed"),
    "current_password_wrong": Problem(422, "The current password is another"),
    "confirmation_invalid": Problem(422, "The token of the mail is not valid"),
    "amount_must_be_string": Problem(422, "An amount is a decimal string"),
    "amount_invalid": Problem(422, "An amount is not a plain decimal"),
    "amount_precision": Problem(422, "An amount has more digits than its currency"),
    "amount_not_positive": Problem(422, "An amount must be above zero"),
    "amount_too_large": Problem(422, "An amount is above the maximum"),
    "amount_too_small": Problem(422, "An amount is below the minimum"),
    "iban_invalid": Problem(422, "This is no IBAN"),
    "bic_invalid": Problem(422, "This is no BIC"),
    "creditor_reference_invalid": Problem(422, "This is no creditor reference"),
    "bic_required": Problem(422, "A BIC is missing"),
    "bic_mismatch": Problem(422, "BIC and IBAN name different countries"),
    "bank_account_unknown": Problem(422, "The bank account is not registered, or otherwise"),
    "currency_unknown": Problem(422, "The currency is not known"),
    "currency_inactive": Problem(422, "The currency is not in use"),
    "currency_mismatch": Problem(422, "The wallet holds another currency"),
    "quote_mismatch": Problem(422, "The quote is for something else"),
    "rate_unknown": Problem(422, "There is no rate between these currencies"),
    "same_source_and_target": Problem(422, "Source and target are the same wallet"),
    "account_inactive": Problem(422, "A wallet or its owner is inactive"),
    "own_wallet": Problem(422, "A merchant cannot charge a wallet of their own"),
    "merchant_unknown": Problem(422, "The merchant is not known"),
    "target_missing": Problem(422, "There is no active wallet to receive the money"),
    "url_not_allowed": Problem(422, "Nothing is sent to this URL"),
    "idempotency_key_reused": Problem(422, "The idempotency key was used for another request"),
    "expectation_failed": Problem(417, "The expectation cannot be met"),
    "upgrade_required": Problem(426, "This is a WebSocket"),
    "precondition_required": Problem(428, "If-Match is required"),
    "login_throttled": Problem(429, "Too many failed sign-ins", retryable=True),
    "too_many_waiters": Problem(429, "Too many wait already", retryable=True),
    "rate_limited": Problem(429, "Too many requests", retryable=True),
    "headers_too_large": Problem(431, "The headers are too many or too long"),
    "internal_error": Problem(500, "Something went wrong on our side"),
    "transfer_coding_unsupported": Problem(501, "The transfer coding is not supported"),
    "database_unavailable": Problem(503, "The database is away", retryable=True),
    "out_of_service": Problem(503, "Payments are not accepted, or not posted", retryable=True),
    "clock_wrong": Problem(503, "The clock of this process is more than a day off", retryable=True),
    "partition_missing": Problem(503, "There is no room for payments of this month yet", retryable=True),
}
"""Code to its meaning; the code is the contract, listed in docs/errors.md."""

CODE_OF_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}
"""The framework's own exceptions by their status; any other below 500 is a bad_request."""

log = structlog.get_logger("gateway")

MEDIA_TYPE = "application/problem+json"
AUTHENTICATE = 'Bearer realm="payments"'
RETRY_AFTER_SECONDS = "1"

ERRORS_MAX = 20
POINTER_LENGTH_MAX = 120


class Flaw(str):
    """A sentence about one wrong value, with the published `code` of what is wrong."""

    code: str

    def __new__(cls, code: str, detail: str) -> "Flaw":
        flaw = super().__new__(cls, detail)
        flaw.code = code
        return flaw


class Refusal(Exception):
    """An answer other than the wished one; raised anywhere in the gateway, rendered here.

    `errors` are {pointer | parameter, code, detail}; `members` are further members of the body.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Iterable[dict[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = members


def not_found() -> Refusal:
    """The one answer for what does not exist and for what may not be seen."""
    return Refusal("not_found", "There is nothing here that you may see.")


def flawed(flaws: Iterable[tuple[str, str, str]], where: str = "pointer") -> Refusal:
    """A refusal for (pointer or parameter, code, detail) triples; a single flaw lends its own code."""
    errors = [
        {where: place[:POINTER_LENGTH_MAX], "code": code, "detail": detail}
        for place, code, detail in list(flaws)[:ERRORS_MAX]
    ]
    if len(errors) == 1:
        return Refusal(errors[0]["code"], errors[0]["detail"], errors)
    return Refusal("validation_failed", "Several values do not fit; see errors.", errors)


def render(refusal: Refusal) -> Response:
    """The refusal as application/problem+json."""
    problem = PROBLEMS[refusal.code]
    body: dict[str, Any] = {
        "type": f"urn:payments:problem:{refusal.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": refusal.detail,
        "instance": request.path,
        "code": refusal.code,
        "errors": refusal.errors,
        "request_id": request.environ[REQUEST_ID],
        "retryable": problem.retryable,
        **refusal.members,
    }
    response = Response(json.dumps(body), problem.status, refusal.headers, content_type=MEDIA_TYPE)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers.setdefault("WWW-Authenticate", AUTHENTICATE)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", RETRY_AFTER_SECONDS)
    return response


def render_http(error: HTTPException) -> Response:
    """A framework's exception as a problem, with the headers that make it useful (Allow, WWW-Authenticate)."""
    code = CODE_OF_STATUS.get(error.code or 500, "bad_request")
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    detail = not_found().detail if code == "not_found" else PROBLEMS[code].title + "."
    return render(Refusal(code, detail, headers=headers))


def render_away(_: Exception) -> Response:
    """The database could not be asked, or was too busy to decide: nothing was promised."""
    return render(Refusal("database_unavailable", "Try again, with the same idempotency key."))


def render_no_partition(_: Exception) -> Response:
    """Payments of this month cannot be stored: nothing was promised, and somebody must make its partitions."""
    log.error("no partition for the month of a payment's id", command="flask payments partitions")
    return render(Refusal("partition_missing", "Try again later, with the same idempotency key."))


def render_wrong_clock(_: Exception) -> Response:
    """This process makes ids that the database refuses: another gateway may do better."""
    log.error("the clock of this process is more than a day off the database's", command="timedatectl set-ntp true")
    return render(Refusal("clock_wrong", "Try again, with the same idempotency key."))


def register(app: Flask) -> None:
    """Answer every exception as a problem."""
    app.register_error_handler(Refusal, render)
    app.register_error_handler(HTTPException, render_http)
    app.register_error_handler(DatabaseAway, render_away)
    app.register_error_handler(Contention, render_away)
    app.register_error_handler(Overdue, render_away)
    app.register_error_handler(NoPartition, render_no_partition)
    app.register_error_handler(WrongClock, render_wrong_clock)
