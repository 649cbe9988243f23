"""GET /v1/ops/users, /accounts and /audit, PATCH /v1/ops/users/{id}, and what else ops do to users."""

from functools import partial
from typing import Any

from flask import Response, g

from gateway.auth.guards import actor, requires
from gateway.auth.scopes import possible_scopes
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.identity.representations import api_key_body, session_body, user_body
from gateway.identity.schemas import UserSchema
from gateway.lists import exports
from gateway.lists.pagination import MOMENT, paginated
from gateway.ops.action_schemas import ActionInput
from gateway.ops.schemas import AccountQuery, AuditLineSchema, AuditQuery, UserChange, UserQuery
from gateway.ops.user_schemas import (
    AccountSchema,
    EndApiKeysInput,
    EndedTokensSchema,
    EndSessionsInput,
    UserDetailSchema,
)
from gateway.services import services
from models import audit, ops_account, ops_user, owner_invitation, second_factor, user
from models.ops_payment import listed_body
from models.ops_user import OpsUser
from models.session import Connection, statements, transaction
from models.token import API_KEY, SESSION, TokenRecord
from models.user import Role, User

ops = Blueprint("ops", __name__, url_prefix="/v1/ops", description="Users, accounts and the audit log, for ops.")


@ops.route("/users")
@requires("ops:read")
@ops.arguments(UserQuery, location="query")
@ops.response(200, page_of(UserSchema))
def list_users(query: dict[str, Any]) -> JsonAnswer:
    """List users, newest first; deactivated ones only with is_active."""
    filters = {name: query.get(name) for name in ("is_active", "role", "email")}
    return paginated(query, user.page, user_body, **filters)


@ops.route("/users/<id>")
@requires("ops:read")
@ops.response(200, UserDetailSchema)
def get_user(id: str) -> JsonAnswer:
    """Show a user with wallets, sessions, API keys, the newest payments, and what was done by and to them.

    A merchant has members and invitations too.

    At most 20 of each; all are in the lists of accounts, of payments (`merchant` is the owner of either side) and of
    the audit log.
    """
    with statements(services().engine) as connection:
        return _detail_body(found(ops_user.by_id(connection, path_id(id)))), {}


@ops.route("/users/<id>/reset-second-factor", methods=["POST"])
@requires("ops:users", second_factor=True)
@ops.arguments(ActionInput)
@ops.response(200, UserSchema)
def reset_second_factor(body: dict[str, Any], id: str) -> JsonAnswer:
    """Remove another user's second factor and end their sessions, so that they set up a new one.

    Make sure first who asks: the password stays, and is then enough to sign in. A user without a second factor stays as
    they are.
    """
    if id == g.caller.id:
        raise ApiError("own_user", "Another ops user must reset yours.")
    with transaction(services().engine) as connection:
        owner = _user(connection, id, is_locked=True)
        second_factor.reset(connection, owner, actor(), body["reason"])
    services().tokens.forget_everywhere(id)
    return user_body(owner), {}


@ops.route("/users/<id>/end-sessions", methods=["POST"])
@requires("ops:users", second_factor=True)
@ops.arguments(EndSessionsInput)
@ops.response(200, EndedTokensSchema)
def end_sessions(body: dict[str, Any], id: str) -> JsonAnswer:
    """Sign a user out everywhere, or end one session; API keys stay valid."""
    return _end_tokens(id, SESSION, body, "session")


@ops.route("/users/<id>/end-api-keys", methods=["POST"])
@requires("ops:users", second_factor=True)
@ops.arguments(EndApiKeysInput)
@ops.response(200, EndedTokensSchema)
def end_api_keys(body: dict[str, Any], id: str) -> JsonAnswer:
    """End all API keys of a user, or one; the user can make others: deactivate who must not."""
    return _end_tokens(id, API_KEY, body, "api_key")


