"""What can go wrong. Every error of a request carries the idempotency key under which it was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from payments_client.models import Payment


class PaymentsError(Exception):
    """Any error of this package."""


class NoAnswer(PaymentsError):
    """No answer came: the connection failed or the time is over. What was asked may have been done, or not.

    With an `idempotency_key` the same call with that key finds out and does it at most once.
    """

    def __init__(self, message: str, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class Flaw(NamedTuple):
    """An invalid value: where it stands in the body or query, and why it is refused."""

    pointer: str
    code: str
    detail: str


class ResponseError(PaymentsError):
    """The API refused the request, or failed. `code` is the published word to act on."""

    def __init__(self, status: int, headers: Mapping[str, str], problem: dict[str, Any], key: str | None) -> None:
        self.status = status
        self.headers = headers
        self.problem = problem
        """The whole answer, of RFC 9457."""
        self.idempotency_key = key
        self.code: str = problem.get("code", f"http_{status}")
        self.detail: str = problem.get("detail", "")
        self.errors = [
            Flaw(e.get("pointer") or e.get("parameter", ""), e.get("code", ""), e.get("detail", ""))
            for e in problem.get("errors", ())
        ]
        self.request_id: str | None = problem.get("request_id") or headers.get("request-id")
        self.retryable: bool = problem.get("retryable", status >= SERVER_ERROR)
        details = [] if self.detail in {flaw.detail for flaw in self.errors} else [self.detail]
        details += [f"{flaw.pointer}: {flaw.detail}" for flaw in self.errors]
        super().__init__(f"{status} {self.code}: {'; '.join(details)}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, dict(self.headers), self.problem, self.idempotency_key)


class BadRequest(ResponseError):
    """400: malformed JSON, a bad cursor or key."""


class Unauthorized(ResponseError):
    """401: no token, or one that is wrong, expired or revoked."""


class Forbidden(ResponseError):
    """403: the token lacks the role or scope, or the e-mail address is unconfirmed."""


class NotFound(ResponseError):
    """404: unknown, or not yours to see."""


class Conflict(ResponseError):
    """409: not possible in this state, or the reference or address exists already."""


class PreconditionFailed(ResponseError):
    """412 and 428: the object is not the version that `if_match` names."""


class InvalidRequest(ResponseError):
    """422: `errors` names each invalid value."""


class RateLimited(ResponseError):
    """429: too many requests, and retrying did not help in time."""


class ServerError(ResponseError):
    """5xx: the service failed or is not available."""


class StillPending(PaymentsError):
    """The time to wait is over, and the `payment` is not final. It is not lost: wait again, or read it later."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(f"payment {payment.id} is {payment.state}")
        self.payment = payment

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.payment,)


class PaymentFailed(PaymentsError):
    """The `payment` FAILED. `retryable` says whether a new one may succeed."""

    def __init__(self, payment: Payment) -> None:
        failure = payment.failure
        self.payment = payment
        self.code = failure.code if failure else None
        self.retryable = bool(failure and failure.retryable)
        super().__init__(f"payment {payment.id} failed: {failure.message if failure else 'no reason is shown'}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.payment,)


class WebhookError(PaymentsError):
    """The webhook is not signed with any of the secrets, or too old: answer 401 and use nothing of it."""


SERVER_ERROR = 500
BY_STATUS: dict[int, type[ResponseError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: InvalidRequest,
    428: PreconditionFailed,
    429: RateLimited,
}


def response_error(status: int, headers: Mapping[str, str], body: bytes, key: str | None) -> ResponseError:
    """The error of an answer whose status is no success; its body may be that of a proxy."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    kind = BY_STATUS.get(status, ServerError if status >= SERVER_ERROR else ResponseError)
    return kind(status, headers, problem if isinstance(problem, dict) else {}, key)
