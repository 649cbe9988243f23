"""The responses of every operation: possible errors, and the headers of each response."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gateway.http.errors import MEDIA_TYPE, PROBLEMS
from gateway.http.openapi.operations import operations

Answer = dict[str, Any]

HEADERS = {
    "Allow": "The methods of this path.",
    "Consistency-Token": "Sent with a later read, it makes that see this write; absent where every read does.",
    "Connection": "`Upgrade`: the connection must change its protocol.",
    "Content-Disposition": "The name under which the file is to be saved.",
    "ETag": "The version of the body; send it in `If-Match` or `If-None-Match`.",
    "Idempotent-Replayed": "`true`: this key was used for the same request before, and this is its result.",
    "Link": 'The previous and the next page, as URLs with `rel="prev"` and `rel="next"`.',
    "Location": "The path of what was created.",
    "Preference-Applied": "The `wait` that was applied; absent if the request was not held.",
    "RateLimit": "The number of requests that remain, and the seconds until they are counted from 0 again.",
    "RateLimit-Policy": "The number of requests that are allowed, and in how many seconds.",
    "Request-Id": "The id of this request, also in the logs; name it when you ask for help.",
    "Retry-After": "Seconds to wait before the next request.",
    "Rows-Max": "The maximum number of rows of the file.",
    "Sec-WebSocket-Version": "The version of the WebSocket protocol that is spoken here.",
    "Upgrade": "`websocket`: the protocol that this path speaks.",
    "WWW-Authenticate": "How to authenticate.",
    "X-Accel-Buffering": "`no`: proxies must not buffer the stream.",
}

ALWAYS = ("Request-Id", "RateLimit-Policy", "RateLimit")

WITH_PARAMETER = {
    "Idempotency-Key": ("Idempotent-Replayed",),
    "If-Match": ("ETag",),
    "If-None-Match": ("ETag",),
    "Prefer": ("Preference-Applied", "Retry-After"),
}
"""Headers of successful responses, by the request header that causes them."""

WITH_SCHEMA = {
    **dict.fromkeys(("Payment", "Bulk"), ("ETag", "Retry-After")),
    **dict.fromkeys(("Wallet", "Currency", "Endpoint", "NewEndpoint", "BankAccount", "Merchant"), ("ETag",)),
    "Reconciliation": ("Idempotent-Replayed",),
}
"""Headers of successful responses, by the schema of the body."""

WITH_OPERATION = {"rotate_wallet": ("Location",)}
"""Headers of successful responses that only this operation sends."""

WITH_MEDIA_TYPE = {
    "text/csv": ("Content-Disposition", "Rows-Max"),
    "application/x-ndjson": ("Content-Disposition", "Rows-Max"),
    "text/event-stream": ("X-Accel-Buffering",),
    **dict.fromkeys(("application/xml", "application/octet-stream"), ("Content-Disposition",)),
}

WITH_PROBLEM = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    426: ("Connection", "Upgrade", "Sec-WebSocket-Version"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

CONFLICTS = {
    "create_second_factor", "confirm_second_factor", "disable_second_factor", "create_recovery_codes",
    "update_member", "delete_member", "create_invitation", "accept_invitation", "create_ops_user_invitation",
    "prove_second_factor", "reset_ops_user_second_factor",
    "create_client", "create_merchant", "update_me", "create_api_key", "roll_api_key", "create_wallet", "create_charge",
    "create_transfer", "create_exchange", "capture_charge", "void_charge", "cancel_payment", "create_bank_account",
    "create_bulk_transfer", "create_bulk_charge", "add_bulk_transfer_lines", "add_bulk_charge_lines",
    "close_bulk_transfer", "close_bulk_charge",
    "create_currency", "create_ops_commission_terms", "create_webhook_endpoint", "test_webhook_endpoint",
    "redeliver_webhook_endpoint", "redeliver_webhook_delivery", "retry_ops_payment", "approve_ops_adjustment",
    "reject_ops_adjustment", "retry_ops_payments", "stop_ops_batch", "retry_ops_batch", "create_ops_pause",
    "match_ops_reconciliation_line", "dismiss_ops_reconciliation_line", "update_ops_user",
    "get_payment_receipt",
    "cancel_ops_payment", "fail_ops_payment", "capture_ops_payment", "void_ops_payment", "ask_ops_payment",
    "create_ops_assignment", "create_ops_saved_view", "update_ops_saved_view",
    "resolve_ops_payment", "approve_ops_resolution", "reject_ops_resolution",
}  # fmt: skip
"""Operations that may answer 409."""

READ_ARCHIVED = {
    *("create_deposit", "create_withdrawal", "create_transfer", "create_charge", "create_exchange", "create_refund"),
    *("get_wallet_balance", "get_wallet_statement", "list_ops_balances"),
}
"""Operations that may answer 410, beside those of one payment."""

DESCRIPTIONS = {
    "200": "Done: this is the outcome.",
    "201": "Created.",
    "202": "Accepted: poll, wait or listen for the outcome.",
    "204": "Done; the answer has no body.",
}

UNCHANGED = "304"

OF_PAYMENT = ("/payments/{id}", "/charges/{id}/", "{id}/events", "{id}/socket")
"""Parts of the paths of one payment, or of what waits for a payment or bulk."""

DECLARED = {400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422, 426, 428, 429, 503}
"""The error statuses that operations declare; those of any request are covered by `default`."""


def describe(document: dict[str, Any]) -> None:
    """Add headers to every response, and error responses to every operation."""
    components = document["components"]
    components["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in sorted(HEADERS.items())
    }
    components["responses"] = {_name(status): _problem(status) for status in sorted(DECLARED)}
    others = [code for code, problem in PROBLEMS.items() if problem.status not in DECLARED]
    components["responses"]["Refusal"] = {
        **_problem(500),
        "description": f"Errors that any request may get: {_quoted(others)}.",
        "headers": _headers(*ALWAYS, "Allow", "Retry-After"),
    }
    for path, method, operation in operations(document["paths"]):
        successes = {status: answer for status, answer in operation["responses"].items() if status[0] in "123"}
        names = {parameter["name"] for parameter in operation.get("parameters", ())}
        for status, answer in successes.items():
            _complete(status, answer, operation["operationId"], method, names)
        if "If-None-Match" in names:
            successes[UNCHANGED] = {
                "description": "Nothing changed since the version that you named.",
                "headers": _headers(*ALWAYS, "ETag", *(WITH_PARAMETER["Prefer"] if "Prefer" in names else ())),
            }
        errors = {
            str(status): {"$ref": f"#/components/responses/{_name(status)}"}
            for status in _error_statuses(path, operation, names)
        }
        default = {"default": {"$ref": "#/components/responses/Refusal"}}
        operation["responses"] = dict(sorted((successes | errors).items())) | default


def _complete(status: str, answer: Answer, operation_id: str, method: str, names: set[str]) -> None:
    """Add the description and the headers of a successful response."""
    content = answer.get("content", {})
    schema = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    headers = [*ALWAYS, *WITH_SCHEMA.get(schema, ()), *WITH_OPERATION.get(operation_id, ())]
    for name in names:
        headers += WITH_PARAMETER.get(name, ())
    for media_type in content:
        headers += WITH_MEDIA_TYPE.get(media_type, ())
    if method != "get":
        headers.append("Consistency-Token")
    if schema.endswith("Page"):
        headers.append("Link")
    if method == "post" and (status in ("201", "202") or "Prefer" in names):
        headers.append("Location")
    phrase = HTTPStatus(int(status)).phrase
    if answer["description"] in ("", phrase):
        answer["description"] = DESCRIPTIONS.get(status, f"{phrase}.")
    answer["headers"] = _headers(*headers)


def _error_statuses(path: str, operation: dict[str, Any], names: set[str]) -> list[int]:
    """The error statuses of this operation; those of any path or method are covered by `default`."""
    is_secured = bool(operation["security"])
    has_body = "requestBody" in operation
    is_possible = {
        400: True,
        401: is_secured or "session" in operation["operationId"],
        403: is_secured or has_body,
        404: "{" in path or "current" in path or (is_secured and has_body),
        406: is_secured,
        409: operation["operationId"] in CONFLICTS,
        410: operation["operationId"] in READ_ARCHIVED or any(part in path for part in OF_PAYMENT),
        412: "If-Match" in names,
        413: has_body,
        415: has_body,
        422: True,
        426: "101" in operation["responses"],
        428: "If-Match" in names,
        429: True,
        503: True,
    }
    return [status for status, can_occur in is_possible.items() if can_occur]


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")


def _problem(status: int) -> Answer:
    codes = [code for code, problem in PROBLEMS.items() if problem.status == status]
    example = {
        "type": f"urn:payments:problem:{codes[0]}",
        "title": PROBLEMS[codes[0]].title,
        "status": status,
        "detail": f"{PROBLEMS[codes[0]].title}.",
        "instance": "/v1/charges",
        "code": codes[0],
        "errors": [],
        "request_id": "8f14e45fceea167a5a36dedd4bea2543",
        "retryable": PROBLEMS[codes[0]].retryable,
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {
        "description": f"{HTTPStatus(status).phrase}: {_quoted(codes)}.",
        "headers": _headers(*ALWAYS, *WITH_PROBLEM.get(status, ())),
        "content": content,
    }


def _quoted(codes: Iterable[str]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(set(names))}
