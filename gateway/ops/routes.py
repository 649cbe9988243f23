"""GET /v1/ops/users, /accounts and /audit, and PATCH /v1/ops/users/{id}."""

from typing import Any

from flask import g

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.identity.representations import user_body
from gateway.identity.schemas import UserSchema
from gateway.lists.pagination import paginated
from gateway.ops.representations import audit_body, user_detail_body
from gateway.ops.schemas import AccountQuery, AuditLineSchema, AuditQuery, UserChange, UserQuery
from gateway.ops.user_schemas import UserDetailSchema
from gateway.services import services
from gateway.wallets.representations import account_body
from gateway.wallets.schemas import AccountSchema
from models import account, audit, ops_user, user
from models.session import Connection, statements, transaction
from models.user import User

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

    At most 20 of each; all are in the lists of accounts, of payments (`merchant` is the owner of either side) and of
    the audit log.
    """
    with statements(services().engine) as connection:
        return user_detail_body(found(ops_user.by_id(connection, path_id(id)))), {}


@ops.route("/users/<id>", methods=["PATCH"])
@requires("ops:users")
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
    """List the wallets of all users, newest first; inactive ones only with is_active."""
    filters = {name: query.get(name) for name in ("is_active", "currency", "id")}
    return paginated(query, account.wallets, account_body, owner_id=query.get("owner"), **filters)


@ops.route("/audit")
@requires("ops:read")
@ops.arguments(AuditQuery, location="query")
@ops.response(200, page_of(AuditLineSchema))
def list_audit(query: dict[str, Any]) -> JsonAnswer:
    """List the audit log, newest first."""
    filters = {name: query.get(name) for name in ("target", "actor", "action", "request_id")}
    return paginated(query, audit.page, audit_body, **filters)
