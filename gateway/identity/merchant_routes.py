"""GET and PATCH /v1/merchant: what customers see of the merchant for whom the caller acts."""

import hashlib

from flask import Response, g

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import IF_MATCH, IF_NONE_MATCH, Blueprint, Body, JsonAnswer
from gateway.http.etag import etag, require_if_match, unless_known
from gateway.http.found import found
from gateway.identity.member_schemas import MerchantChange, MerchantSchema
from gateway.services import services
from models import audit, user
from models.session import Connection, statements, transaction
from models.user import User

merchant = Blueprint("merchant", __name__, url_prefix="/v1/merchant", description="The merchant for whom you act.")


@merchant.route("")
@requires("merchant:read")
@merchant.doc(parameters=[IF_NONE_MATCH])
@merchant.response(200, MerchantSchema)
def get_merchant() -> JsonAnswer | Response:
    """Show the merchant; its ETag covers the members that PATCH changes."""
    with statements(services().engine) as connection:
        return unless_known(*_answer(_merchant(connection)))


@merchant.route("", methods=["PATCH"])
@requires("merchant:write")
@merchant.doc(parameters=[IF_MATCH])
@merchant.arguments(MerchantChange)
@merchant.response(200, MerchantSchema)
def change_merchant(body: Body) -> JsonAnswer:
    """Change the name or web address that customers see; any owner may, as long as they act for the merchant."""
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        current = _merchant(connection)
        require_if_match(_version(current), "merchant")
        before = {name: getattr(current, name) for name in body if body[name] != getattr(current, name)}
        if before:
            user.change_merchant(connection, current.id, **{"name": current.name, "url": current.url, **body})
            after = {name: body[name] for name in before}
            audit.note(connection, actor(), "merchants.change", current.id, before=before, after=after)
        return _answer(_merchant(connection))


def _merchant(connection: Connection) -> User:
    return found(user.by_id(connection, g.caller.id))


def _version(merchant: User) -> str:
    """Differs when a member that PATCH changes does."""
    return hashlib.sha256(f"{merchant.name}\0{merchant.url}".encode()).hexdigest()[:16]


def _answer(merchant: User) -> JsonAnswer:
    body = {
        **{name: getattr(merchant, name) for name in ("id", "name", "url", "is_active")},
        "created_at": merchant.created_at.isoformat(),
    }
    return body, {"ETag": etag(_version(merchant), g.caller.id)}
