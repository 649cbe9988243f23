"""/v1/api-keys: long-lived tokens for servers, created, rolled and revoked by their user."""

from datetime import datetime
from typing import Any

from flask import Response, g
from uuid_utils import uuid7

from gateway.auth.guards import actor, requires
from gateway.auth.scopes import possible_scopes
from gateway.auth.tokens import may_grant
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import AUTHENTICATE, ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.schemas import PageQuery, page_of
from gateway.identity.representations import api_key_body, revoke_one
from gateway.identity.schemas import ApiKeyInput, ApiKeySchema, NewApiKeySchema, RollInput
from gateway.lists.pagination import paginated
from gateway.services import services
from models import audit, user
from models import token as tokens
from models.session import Connection, Contention, transaction
from models.token import ACTIVE_MAX, API_KEY, SESSION, TokenRecord

api_keys = Blueprint(
    "api_keys",
    __name__,
    url_prefix="/v1/api-keys",
    description="Long-lived tokens for servers: create, roll and revoke them.",
)


@api_keys.route("", methods=["POST"])
@requires("api-keys:write")
@api_keys.arguments(ApiKeyInput)
@api_keys.response(201, NewApiKeySchema)
def create_api_key(body: Body) -> JsonAnswer:
    """Create an API key, with no more scopes than the token that creates it; the key is shown only once.

    A key created with another key expires with that one at the latest. A member's key acts for their merchant, and
    ends with the membership.
    """
    id = str(uuid7())
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.person_id)
        caller_token = _caller_token(connection)
        scopes = _granted_scopes(caller_token, body.get("scopes"), is_given="scopes" in body)
        expires_at = _expiry(caller_token, body.get("expires_at"))
        created = _create(connection, id, body["name"], scopes, expires_at)
        after = {"name": body["name"], "scopes": scopes, "expires_at": expires_at}
        audit.note(connection, actor(), "api_keys.create", id, after=after)
    return created, {}


@api_keys.route("")
@requires("api-keys:read")
@api_keys.arguments(PageQuery, location="query")
@api_keys.response(200, page_of(ApiKeySchema))
def list_api_keys(query: dict[str, Any]) -> JsonAnswer:
    """List your active API keys, newest first."""
    mine = {"user_id": g.caller.person_id, "kind": API_KEY, "acts_for": g.caller.id}
    return paginated(query, tokens.page, lambda row: api_key_body(row, _possible()), **mine)


@api_keys.route("/<id>/roll", methods=["POST"])
@requires("api-keys:write")
@api_keys.arguments(RollInput)
@api_keys.response(201, NewApiKeySchema)
def roll_api_key(body: Body, id: str) -> JsonAnswer:
    """Replace an API key with a new one of the same name, scopes and expiry; the old one ends after the overlap."""
    old_id, successor, overlap_seconds = path_id(id), str(uuid7()), body["overlap_seconds"]
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.person_id)
        if tokens.was_replaced(connection, g.caller.person_id, old_id):
            raise ApiError("api_key_replaced", "This key has been rolled; roll its successor.")
        old = found(
            tokens.find(connection, g.caller.person_id, API_KEY, old_id),
            lambda key: key.merchant_id == g.caller.merchant_id,
        )
        caller_token = _caller_token(connection)
        scopes = _granted_scopes(caller_token, old.scopes, is_given=True)
        if not tokens.replace(connection, g.caller.person_id, id, successor, overlap_seconds):
            raise Contention
        created = _create(connection, successor, old.name, scopes, _expiry(caller_token, old.expires_at))
        after = {"replaced_by": successor, "overlap_seconds": overlap_seconds}
        audit.note(connection, actor(), "api_keys.roll", id, after=after)
    services().tokens.forget_everywhere(g.caller.person_id)
    return created, {}


@api_keys.route("/<id>", methods=["DELETE"])
@requires("api-keys:write")
@api_keys.response(204)
def revoke_api_key(id: str) -> Response:
    """Revoke an API key."""
    return revoke_one(API_KEY, id)


def _caller_token(connection: Connection) -> TokenRecord:
    """The token of this request, read again under the user's lock; raises ApiError if it was revoked meanwhile.

    A session is returned without its expiry, which does not limit the keys created in it.
    """
    session = tokens.find(connection, g.caller.person_id, SESSION, g.caller.token_id)
    if session is not None:
        return session._replace(expires_at=None)
    key = tokens.find(connection, g.caller.person_id, API_KEY, g.caller.token_id)
    if key is None:
        headers = {"WWW-Authenticate": f'{AUTHENTICATE}, error="invalid_token"'}
        raise ApiError("token_invalid", "The token is unknown, expired or revoked.", headers=headers)
    return key


def _granted_scopes(caller_token: TokenRecord, scopes: list[str] | None, *, is_given: bool) -> list[str] | None:
    """The scopes of a new key: those requested, by default those of the token of this request.

    None means all scopes that the role has, now and later. Raises ApiError for a scope that the token does not have.
    """
    allowed = may_grant(g.caller) & _possible()
    if not is_given:
        return None if caller_token.scopes is None else sorted(allowed)
    if scopes is None and caller_token.scopes is None:
        return None
    if scopes is None or not allowed.issuperset(scopes):
        raise ApiError("scope_missing", "A key has no more scopes than the token that creates it.")
    return scopes


def _expiry(caller_token: TokenRecord, expires_at: datetime | None) -> datetime | None:
    """The expiry of a new key: as requested, but not later than that of the key that creates it."""
    return min(filter(None, (caller_token.expires_at, expires_at)), default=None)


def _create(
    connection: Connection, id: str, name: str | None, scopes: list[str] | None, expires_at: datetime | None
) -> dict[str, Any]:
    """Create a key of the caller, who is locked; its JSON with the token. Raises ApiError."""
    if tokens.count_active(connection, g.caller.person_id, API_KEY) >= ACTIVE_MAX:
        raise ApiError("api_key_limit_reached", f"At most {ACTIVE_MAX} active keys; revoke one first.")
    token = tokens.new()
    tokens.keep(connection, id, g.caller.person_id, token, scopes, expires_at, name, g.caller.merchant_id)
    created = tokens.find(connection, g.caller.person_id, API_KEY, id)
    if created is None:
        raise invalid([("/expires_at", "invalid_value", "Must be a time in the future.")])
    return {**api_key_body(created, _possible()), "token": token}


def _possible() -> frozenset[str]:
    """The scopes that the caller's keys may have in effect."""
    return possible_scopes(g.caller.role, g.caller.member_role)
