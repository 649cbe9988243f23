"""GET and PATCH /v1/me: the caller's own user."""

from typing import NamedTuple

from flask import g

from gateway.auth.guards import actor, requires
from gateway.auth.rate_limit import per_address
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.parsing import UNKNOWN_FIELD
from gateway.identity import passwords
from gateway.identity.fields import refuse_weak
from gateway.identity.representations import count_login_attempt, revoke_all, user_body
from gateway.identity.schemas import MeChange, UserSchema
from gateway.services import services
from models import audit, confirmation, login_throttle, user
from models.confirmation import Purpose
from models.session import Connection, statements, transaction
from models.token import SESSION
from models.user import NAME_LENGTH_MAX, Role, User

me = Blueprint("me", __name__, url_prefix="/v1/me", description="Your own data.")


MERCHANT_FIELDS = ("name", "url")
PASSWORD_FIELDS = ("current_password", "password")
CHANGEABLE = ("name", "first_name", "last_name", "phone_number", "url")


@me.route("")
@requires("me:read")
@me.response(200, UserSchema)
def get_me() -> JsonAnswer:
    """Show your own user."""
    with statements(services().engine) as connection:
        return user_body(_caller(connection)), {}


@me.route("", methods=["PATCH"])
@requires("me:write")
@per_address("me")  # else a signed-in user could test which phone numbers are registered
@me.arguments(MeChange)
@me.response(200, UserSchema)
def change_me(body: Body) -> JsonAnswer:
    """Change your own user; a new password needs the current one, and ends your other sessions."""
    if g.caller.role != Role.MERCHANT or g.caller.merchant_id:
        _refuse([(name, UNKNOWN_FIELD.code, str(UNKNOWN_FIELD)) for name in MERCHANT_FIELDS if name in body])
    password_change = _password_change(body) if any(name in body for name in PASSWORD_FIELDS) else None
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.person_id)
        current = _caller(connection)
        _change(connection, current, body)
        if password_change is not None:
            _set_password(connection, current, password_change)
        changed = _caller(connection)
    if password_change is not None:
        services().tokens.forget_everywhere(g.caller.person_id)
    return user_body(changed), {}


def _caller(connection: Connection) -> User:
    caller = user.by_id(connection, g.caller.person_id)
    if caller is None:
        raise RuntimeError("users are never deleted")
    return caller


def _refuse(errors: list[tuple[str, str, str]]) -> None:
    if errors:
        raise invalid([(f"/{name}", code, detail) for name, code, detail in errors])


def _change(connection: Connection, current: User, body: Body) -> None:
    """Apply the body to the user, and write differences to the audit log; raises ApiError."""
    wanted = current._replace(**{name: body[name] for name in CHANGEABLE if name in body})
    if current.role in (Role.CLIENT, Role.MEMBER) and wanted.first_name and wanted.last_name:
        wanted = wanted._replace(name=f"{wanted.first_name} {wanted.last_name}"[:NAME_LENGTH_MAX])
    differing = [name for name in CHANGEABLE if getattr(wanted, name) != getattr(current, name)]
    if not differing:
        return
    if not user.change(connection, current.id, *(getattr(wanted, name) for name in CHANGEABLE)):
        raise ApiError("duplicate_phone_number", "Another user has this phone number.")
    before, after = ({name: getattr(state, name) for name in differing} for state in (current, wanted))
    audit.note(connection, actor(), "users.change", current.id, before=before, after=after)


class PasswordChange(NamedTuple):
    """The hashes of the old and the new password."""

    before: str
    after: str


def _password_change(body: Body) -> PasswordChange:
    """The requested change of password; the current one is verified as at sign-in. Raises ApiError."""
    _refuse([(name, "required", "Send both or neither.") for name in PASSWORD_FIELDS if name not in body])
    with statements(services().engine) as connection:
        caller = _caller(connection)
        refuse_weak(body["password"], caller.email)
        count_login_attempt(connection, login_throttle.of_user(caller.email))
        before = user.password_hash(connection, caller.id)
    if not passwords.verify(before, body["current_password"]) or before is None:
        raise _wrong_password()
    return PasswordChange(before, passwords.hash(body["password"]))


def _wrong_password() -> ApiError:
    return invalid([("/current_password", "current_password_wrong", "Wrong password.")])


def _set_password(connection: Connection, caller: User, change: PasswordChange) -> None:
    """Set the new password, and end other sessions and pending resets; raises ApiError if it was changed meanwhile."""
    if user.password_hash(connection, caller.id) != change.before:
        raise _wrong_password()
    user.set_password(connection, caller.id, change.after)
    audit.note(connection, actor(), "users.password_change", caller.id)
    revoke_all(connection, caller.id, SESSION, but=g.caller.token_id)
    confirmation.withdraw(connection, caller.id, Purpose.PASSWORD)
    login_throttle.forgive(connection, login_throttle.of_user(caller.email))
