"""/v1/second-factor: one-time passwords and recovery codes, set up, replaced and removed by their user."""

from collections.abc import Iterator
from contextlib import contextmanager

import segno
from flask import Response, g

from gateway.auth.guards import actor, require_session, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import ApiError
from gateway.http.found import found
from gateway.identity import second_factors
from gateway.identity.representations import revoke_all, session_body
from gateway.identity.schemas import (
    NewSecondFactorSchema,
    RecoveryCodesSchema,
    SecondFactorCodeInput,
    SecondFactorInput,
    SecondFactorRemoval,
    SecondFactorSchema,
    SessionSchema,
)
from gateway.services import services
from models import audit, second_factor, token, user
from models.representations import iso
from models.session import Connection, statements, transaction
from models.token import SESSION
from models.user import User

second_factor_views = Blueprint(
    "second_factor",
    __name__,
    url_prefix="/v1",
    description="One-time passwords of an authenticator, asked for at sign-in and before what is hard to undo.",
)


@second_factor_views.route("/second-factor")
@requires("second-factor:read")
@second_factor_views.response(200, SecondFactorSchema)
def get_second_factor() -> JsonAnswer:
    """Show whether you have a second factor, and must have one."""
    with statements(services().engine) as connection:
        factor = second_factor.find(connection, g.caller.person_id)
    is_active = factor is not None and factor.confirmed_at is not None
    return {
        "is_active": is_active,
        "is_required": second_factors.is_required(),
        "confirmed_at": iso(factor.confirmed_at) if factor else None,
        "recovery_codes_left": factor.recovery_codes_left if factor else 0,
    }, {}


@second_factor_views.route("/second-factor", methods=["POST"])
@requires("second-factor:write")
@second_factor_views.arguments(SecondFactorInput)
@second_factor_views.response(201, NewSecondFactorSchema)
def create_second_factor(body: Body) -> JsonAnswer:
    """Begin to set up a second factor: its secret, shown once, counts after a code of it is confirmed.

    Until then each call replaces the secret.
    """
    require_session(g.caller)
    owner = _caller()
    second_factors.verify_password(owner, body["password"])
    sealed, secret = second_factors.new_secret(owner.id)
    with transaction(services().engine) as connection:
        user.lock(connection, owner.id)
        if not second_factor.enrol(connection, owner.id, sealed):
            raise ApiError("second_factor_active", "Remove it before you set up another.")
    uri = second_factors.otpauth_uri(secret, owner.email)
    image = segno.make(uri, micro=False).svg_inline(scale=4) if body["qr_code"] else None
    return {"secret": secret, "uri": uri, "qr_code": image}, {}


@second_factor_views.route("/second-factor/confirm", methods=["POST"])
@requires("second-factor:write")
@second_factor_views.arguments(SecondFactorCodeInput)
@second_factor_views.response(200, RecoveryCodesSchema)
def confirm_second_factor(body: Body) -> JsonAnswer:
    """Confirm the second factor by a code of it; your other sessions end. Answers recovery codes, shown once."""
    with _by_code(body["code"], is_confirmed=False) as connection:
        codes = second_factor.new_recovery_codes(connection, g.caller.person_id)
        audit.note(connection, actor(), "second_factors.confirm", g.caller.person_id)
        revoke_all(connection, g.caller.person_id, SESSION, but=g.caller.token_id)
        token.note_second_factor(connection, g.caller.person_id, g.caller.token_id)
    services().tokens.forget_everywhere(g.caller.person_id)
    return {"recovery_codes": codes}, {}


@second_factor_views.route("/second-factor/recovery-codes", methods=["POST"])
@requires("second-factor:write")
@second_factor_views.arguments(SecondFactorCodeInput)
@second_factor_views.response(200, RecoveryCodesSchema)
def replace_recovery_codes(body: Body) -> JsonAnswer:
    """Replace your recovery codes, used and unused ones, by ten new ones, shown once."""
    with _by_code(body["code"]) as connection:
        codes = second_factor.new_recovery_codes(connection, g.caller.person_id)
        audit.note(connection, actor(), "second_factors.replace_recovery_codes", g.caller.person_id)
    return {"recovery_codes": codes}, {}


@second_factor_views.route("/second-factor/disable", methods=["POST"])
@requires("second-factor:write")
@second_factor_views.arguments(SecondFactorRemoval)
@second_factor_views.response(204)
def disable_second_factor(body: Body) -> Response:
    """Remove your second factor and its recovery codes, by your password and a code; all your sessions end."""
    if second_factors.is_required():
        raise ApiError("second_factor_mandatory", "Another ops user can reset it, so that you set up a new one.")
    require_session(g.caller)
    second_factors.verify_password(_caller(), body["password"])
    with _by_code(body["code"]) as connection:
        second_factor.remove(connection, g.caller.person_id)
        audit.note(connection, actor(), "second_factors.disable", g.caller.person_id)
        revoke_all(connection, g.caller.person_id, SESSION)
    services().tokens.forget_everywhere(g.caller.person_id)
    return no_content()


@second_factor_views.route("/sessions/current/second-factor", methods=["POST"])
@requires("sessions:write")
@second_factor_views.arguments(SecondFactorCodeInput)
@second_factor_views.response(200, SessionSchema)
def prove_second_factor(body: Body) -> JsonAnswer:
    """Prove your second factor again in this session, for what asks for it in the next ten minutes."""
    with _by_code(body["code"]) as connection:
        token.note_second_factor(connection, g.caller.person_id, g.caller.token_id)
        audit.note(connection, actor(), "sessions.prove_second_factor", g.caller.token_id)
        session = found(token.find(connection, g.caller.person_id, SESSION, g.caller.token_id))
    services().tokens.forget_everywhere(g.caller.person_id)
    return session_body(session, is_current=True), {}


def _caller() -> User:
    with statements(services().engine) as connection:
        return found(user.by_id(connection, g.caller.person_id))


@contextmanager
def _by_code(code: str, *, is_confirmed: bool = True) -> Iterator[Connection]:
    """A transaction in which the session's user is locked and has used up the code; raises ApiError."""
    require_session(g.caller)
    with statements(services().engine) as connection:
        second_factors.count_attempt(connection, g.caller.person_id)
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.person_id)
        factor = second_factor.find(connection, g.caller.person_id)
        if factor is None or (is_confirmed and factor.confirmed_at is None):
            raise ApiError("second_factor_missing", "Set one up: POST /v1/second-factor.")
        if factor.confirmed_at is not None and not is_confirmed:
            raise ApiError("second_factor_active", "It was confirmed before.")
        second_factors.prove(connection, factor, code)
        yield connection
