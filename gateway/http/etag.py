"""If-Match: whoever changes configuration says which version of it he has seen."""

from flask import g, request

from gateway.http.errors import ApiError
from gateway.payments.representations import etag


def require_if_match(version: int, what: str) -> None:
    """Refuse a change by a caller who has not seen this version, unless he says that any will do; raises ApiError."""
    if "If-Match" not in request.headers:
        raise ApiError("precondition_required", f"Send If-Match with the {what}'s ETag.")
    if not request.if_match.contains_weak(etag(version, g.caller)[1:-1]):
        raise precondition_failed(what)


def precondition_failed(what: str) -> ApiError:
    """The refusal of a change of something that another has changed by now."""
    return ApiError("precondition_failed", f"The {what} has changed; read it again.")
