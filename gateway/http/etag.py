"""If-Match: whoever changes configuration says which version of it he has seen."""

from flask import g, request

from gateway.http.errors import Refusal
from gateway.payments.representations import etag


def refuse_unless_seen(version: int, what: str) -> None:
    """Refuse a change by a caller who has not seen this version, unless he says that any will do; raises Refusal."""
    if "If-Match" not in request.headers:
        raise Refusal("precondition_required", f"Send If-Match with the {what}'s ETag.")
    if not request.if_match.contains_weak(etag(version, g.caller)[1:-1]):
        raise changed_meanwhile(what)


def changed_meanwhile(what: str) -> Refusal:
    """The refusal of a change of something that another has changed by now."""
    return Refusal("precondition_failed", f"The {what} has changed; read it again.")
