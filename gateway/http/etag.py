"""Entity tags, and If-Match on changes of configuration."""

from typing import Any

from flask import Response, g, request

from gateway.http.errors import ApiError
from models.bulk import Bulk
from models.payment_view import PaymentView


def require_if_match(version: int | str, noun: str) -> None:
    """Refuse a change unless If-Match names this version or is `*`; raises ApiError."""
    if "If-Match" not in request.headers:
        raise ApiError("precondition_required", f"Send If-Match with the {noun}'s ETag.")
    if not request.if_match.contains_weak(etag(version, g.caller.id)[1:-1]):
        raise precondition_failed(noun)


def precondition_failed(noun: str) -> ApiError:
    """The error for a change of a resource that has changed since the caller read it."""
    return ApiError("precondition_failed", f"The {noun} has changed; read it again.")


def etag(version: int | str, viewer_id: str) -> str:
    """The entity tag of a version as this viewer sees it; two viewers may see different bodies of one version."""
    return f'"{version}-{viewer_id[-12:]}"'


def etag_of(subject: PaymentView | Bulk, viewer_id: str) -> str:
    """The entity tag of a payment or bulk; a charge's version does not count its refunds."""
    refunded = subject.refunded if isinstance(subject, PaymentView) else 0
    return etag(f"{subject.version}.{refunded}" if refunded else subject.version, viewer_id)


def unless_known(
    body: dict[str, Any], headers: dict[str, str], *, is_known: bool | None = None
) -> tuple[dict[str, Any], dict[str, str]] | Response:
    """The body, or 304 if the client has this version: as `is_known` says, else by If-None-Match and the ETag."""
    if is_known is None:
        is_known = request.if_none_match.contains_weak(headers["ETag"][1:-1])
    return Response(status=304, headers=headers) if is_known else (body, headers)
