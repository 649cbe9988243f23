"""Every error of the API: one table of codes, one exception, one rendering (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from gateway.http.access_log import REQUEST_ID
from models.archive import Archived
from models.session import Contention, DatabaseUnavailable, NoPartition, StatementTimeout, WrongClock


class ProblemType(NamedTuple):
    """The meaning of a code: HTTP status, a title for people, and whether the same request may succeed later."""

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
    "host_unknown": ProblemType(400, "The host is unknown"),
    "token_missing": ProblemType(401, "A bearer token is required"),
    "token_invalid": ProblemType(401, "The bearer token is not valid"),
    "credentials_invalid": ProblemType(401, "E-mail address and password do not match"),
    "second_factor_required": ProblemType(401, "A code of the second factor is required"),
    "second_factor_invalid": ProblemType(401, "The code of the second factor is not valid"),
    "user_inactive": ProblemType(403, "The user has been deactivated"),
    "email_unconfirmed": ProblemType(403, "The e-mail address is not confirmed"),
    "scope_missing": ProblemType(403, "The token lacks the scope for this"),
    "second_factor_enrolment_required": ProblemType(403, "A second factor must be set up first"),
    "second_factor_expired": ProblemType(403, "The second factor must be proved again"),
    "second_factor_mandatory": ProblemType(403, "The user must have a second factor"),
    "membership_missing": ProblemType(403, "The user does not act for the merchant"),
    "session_required": ProblemType(403, "API keys cannot do this"),
    "origin_not_allowed": ProblemType(403, "This origin is not allowed"),
    "deposits_closed": ProblemType(403, "Deposits by wallet owners are disabled"),
    "not_found": ProblemType(404, "Not found"),
    "method_not_allowed": ProblemType(405, "Method not allowed"),
    "not_acceptable": ProblemType(406, "The requested media type is not available"),
    "duplicate_reference": ProblemType(409, "The reference is already in use"),
    "duplicate_bank_account": ProblemType(409, "The bank account is already registered"),
    "duplicate_terms": ProblemType(409, "Other terms start at the same time"),
    "duplicate_currency": ProblemType(409, "The currency already exists"),
    "duplicate_email": ProblemType(409, "The e-mail address belongs to another user"),
    "duplicate_phone_number": ProblemType(409, "The phone number belongs to another user"),
    "api_key_limit_reached": ProblemType(409, "The user has reached the limit of API keys"),
    "api_key_replaced": ProblemType(409, "The API key has already been replaced"),
    "second_factor_active": ProblemType(409, "The user has a second factor already"),
    "second_factor_missing": ProblemType(409, "The user has no second factor"),
    "duplicate_member": ProblemType(409, "The address belongs to a member of the merchant"),
    "owner_active": ProblemType(409, "The merchant has an owner who may sign in"),
    "last_owner": ProblemType(409, "The merchant must have an owner"),
    "founder_is_owner": ProblemType(409, "The merchant's own user is always an owner"),
    "user_unconfirmed": ProblemType(409, "The user of the address has not confirmed it"),
    "wallet_limit_reached": ProblemType(409, "The user has reached the limit of wallets"),
    "illegal_transition": ProblemType(409, "The payment's state does not allow this"),
    "ending_ordered": ProblemType(409, "The payment was already captured, voided or canceled"),
    "bulk_closed": ProblemType(409, "The bulk is closed to further lines"),
    "bulk_empty": ProblemType(409, "The bulk has no lines"),
    "bulk_out_of_step": ProblemType(409, "The lines do not continue where the bulk ends"),
    "quote_expired": ProblemType(409, "The quote has expired"),
    "quote_used": ProblemType(409, "The quote has already been used"),
    "payment_final": ProblemType(409, "The payment is final"),
    "receipt_pending": ProblemType(409, "The payment is not covered by a signed checkpoint yet", retryable=True),
    "receipt_unavailable": ProblemType(409, "The payment has no receipt"),
    "atomic_bulk_line": ProblemType(409, "The line is decided with its bulk"),
    "money_may_be_outside": ProblemType(409, "The bank may have paid it"),
    "payout_not_sent": ProblemType(409, "The bank does not know of the payout"),
    "payout_answered": ProblemType(409, "The payout was answered already"),
    "payout_in_progress": ProblemType(409, "The bank is still being asked about the payout"),
    "resolution_open": ProblemType(409, "A resolution of the payment is open"),
    "own_resolution": ProblemType(409, "A resolution cannot be approved by its proposer"),
    "resolution_decided": ProblemType(409, "The resolution has already been approved or rejected"),
    "own_adjustment": ProblemType(409, "An adjustment cannot be approved by its proposer"),
    "selection_of_another": ProblemType(409, "The selection was shown to another user"),
    "selection_used": ProblemType(409, "The selection has already been used"),
    "selection_expired": ProblemType(409, "The selection has expired"),
    "batch_ended": ProblemType(409, "The batch was stopped or is done"),
    "nothing_to_retry": ProblemType(409, "No payment of the batch can be retried"),
    "item_taken": ProblemType(409, "Another ops user has taken it"),
    "duplicate_view": ProblemType(409, "The person has another view under the name"),
    "too_many_saved_views": ProblemType(409, "The person has reached the limit of saved views"),
    "adjustment_decided": ProblemType(409, "The adjustment has already been approved or rejected"),
    "pause_ending": ProblemType(409, "The pause before is being ended", retryable=True),
    "line_matched": ProblemType(409, "The line is already matched with a payment"),
    "line_dismissed": ProblemType(409, "The line was put aside before"),
    "line_not_booked": ProblemType(409, "The bank did not book the line"),
    "own_deactivation": ProblemType(409, "Who deactivated an owner invites no other"),
    "own_user": ProblemType(409, "Ops users cannot do this to themselves"),
    "too_many_webhook_endpoints": ProblemType(409, "The user has reached the limit of webhook endpoints"),
    "webhook_endpoint_inactive": ProblemType(409, "The webhook endpoint is inactive"),
    "archived": ProblemType(410, "What is asked for is archived"),
    "precondition_failed": ProblemType(412, "The resource has changed"),
    "body_too_large": ProblemType(413, "The body is too large"),
    "uri_too_long": ProblemType(414, "The request line is too long"),
    "unsupported_media_type": ProblemType(415, "The body must be plain application/json"),
    "validation_failed": ProblemType(422, "The request does not match its schema"),
    "required": ProblemType(422, "A member is missing"),
    "null_not_allowed": ProblemType(422, "A member must not be null"),
    "invalid_type": ProblemType(422, "A value has the wrong type"),
    "invalid_value": ProblemType(422, "A value is not allowed"),
    "unknown_field": ProblemType(422, "A member is unknown"),
    "unknown_parameter": ProblemType(422, "A query parameter is unknown"),
    "repeated_parameter": ProblemType(422, "A query parameter is given twice"),
    "integer_too_long": ProblemType(422, "An integer has too many digits"),
    "text_too_long": ProblemType(422, "A text is too long"),
    "text_invalid": ProblemType(422, "A text has characters that are not allowed"),
    "limit_out_of_range": ProblemType(422, "The limit is out of range"),
    "email_invalid": ProblemType(422, "The e-mail address is not valid"),
    "phone_number_invalid": ProblemType(422, "The phone number is not a valid international number"),
    "password_too_short": ProblemType(422, "The password is too short"),
    "password_too_long": ProblemType(422, "The password is too long"),
    "password_too_weak": ProblemType(422, "The password is too easy to guess"),
    "current_password_wrong": ProblemType(422, "The current password is wrong"),
    "invitation_invalid": ProblemType(422, "The invitation's token is not valid"),
    "confirmation_invalid": ProblemType(422, "The confirmation token is not valid"),
    "amount_must_be_string": ProblemType(422, "An amount must be a decimal string"),
    "amount_invalid": ProblemType(422, "An amount is not a plain decimal"),
    "amount_precision": ProblemType(422, "An amount has more decimal places than its currency"),
    "amount_not_positive": ProblemType(422, "An amount must be greater than zero"),
    "amount_too_large": ProblemType(422, "An amount is above the maximum"),
    "amount_too_small": ProblemType(422, "An amount is below the minimum"),
    "iban_invalid": ProblemType(422, "The IBAN is not valid"),
    "bic_invalid": ProblemType(422, "The BIC is not valid"),
    "creditor_reference_invalid": ProblemType(422, "The creditor reference is not valid"),
    "bic_required": ProblemType(422, "A BIC is missing"),
    "bic_mismatch": ProblemType(422, "BIC and IBAN belong to different countries"),
    "bank_account_unknown": ProblemType(422, "The bank account is not registered with these details"),
    "currency_unknown": ProblemType(422, "The currency is unknown"),
    "currency_inactive": ProblemType(422, "The currency is not in use"),
    "currency_mismatch": ProblemType(422, "The wallet holds another currency"),
    "selection_unknown": ProblemType(422, "The selection is unknown"),
    "quote_mismatch": ProblemType(422, "The quote does not match the payment"),
    "rate_unknown": ProblemType(422, "There is no exchange rate for these currencies"),
    "same_source_and_target": ProblemType(422, "Source and target are the same wallet"),
    "account_inactive": ProblemType(422, "A wallet or its owner is inactive"),
    "own_wallet": ProblemType(422, "Merchants cannot charge their own wallets"),
    "merchant_unknown": ProblemType(422, "The merchant is unknown"),
    "target_missing": ProblemType(422, "There is no active wallet to receive the money"),
    "url_not_allowed": ProblemType(422, "The URL is not allowed"),
    "idempotency_key_reused": ProblemType(422, "The idempotency key was used for another request"),
    "expectation_failed": ProblemType(417, "The expectation cannot be met"),
    "upgrade_required": ProblemType(426, "A WebSocket upgrade is required"),
    "precondition_required": ProblemType(428, "If-Match is required"),
    "login_throttled": ProblemType(429, "Too many failed sign-ins", retryable=True),
    "too_many_waiters": ProblemType(429, "Too many requests are waiting", retryable=True),
    "rate_limited": ProblemType(429, "Too many requests", retryable=True),
    "headers_too_large": ProblemType(431, "The headers are too many or too large"),
    "internal_error": ProblemType(500, "Something went wrong on our side"),
    "transfer_coding_unsupported": ProblemType(501, "The transfer coding is not supported"),
    "database_unavailable": ProblemType(503, "The database is unavailable", retryable=True),
    "out_of_service": ProblemType(503, "Payments are not being accepted or not being posted", retryable=True),
    "overloaded": ProblemType(503, "Payments wait too long to be posted", retryable=True),
    "clock_wrong": ProblemType(503, "The clock of this process is more than a day off", retryable=True),
    "partition_missing": ProblemType(503, "The storage partition for this month is missing", retryable=True),
}
"""Each code and its meaning; codes are part of the contract and listed in docs/errors.md."""

CODE_OF_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}
"""The code for the framework's own exceptions, by status; any other below 500 is a bad_request."""