def _end_tokens(id: str, kind: str, body: dict[str, Any], name: str) -> JsonAnswer:
    """End the token that the body names, or all; raises ApiError not_found."""
    with transaction(services().engine) as connection:
        _user(connection, id)
        try:
            ended = ops_user.end_tokens(connection, id, kind, actor(), body["reason"], body.get(name))
        except KeyError:
            raise invalid([(f"/{name}", "not_found", "This user has no such one.")]) from None
    services().tokens.forget_everywhere(id)
    return {"ended": ended}, {}


@ops.route("/users/<id>", methods=["PATCH"])
@requires("ops:users", second_factor=True)
@ops.arguments(UserChange)
@ops.response(200, UserSchema)
def change_user(body: dict[str, Any], id: str) -> JsonAnswer:
    """Deactivate a user, whose tokens and wallets then stop working, or activate a user again."""
    is_active = body["is_active"]
    if id == g.caller.id and not is_active:
        raise ApiError("own_user", "Another ops user must deactivate you.")
    with transaction(services().engine) as connection:
        was_active = _user(connection, id, is_locked=True).is_active
        if was_active != is_active:
            user.set_active(connection, id, is_active)
            action = "users.activate" if is_active else "users.deactivate"
            before, after = {"is_active": was_active}, {"is_active": is_active}
            audit.note(connection, actor(), action, id, body["reason"], before, after)
        changed = _user(connection, id)
    services().tokens.forget_everywhere(id)
    return user_body(changed), {}


def _user(connection: Connection, id: str, *, is_locked: bool = False) -> User:
    """The user with this id; raises ApiError not_found."""
    if is_locked:
        user.lock(connection, path_id(id))
    return found(user.by_id(connection, path_id(id)))


@ops.route("/accounts")
@requires("ops:read")
@ops.arguments(AccountQuery, location="query")
@ops.response(200, page_of(AccountSchema))
def list_accounts(query: dict[str, Any]) -> JsonAnswer:
    """List the wallets of all users, newest first; inactive ones only with is_active. With `code`, technical accounts.

    With `at` also the balance at that time, after all payments posted by then.
    """
    filters = {name: query.get(name) for name in ("is_active", "currency", "id")} | {"has_moved": "has_moved" in query}
    before = query["at"] + MOMENT if "at" in query else None
    filters |= {"owner_id": query.get("owner"), "codes": query.get("code"), "before": before}
    return paginated(query, ops_account.page, ops_account.body, **filters)


@ops.route("/audit")
@requires("ops:read", others=exports.FILES)
@ops.doc(responses=exports.document_formats(*exports.FILES))
@ops.arguments(AuditQuery, location="query")
@ops.response(200, page_of(AuditLineSchema))
def list_audit(query: dict[str, Any]) -> Response | JsonAnswer:
    """List the audit log, newest first; as a file, up to 100,000 entries, which `created_before` continues."""
    names = ("target", "actor", "action", "request_id", "created_from", "created_before")
    filters: dict[str, Any] = {name: query.get(name) for name in names}
    read = partial(audit.page, **filters)
    return exports.export_response(query, read, audit.body, AuditLineSchema)


def _key_body(key: TokenRecord, role: str) -> dict[str, Any]:
    return api_key_body(key, possible_scopes(Role.MERCHANT if key.merchant_id else role))


def _detail_body(found: OpsUser) -> dict[str, Any]:
    """A user with the newest of what is theirs."""
    sessions = [session_body(session, is_current=False) for session in found.sessions]
    return {
        **user_body(found.user),
        "is_frozen": found.is_frozen,
        "members": [{**member._asdict(), "created_at": member.created_at.isoformat()} for member in found.members],
        "invitations": [owner_invitation.body(offered) for offered in found.invitations],
        "wallets": [ops_account.body(wallet) for wallet in found.wallets],
        "sessions": [{name: value for name, value in body.items() if name != "is_current"} for body in sessions],
        "api_keys": [_key_body(key, found.user.role) for key in found.api_keys],
        "payments": [listed_body(listed) for listed in found.payments],
        "audit": [audit.body(entry) for entry in found.audit],
    }
