"""Every refusal the gateway can answer with: one table, one exception, one rendering (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from gateway.http.access_log import REQUEST_ID
from models.session import Contention, DatabaseAway, NoPartition, StatementTimeout, WrongClock


class ProblemType(NamedTuple):
    """What a code means: HTTP status, a title for people, whether the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


PROBLEMS: dict[str, ProblemType] = {
    "bad_request": ProblemType(400, "Bad request"),
    "malformed_json": ProblemType(400, "The body is not well-formed JSON"),
    "malformed_xml": ProblemType(400, "The body is not well-formed XML of the expected kind"),
    "malformed_csv": ProblemType(400, "The body is not well-formed CSV"),
    "json_duplicate_key": ProblemType(400, "A JSON object names a member twice"),
    "json_too_deep": ProblemType(400, "The JSON is nested too deeply"),
    "bad_cursor": ProblemType(400, "The cursor does not belong to this list"),
    "idempotency_key_missing": ProblemType(400, "Idempotency-Key is required"),
    "idempotency_key_invalid": ProblemType(400, "Idempotency-Key is malformed"),
    "host_unknown": ProblemType(400, "The host is not known here"),
    "token_missing": ProblemType(401, "A bearer token is required"),
    "token_invalid": ProblemType(401, "The bearer token is not valid"),
    "credentials_invalid": ProblemType(401, "E-mail address and password do not fit"),
    "user_inactive": ProblemType(403, "The user has been deactivated"),
    "email_unconfirmed": ProblemType(403, "The e-mail address is not confirmed"),
    "scope_missing": ProblemType(403, "The token lacks the scope for this"),
    "origin_not_allowed": ProblemType(403, "Pages of this origin are not allowed"),
    "deposits_closed": ProblemType(403, "Deposits by owners are closed"),
    "not_found": ProblemType(404, "Not found"),
    "method_not_allowed": ProblemType(405, "Method not allowed"),
    "not_acceptable": ProblemType(406, "The asked media type cannot be answered"),
    "duplicate_reference": ProblemType(409, "The reference has been used"),
    "duplicate_bank_account": ProblemType(409, "The bank account is registered already"),
    "duplicate_terms": ProblemType(409, "Other terms begin at that moment"),
    "duplicate_currency": ProblemType(409, "The currency is there already"),
    "duplicate_email": ProblemType(409, "The e-mail address is another user's"),
    "duplicate_phone_number": ProblemType(409, "The phone number is another user's"),
    "api_key_limit_reached": ProblemType(409, "The user has as many API keys as they may have"),
    "api_key_replaced": ProblemType(409, "The API key has been rolled"),
    "wallet_limit_reached": ProblemType(409, "The user has as many wallets as they may have"),
    "illegal_transition": ProblemType(409, "The payment's state does not allow this"),
    "ending_ordered": ProblemType(409, "A capture, void or cancel of it came first"),
    "bulk_closed": ProblemType(409, "The bulk takes no more lines"),
    "bulk_empty": ProblemType(409, "The bulk has no lines"),
    "bulk_out_of_step": ProblemType(409, "The lines do not go on where the bulk ends"),
    "quote_expired": ProblemType(409, "The quote has expired"),
    "quote_used": ProblemType(409, "The quote was used for another payment"),
    "payment_final": ProblemType(409, "The payment is final"),
    "own_adjustment": ProblemType(409, "Nobody approves what they proposed"),
    "adjustment_decided": ProblemType(409, "The adjustment is approved or rejected already"),
    "line_matched": ProblemType(409, "The line means a payment already"),
    "own_user": ProblemType(409, "Nobody deactivates themselves"),
    "too_many_webhook_endpoints": ProblemType(409, "The user has as many webhook endpoints as they may have"),
    "webhook_endpoint_inactive": ProblemType(409, "The webhook endpoint is inactive"),
    "precondition_failed": ProblemType(412, "It has changed meanwhile"),
    "body_too_large": ProblemType(413, "The body is too large"),
    "uri_too_long": ProblemType(414, "The request line is too long"),
    "unsupported_media_type": ProblemType(415, "The body must be plain application/json"),
    "validation_failed": ProblemType(422, "The request does not fit its schema"),
    "required": ProblemType(422, "A member is missing"),
    "null_not_allowed": ProblemType(422, "A member must not be null"),
    "invalid_type": ProblemType(422, "A value has the wrong type"),
    "invalid_value": ProblemType(422, "A value is not allowed"),
    "unknown_field": ProblemType(422, "A member is not known"),
    "unknown_parameter": ProblemType(422, "A query parameter is not known"),
    "repeated_parameter": ProblemType(422, "A query parameter is given twice"),
    "integer_too_long": ProblemType(422, "An integer has too many digits"),
    "text_too_long": ProblemType(422, "A text is too long"),
    "text_invalid": ProblemType(422, "A text has characters that are not allowed"),
    "limit_out_of_range": ProblemType(422, "The limit is out of range"),
    "email_invalid": ProblemType(422, "This is no e-mail address"),
    "phone_number_invalid": ProblemType(422, "This is no international phone number"),
    "password_too_short": ProblemType(422, "The password is too short"),
    "password_too_long": ProblemType(422, "The password is too long"),
    "password_too_weak": ProblemType(422, "The password is easily guessed"),
    "current_password_wrong": ProblemType(422, "The current password is another"),
    "confirmation_invalid": ProblemType(422, "The token of the mail is not valid"),
    "amount_must_be_string": ProblemType(422, "An amount is a decimal string"),
    "amount_invalid": ProblemType(422, "An amount is not a plain decimal"),
    "amount_precision": ProblemType(422, "An amount has more digits than its currency"),
    "amount_not_positive": ProblemType(422, "An amount must be above zero"),
    "amount_too_large": ProblemType(422, "An amount is above the maximum"),
    "amount_too_small": ProblemType(422, "An amount is below the minimum"),
    "iban_invalid": ProblemType(422, "This is no IBAN"),
    "bic_invalid": ProblemType(422, "This is no BIC"),
    "creditor_reference_invalid": ProblemType(422, "This is no creditor reference"),
    "bic_required": ProblemType(422, "A BIC is missing"),
    "bic_mismatch": ProblemType(422, "BIC and IBAN name different countries"),
    "bank_account_unknown": ProblemType(422, "The bank account is not registered, or otherwise"),
    "currency_unknown": ProblemType(422, "The currency is not known"),
    "currency_inactive": ProblemType(422, "The currency is not in use"),
    "currency_mismatch": ProblemType(422, "The wallet holds another currency"),
    "quote_mismatch": ProblemType(422, "The quote is for something else"),
    "rate_unknown": ProblemType(422, "There is no rate between these currencies"),
    "same_source_and_target": ProblemType(422, "Source and target are the same wallet"),
    "account_inactive": ProblemType(422, "A wallet or its owner is inactive"),
    "own_wallet": ProblemType(422, "A merchant cannot charge a wallet of their own"),
    "merchant_unknown": ProblemType(422, "The merchant is not known"),
    "target_missing": ProblemType(422, "There is no active wallet to receive the money"),
    "url_not_allowed": ProblemType(422, "Nothing is sent to this URL"),
    "idempotency_key_reused": ProblemType(422, "The idempotency key was used for another request"),
    "expectation_failed": ProblemType(417, "The expectation cannot be met"),
    "upgrade_required": ProblemType(426, "This is a WebSocket"),
    "precondition_required": ProblemType(428, "If-Match is required"),
    "login_throttled": ProblemType(429, "Too many failed sign-ins", retryable=True),
    "too_many_waiters": ProblemType(429, "Too many wait already", retryable=True),
    "rate_limited": ProblemType(429, "Too many requests", retryable=True),
    "headers_too_large": ProblemType(431, "The headers are too many or too long"),
    "internal_error": ProblemType(500, "Something went wrong on our side"),
    "transfer_coding_unsupported": ProblemType(501, "The transfer coding is not supported"),
    "database_unavailable": ProblemType(503, "The database is away", retryable=True),
    "out_of_service": ProblemType(503, "Payments are not accepted, or not posted", retryable=True),
    "clock_wrong": ProblemType(503, "The clock of this process is more than a day off", retryable=True),
    "partition_missing": ProblemType(503, "There is no room for payments of this month yet", retryable=True),
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


class FieldError(str):
    """A sentence about one wrong value, with the published `code` of what is wrong."""

    code: str

    def __new__(cls, code: str, detail: str) -> "FieldError":
        flaw = super().__new__(cls, detail)
        flaw.code = code
        return flaw


class ApiError(Exception):
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


def not_found() -> ApiError:
    """The one answer for what does not exist and for what may not be seen."""
    return ApiError("not_found", "There is nothing here that you may see.")


def invalid(flaws: Iterable[tuple[str, str, str]], where: str = "pointer") -> ApiError:
    """A refusal for (pointer or parameter, code, detail) triples; a single flaw lends its own code."""
    errors = [
        {where: place[:POINTER_LENGTH_MAX], "code": code, "detail": detail}
        for place, code, detail in list(flaws)[:ERRORS_MAX]
    ]
    if len(errors) == 1:
        return ApiError(errors[0]["code"], errors[0]["detail"], errors)
    return ApiError("validation_failed", "Several values do not fit; see errors.", errors)


def render(refusal: ApiError) -> Response:
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
    return render(ApiError(code, detail, headers=headers))


def render_away(_: Exception) -> Response:
    """The database could not be asked, or was too busy to decide: nothing was promised."""
    return render(ApiError("database_unavailable", "Try again, with the same idempotency key."))


def render_no_partition(_: Exception) -> Response:
    """Payments of this month cannot be stored: nothing was promised, and somebody must make its partitions."""
    log.error("no partition for the month of a payment's id", command="flask payments partitions")
    return render(ApiError("partition_missing", "Try again later, with the same idempotency key."))


def render_wrong_clock(_: Exception) -> Response:
    """This process makes ids that the database refuses: another gateway may do better."""
    log.error("the clock of this process is more than a day off the database's", command="timedatectl set-ntp true")
    return render(ApiError("clock_wrong", "Try again, with the same idempotency key."))


def register(app: Flask) -> None:
    """Answer every exception as a problem."""
    app.register_error_handler(ApiError, render)
    app.register_error_handler(HTTPException, render_http)
    app.register_error_handler(DatabaseAway, render_away)
    app.register_error_handler(Contention, render_away)
    app.register_error_handler(StatementTimeout, render_away)
    app.register_error_handler(NoPartition, render_no_partition)
    app.register_error_handler(WrongClock, render_wrong_clock)
