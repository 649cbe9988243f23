"""/v1/api-keys: tokens for servers, made, rolled and ended by their user."""

from datetime import datetime
from typing import Any

from flask import Response, g
from uuid_utils import uuid7

from gateway.auth.tokens import SCOPES, actor, may_grant, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import AUTHENTICATE, ApiError, invalid, not_found
from gateway.http.fields import is_id
from gateway.http.schemas import PageQuery, page_of
from gateway.identity.representations import api_key_body
from gateway.identity.schemas import ApiKeyInput, ApiKeySchema, NewApiKeySchema, RollInput
from gateway.lists.paging import paginated
from gateway.services import services
from models import audit, user
from models import token as tokens
from models.session import Connection, Contention, transaction
from models.token import API_KEY, LIVING_MAX, SESSION, TokenRecord

api_keys = Blueprint(
    "api_keys",
    __name__,
    url_prefix="/v1/api-keys",
    description="Long-lived tokens for servers: made, rolled and ended.",
)


@api_keys.route("", methods=["POST"])
@requires("api-keys:write")
@api_keys.arguments(ApiKeyInput)
@api_keys.response(201, NewApiKeySchema)
def make_api_key(body: Body) -> JsonAnswer:
    """Make an API key, with no more scopes than the token that asks for it; the key is shown this once.

    A key that is asked for with a key ends with that one at the latest.
    """
    id = str(uuid7())
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        own = _own(connection)
        scopes = _within(own, body.get("scopes"), is_given="scopes" in body)
        expires_at = _no_later(own, body.get("expires_at"))
        shown = _keep(connection, id, body["name"], scopes, expires_at)
        told = {"name": body["name"], "scopes": scopes, "expires_at": expires_at}
        audit.note(connection, actor(), "api_keys.create", id, after=told)
    return shown, {}


@api_keys.route("")
@requires("api-keys:read")
@api_keys.arguments(PageQuery, location="query")
@api_keys.response(200, page_of(ApiKeySchema))
def list_api_keys(query: dict[str, Any]) -> JsonAnswer:
    """Your living API keys, the newest first."""
    return paginated(
        query, tokens.page, lambda row: api_key_body(row, g.caller.role), user_id=g.caller.id, kind=API_KEY
    )


@api_keys.route("/<id>/roll", methods=["POST"])
@requires("api-keys:write")
@api_keys.arguments(RollInput)
@api_keys.response(201, NewApiKeySchema)
def roll_api_key(body: Body, id: str) -> JsonAnswer:
    """Replace an API key by a new one of the same name, scopes and expiry; the old one ends after the overlap."""
    if not is_id(id):
        raise not_found()
    successor, overlap_seconds = str(uuid7()), body["overlap_seconds"]
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        if tokens.was_replaced(connection, g.caller.id, id):
            raise ApiError("api_key_replaced", "This key has been rolled; roll its successor.")
        old = tokens.find(connection, g.caller.id, API_KEY, id)
        if old is None:
            raise not_found()
        own = _own(connection)
        scopes = _within(own, old.scopes, is_given=True)
        if not tokens.replace(connection, g.caller.id, id, successor, overlap_seconds):
            raise Contention
        shown = _keep(connection, successor, old.name, scopes, _no_later(own, old.expires_at))
        told = {"replaced_by": successor, "overlap_seconds": overlap_seconds}
        audit.note(connection, actor(), "api_keys.roll", id, after=told)
    services().tokens.forget_everywhere(g.caller.id)
    return shown, {}


@api_keys.route("/<id>", methods=["DELETE"])
@requires("api-keys:write")
@api_keys.response(204)
def end_api_key(id: str) -> Response:
    """End an API key."""
    if not is_id(id):
        raise not_found()
    with transaction(services().engine) as connection:
        if not tokens.revoke(connection, g.caller.id, API_KEY, id):
            raise not_found()
        audit.note(connection, actor(), "api_keys.end", id)
    services().tokens.forget_everywhere(g.caller.id)
    return no_content()


def _own(connection: Connection) -> TokenRecord:
    """The token that asks, read again under the user's lock: one that has just been ended leaves no key behind.

    Without the end of a session, which does not bind the keys made in it. Raises ApiError.
    """
    session = tokens.find(connection, g.caller.id, SESSION, g.caller.token_id)
    if session is not None:
        return session._replace(expires_at=None)
    key = tokens.find(connection, g.caller.id, API_KEY, g.caller.token_id)
    if key is None:
        headers = {"WWW-Authenticate": f'{AUTHENTICATE}, error="invalid_token"'}
        raise ApiError("token_invalid", "The token is unknown, expired or revoked.", headers=headers)
    return key


def _within(own: TokenRecord, asked: list[str] | None, *, is_given: bool) -> list[str] | None:
    """The scopes of a new key: those asked for, or those of the token that asks; raises ApiError for any beyond these.

    None is all that the role has, now and later.
    """
    allowed = may_grant(g.caller) & SCOPES[g.caller.role]
    if not is_given:
        return None if own.scopes is None else sorted(allowed)
    if asked is None and own.scopes is None:
        return None
    if asked is None or not allowed.issuperset(asked):
        raise ApiError("scope_missing", "A key has no more scopes than the token that asks for it.")
    return asked


def _no_later(own: TokenRecord, asked: datetime | None) -> datetime | None:
    """When a new key ends: as asked for, and not after the key that asks."""
    return min(filter(None, (own.expires_at, asked)), default=None)


def _keep(
    connection: Connection, id: str, name: str | None, scopes: list[str] | None, expires_at: datetime | None
) -> dict[str, Any]:
    """Keep a new key of the caller, who is locked; what is shown of it, this once with its token. Raises ApiError."""
    if tokens.living(connection, g.caller.id, API_KEY) >= LIVING_MAX:
        raise ApiError("api_key_limit_reached", f"At most {LIVING_MAX} living keys; end one first.")
    token = tokens.new()
    tokens.keep(connection, id, g.caller.id, token, scopes, expires_at, name)
    kept = tokens.find(connection, g.caller.id, API_KEY, id)
    if kept is None:
        raise invalid([("/expires_at", "invalid_value", "A time in the future is expected.")])
    return {**api_key_body(kept, g.caller.role), "token": token}
