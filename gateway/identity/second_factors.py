"""Proving a second factor: a one-time password (RFC 6238) or a recovery code, throttled as passwords are."""

import hmac
import secrets
from base64 import b32encode

import pyotp
from flask import g

from gateway.auth.guards import actor
from gateway.http.errors import ApiError, invalid
from gateway.identity import passwords
from gateway.identity.representations import count_login_attempt
from gateway.services import services
from models import audit, login_throttle, second_factor, user
from models.second_factor import RECOVERY_CODE_LENGTH, STEP_SECONDS, SecondFactor
from models.session import Connection, statements
from models.user import User

ISSUER = "Payments"
"""Shown by authenticators above the codes."""

SECRET_BYTES = 20
"""160 random bits, as RFC 4226 recommends."""

STEPS_AROUND = 1
"""The codes of 30 s ago and in 30 s are valid too: the clocks of phones are not exact, and people type slowly."""


def new_secret(user_id: str) -> tuple[bytes, str]:
    """A new secret: encrypted for the user, and as the authenticator gets it."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return services().secret_cipher.seal(user_id, secret), b32encode(secret).decode()


def otpauth_uri(secret: str, email: str) -> str:
    """The secret as the URI that an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def count_attempt(connection: Connection, user_id: str) -> None:
    """Count an attempt before a code is verified, in a statement of its own; raises ApiError while it has to wait."""
    count_login_attempt(connection, login_throttle.of_second_factor(user_id))


def verify_password(owner: User, password: str) -> None:
    """Verify the caller's password as at sign-in; raises ApiError."""
    by_user = login_throttle.of_user(owner.email)
    with statements(services().engine) as connection:
        count_login_attempt(connection, by_user)
        stored = user.password_hash(connection, owner.id)
    if not passwords.verify(stored, password):
        raise invalid([("/password", "current_password_wrong", "Wrong password.")])
    with statements(services().engine) as connection:
        login_throttle.forgive(connection, by_user)


def prove(connection: Connection, factor: SecondFactor, code: str) -> None:
    """Use up a code of the locked user's factor, after `count_attempt`; raises ApiError if it is not valid now."""
    if not _use(connection, factor, code):
        raise ApiError("second_factor_invalid", "The code is wrong, too old, or was used before.")
    login_throttle.forgive(connection, login_throttle.of_second_factor(factor.user_id))


def _use(connection: Connection, factor: SecondFactor, code: str) -> bool:
    if len(code) == RECOVERY_CODE_LENGTH:  # none exist before it is confirmed
        is_used = second_factor.use_recovery_code(connection, factor.user_id, code)
        if is_used:
            after = {"recovery_codes_left": factor.recovery_codes_left - 1}
            audit.note(
                connection, actor(factor.user_id), "second_factors.use_recovery_code", factor.user_id, after=after
            )
        return is_used
    step = _matching_step(connection, factor, code)
    return step is not None and second_factor.use_step(connection, factor.user_id, step)


def _matching_step(connection: Connection, factor: SecondFactor, code: str) -> int | None:
    """The step whose one-time password this is; None if it is none of now."""
    cipher = services().secret_cipher
    secret, is_current = cipher.open(factor.user_id, factor.secret)
    if not is_current:
        second_factor.encrypt_again(connection, factor.user_id, factor.secret, cipher.seal(factor.user_id, secret))
    totp = pyotp.TOTP(b32encode(secret).decode(), interval=STEP_SECONDS)
    steps = range(factor.step - STEPS_AROUND, factor.step + STEPS_AROUND + 1)
    return next((step for step in steps if hmac.compare_digest(totp.generate_otp(step), code)), None)


def is_required() -> bool:
    """Whether the caller must have a second factor."""
    return services().settings.require_second_factor and g.caller.role in second_factor.MUST_HAVE_ONE