log = structlog.get_logger("gateway")

MEDIA_TYPE = "application/problem+json"
AUTHENTICATE = 'Bearer realm="payments"'
RETRY_AFTER_SECONDS = "1"

ERRORS_MAX = 20
POINTER_LENGTH_MAX = 120


class FieldError(str):
    """The message about one invalid value, with its published `code`."""

    code: str

    def __new__(cls, code: str, detail: str) -> "FieldError":
        error = super().__new__(cls, detail)
        error.code = code
        return error


class ApiError(Exception):
    """An error response; raised anywhere in the gateway, rendered here.

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
    """The error for a resource that does not exist or that the caller may not see: the two are not told apart."""
    return ApiError("not_found", "There is no such resource, or it is not visible to you.")


def invalid(field_errors: Iterable[tuple[str, str, str]], where: str = "pointer") -> ApiError:
    """The error for (pointer or parameter, code, detail) triples; a single one gives the whole error its code."""
    errors = [
        {where: position[:POINTER_LENGTH_MAX], "code": code, "detail": detail}
        for position, code, detail in list(field_errors)[:ERRORS_MAX]
    ]
    if len(errors) == 1:
        return ApiError(errors[0]["code"], errors[0]["detail"], errors)
    return ApiError("validation_failed", "Several values are invalid; see errors.", errors)


def render(error: ApiError) -> Response:
    """The error as application/problem+json."""
    problem = PROBLEMS[error.code]
    body: dict[str, Any] = {
        "type": f"urn:payments:problem:{error.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": error.detail,
        "instance": request.path,
        "code": error.code,
        "errors": error.errors,
        "request_id": request.environ[REQUEST_ID],
        "retryable": problem.retryable,
        **error.members,
    }
    response = Response(json.dumps(body), problem.status, error.headers, content_type=MEDIA_TYPE)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers.setdefault("WWW-Authenticate", AUTHENTICATE)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", RETRY_AFTER_SECONDS)
    return response


def render_http(error: HTTPException) -> Response:
    """An exception of the framework as a problem, with its headers (Allow, WWW-Authenticate)."""
    code = CODE_OF_STATUS.get(error.code or 500, "bad_request")
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    detail = not_found().detail if code == "not_found" else PROBLEMS[code].title + "."
    return render(ApiError(code, detail, headers=headers))


def render_unavailable(_: Exception) -> Response:
    """The database is unavailable or too busy: nothing was accepted."""
    return render(ApiError("database_unavailable", "Try again with the same idempotency key."))


def render_no_partition(_: Exception) -> Response:
    """The partition for payments of this month is missing: nothing was accepted, and an operator must create it."""
    log.error("the partition for this month's payments is missing", command="flask payments partitions")
    return render(ApiError("partition_missing", "Try again later with the same idempotency key."))


def render_wrong_clock(_: Exception) -> Response:
    """The clock of this process is wrong, so the database rejects its ids; another gateway may succeed."""
    log.error("the clock of this process is more than a day off the database's", command="timedatectl set-ntp true")
    return render(ApiError("clock_wrong", "Try again with the same idempotency key."))


def register(app: Flask) -> None:
    """Register a handler that renders each exception as a problem."""
    app.register_error_handler(ApiError, render)
    app.register_error_handler(HTTPException, render_http)
    app.register_error_handler(DatabaseUnavailable, render_unavailable)
    app.register_error_handler(Contention, render_unavailable)
    app.register_error_handler(StatementTimeout, render_unavailable)
    app.register_error_handler(NoPartition, render_no_partition)
    app.register_error_handler(WrongClock, render_wrong_clock)
    app.register_error_handler(Archived, lambda error: render(ApiError("archived", f"{error}.")))
