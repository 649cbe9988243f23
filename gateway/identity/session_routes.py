"""/v1/sessions: sign in and out, per device."""

from typing import Any

from flask import Response, g, request
from uuid_utils import uuid7

from gateway.auth.guards import actor, public, requires
from gateway.http.access_log import ADDRESS, NETWORK
from gateway.http.blueprint import Blueprint, JsonAnswer, no_content
from gateway.http.errors import ApiError
from gateway.http.schemas import PageQuery, page_of
from gateway.identity import passwords, second_factors
from gateway.identity.representations import count_login_attempt, revoke_all, revoke_one, session_body, user_agent
from gateway.identity.schemas import NewSessionSchema, SessionInput, SessionSchema
from gateway.lists.pagination import paginated
from gateway.services import services
from models import audit, login_throttle, membership, second_factor, user
from models import token as tokens
from models.login_throttle import Subject
from models.session import Connection, statements, transaction
from models.token import SESSION, TokenRecord
from models.user import Role, User

sessions = Blueprint(
    "sessions", __name__, url_prefix="/v1/sessions", description="Signing in and out, and your open sessions."
)


@sessions.route("", methods=["POST"])
@public
@sessions.arguments(SessionInput)
@sessions.response(201, NewSessionSchema)
def open_session(body: dict[str, Any]) -> JsonAnswer:
    """Sign in; the token is shown only once. An unknown address and a wrong password get the same answer.

    A member acts for the merchant that `merchant` names, else, unless they are a client or merchant too, for the one
    they have acted for longest. With a second factor a right password without `code` is answered 401
    `second_factor_required`, with a wrong one 401 `second_factor_invalid`.
    """
    by_address = login_throttle.of_address(request.environ[NETWORK])
    with statements(services().engine) as connection:
        count_login_attempt(connection, by_address)
        owner = user.by_email(connection, body["email"])
        by_user = login_throttle.of_user(body["email"] if owner is None else owner.email)  # one spelling of case
        count_login_attempt(connection, by_user)
        stored = None if owner is None else user.password_hash(connection, owner.id)
    is_right = passwords.verify(stored, body["password"])
    if owner is None or stored is None or not is_right or body.get("role", owner.role) not in _roles(owner):
        raise _wrong_credentials()
    if not owner.is_active:
        raise ApiError("user_inactive", "This user has been deactivated.")
    _count_code(owner, body, (by_user, by_address))
    rehashed = passwords.hash(body["password"]) if passwords.needs_rehash(stored) else None
    token = tokens.new()
    with transaction(services().engine) as connection:
        user.lock(connection, owner.id)
        if user.password_hash(connection, owner.id) != stored:
            raise _wrong_credentials()
        merchant_id = _acts_for(connection, owner, body.get("merchant"))
        is_proved = _prove(connection, owner, body.get("code"))
        if rehashed is not None:
            user.set_password(connection, owner.id, rehashed)
        login_throttle.forgive(connection, by_user)
        login_throttle.give_back(connection, by_address)
        opened = _open(connection, owner, token, body | {"merchant": merchant_id}, is_proved=is_proved)
    return {**session_body(opened, is_current=True), "token": token}, {}


def _count_code(owner: User, body: dict[str, Any], counted: tuple[Subject, Subject]) -> None:
    """Count an attempt at the second factor of a user whose password is right; raises ApiError without a code."""
    by_user, by_address = counted
    with statements(services().engine) as connection:
        if not second_factor.is_confirmed(connection, owner.id):
            return
        if "code" in body:
            second_factors.count_attempt(connection, owner.id)
            return
        login_throttle.forgive(connection, by_user)
        login_throttle.give_back(connection, by_address)
    raise _code_missing()


def _prove(connection: Connection, owner: User, code: str | None) -> bool:
    """Use up the code of a user who has a second factor; False without one, whatever the code. Raises ApiError."""
    factor = second_factor.find(connection, owner.id)
    if factor is None or factor.confirmed_at is None:
        return False
    if code is None:
        raise _code_missing()
    second_factors.prove(connection, factor, code)
    return True


def _code_missing() -> ApiError:
    return ApiError("second_factor_required", "Send a code of the authenticator, or a recovery code, as `code`.")


def _wrong_credentials() -> ApiError:
    return ApiError("credentials_invalid", "Check the e-mail address and the password.")


def _roles(owner: User) -> tuple[str, ...]:
    """The roles in which the user may sign in: a member has that of the merchant whom they act for."""
    return (owner.role, Role.MERCHANT) if owner.role == Role.MEMBER else (owner.role,)


def _acts_for(connection: Connection, owner: User, wanted: str | None) -> str | None:
    """The merchant whom the user, who is locked, acts for; None: for themselves. Raises ApiError."""
    ids = [merchant.id for merchant in membership.of_user(connection, owner.id)]
    if wanted is None and owner.role == Role.MEMBER:
        wanted = next(iter(ids), None)
    if wanted is None and owner.role == Role.MERCHANT:
        wanted = owner.id
    if wanted is not None and wanted not in ids:
        raise ApiError("membership_missing", "You do not act for this merchant, or no longer.")
    return None if wanted == owner.id else wanted


def _open(connection: Connection, owner: User, token: str, body: dict[str, Any], *, is_proved: bool) -> TokenRecord:
    id, address, agent = str(uuid7()), request.environ[ADDRESS], user_agent()
    hours = services().settings.token_ttl_hours
    hours = min(hours, body.get("lifetime_hours", hours))
    more = {"idle_minutes": body.get("idle_minutes"), "is_proved": is_proved, "merchant_id": body["merchant"]}
    tokens.open_session(connection, id, owner.id, token, hours, address, agent, **more)
    opened = tokens.find(connection, owner.id, SESSION, id)
    if opened is None:
        raise _wrong_credentials()
    after = {"user_agent": agent, "second_factor": is_proved, "merchant": body["merchant"]}
    audit.note(connection, actor(owner.id), "sessions.open", id, after=after)
    return opened


@sessions.route("")
@requires("sessions:read")
@sessions.arguments(PageQuery, location="query")
@sessions.response(200, page_of(SessionSchema))
def list_sessions(query: dict[str, Any]) -> JsonAnswer:
    """List your open sessions, newest first."""
    return paginated(
        query,
        tokens.page,
        lambda row: session_body(row, is_current=row.id == g.caller.token_id),
        user_id=g.caller.person_id,
        kind=SESSION,
    )


@sessions.route("", methods=["DELETE"])
@requires("sessions:write")
@sessions.response(204)
def end_all_sessions() -> Response:
    """Sign out everywhere, here too; API keys stay valid."""
    with transaction(services().engine) as connection:
        revoke_all(connection, g.caller.person_id, SESSION)
    services().tokens.forget_everywhere(g.caller.person_id)
    return no_content()


@sessions.route("/current", methods=["DELETE"])
@requires("sessions:write", "second-factor:write")
@sessions.response(204)
def end_current_session() -> Response:
    """Sign out here; other devices stay signed in."""
    return revoke_one(SESSION, g.caller.token_id)


@sessions.route("/<id>", methods=["DELETE"])
@requires("sessions:write")
@sessions.response(204)
def end_session(id: str) -> Response:
    """Sign out one device."""
    return revoke_one(SESSION, id)
