"""GET and PATCH /v1/me: who the caller is."""

from typing import NamedTuple

from flask import g

from gateway.auth.rate_limit import per_address
from gateway.auth.tokens import actor, requires
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


OF_MERCHANTS = ("name", "url")
OF_PASSWORD = ("current_password", "password")
CHANGED = ("name", "first_name", "last_name", "phone_number", "url")


@me.route("")
@requires("me:read")
@me.response(200, UserSchema)
def get_me() -> JsonAnswer:
    """You, as we know you."""
    with statements(services().engine) as connection:
        return user_body(_caller(connection)), {}


@me.route("", methods=["PATCH"])
@requires("me:write")
@per_address("me")  # else whoever is signed in asks at leisure whose phone number is known
@me.arguments(MeChange)
@me.response(200, UserSchema)
def change_me(body: Body) -> JsonAnswer:
    """Change what you say of yourself; a new password needs the current one, and ends your other sessions."""
    if g.caller.role != Role.MERCHANT:
        _refuse([(name, UNKNOWN_FIELD.code, str(UNKNOWN_FIELD)) for name in OF_MERCHANTS if name in body])
    turn = _turn(body) if any(name in body for name in OF_PASSWORD) else None
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        known = _caller(connection)
        _change(connection, known, body)
        if turn is not None:
            _set_password(connection, known, turn)
        changed = _caller(connection)
    if turn is not None:
        services().tokens.forget_everywhere(g.caller.id)
    return user_body(changed), {}


def _caller(connection: Connection) -> User:
    known = user.by_id(connection, g.caller.id)
    if known is None:
        raise RuntimeError("users are never deleted")
    return known


def _refuse(flaws: list[tuple[str, str, str]]) -> None:
    if flaws:
        raise invalid([(f"/{name}", code, detail) for name, code, detail in flaws])


def _change(connection: Connection, known: User, body: Body) -> None:
    """What the body says of the user, noted if it differs; raises ApiError."""
    wanted = known._replace(**{name: body[name] for name in CHANGED if name in body})
    if known.role == Role.CLIENT and wanted.first_name and wanted.last_name:
        wanted = wanted._replace(name=f"{wanted.first_name} {wanted.last_name}"[:NAME_LENGTH_MAX])
    differing = [name for name in CHANGED if getattr(wanted, name) != getattr(known, name)]
    if not differing:
        return
    if not user.change(connection, known.id, *(getattr(wanted, name) for name in CHANGED)):
        raise ApiError("duplicate_phone_number", "Another user has this phone number.")
    before, after = ({name: getattr(who, name) for name in differing} for who in (known, wanted))
    audit.note(connection, actor(), "users.change", known.id, before=before, after=after)


class PasswordChange(NamedTuple):
    """From one password to the next, by their hashes."""

    before: str
    after: str


def _turn(body: Body) -> PasswordChange:
    """The change of password that the body asks for, judged like a sign-in; raises ApiError."""
    _refuse([(name, "required", "Send both, or neither.") for name in OF_PASSWORD if name not in body])
    with statements(services().engine) as connection:
        known = _caller(connection)
        refuse_weak(body["password"], known.email)
        count_login_attempt(connection, login_throttle.of_user(known.email))
        kept = user.password_hash(connection, known.id)
    if not passwords.verify(kept, body["current_password"]) or kept is None:
        raise _wrong()
    return PasswordChange(kept, passwords.hash(body["password"]))


def _wrong() -> ApiError:
    return invalid([("/current_password", "current_password_wrong", "This is not your password.")])


def _set_password(connection: Connection, known: User, turn: PasswordChange) -> None:
    """The new password, unless another has been set meanwhile; other sessions end, and mails that would reset it."""
    if user.password_hash(connection, known.id) != turn.before:
        raise _wrong()
    user.set_password(connection, known.id, turn.after)
    audit.note(connection, actor(), "users.password_change", known.id)
    revoke_all(connection, known.id, SESSION, but=g.caller.token_id)
    confirmation.withdraw(connection, known.id, Purpose.PASSWORD)
    login_throttle.forgive(connection, login_throttle.of_user(known.email))
