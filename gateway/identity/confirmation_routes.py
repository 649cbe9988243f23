"""POST /v1/confirmations and /v1/password-resets: request an e-mail with a token, and redeem the token."""

from flask import Response, request
from uuid_utils import uuid7

import bell
import celery_config
from gateway.auth.guards import actor, public
from gateway.auth.rate_limit import per_address
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import invalid
from gateway.identity import passwords
from gateway.identity.fields import CONFIRMATION_INVALID, refuse_weak
from gateway.identity.representations import revoke_all
from gateway.identity.schemas import ConfirmationInput, EmailInput, MailSchema, PasswordResetInput
from gateway.services import services
from models import audit, confirmation, login_throttle, user
from models import token as tokens
from models.confirmation import Purpose
from models.session import Connection, transaction
from models.token import API_KEY, SESSION
from models.user import User

confirmations = Blueprint(
    "confirmations", __name__, url_prefix="/v1", description="Confirming an e-mail address, and setting a new password."
)


@confirmations.route("/confirmations", methods=["POST"])
@public
@per_address("confirm")
@confirmations.arguments(ConfirmationInput)
@confirmations.response(204)
def confirm(body: Body) -> Response:
    """Confirm an e-mail address with the token from the e-mail; it works once, for 24 hours."""
    with transaction(services().engine) as connection:
        owner = _redeem(connection, body["token"], Purpose.EMAIL)
        _confirm(connection, owner)
    services().tokens.forget_everywhere(owner.id)
    return no_content()


@confirmations.route("/confirmations/resend", methods=["POST"])
@public
@per_address("mail")
@confirmations.arguments(EmailInput)
@confirmations.response(202, MailSchema)
def resend(body: Body) -> JsonAnswer:
    """Send the confirmation e-mail again; the answer is the same for any address."""
    return _send(body["email"], Purpose.EMAIL)


@confirmations.route("/password-resets", methods=["POST"])
@public
@per_address("mail")
@confirmations.arguments(EmailInput)
@confirmations.response(202, MailSchema)
def request_reset(body: Body) -> JsonAnswer:
    """Send an e-mail with which a new password can be set; the answer is the same for any address."""
    return _send(body["email"], Purpose.PASSWORD)


@confirmations.route("/password-resets/confirm", methods=["POST"])
@public
@per_address("confirm")
@confirmations.arguments(PasswordResetInput)
@confirmations.response(204)
def reset(body: Body) -> Response:
    """Set a new password with the token from the e-mail; ends all sessions, and confirms the address.

    API keys stay valid, unless the address was not confirmed yet: then someone else may have created them.
    """
    hashed = passwords.hash(body["password"])
    with transaction(services().engine) as connection:
        owner = _redeem(connection, body["token"], Purpose.PASSWORD)
        refuse_weak(body["password"], owner.email)
        user.set_password(connection, owner.id, hashed)
        audit.note(connection, actor(owner.id), "users.password_reset", owner.id)
        revoke_all(connection, owner.id, SESSION)
        if not owner.is_confirmed:
            revoke_all(connection, owner.id, API_KEY)
            _confirm(connection, owner)
        login_throttle.forgive(connection, login_throttle.of_user(owner.email))
    services().tokens.forget_everywhere(owner.id)
    return no_content()


def _redeem(connection: Connection, token: str, purpose: Purpose) -> User:
    """Use up the token and return the user it was sent to; raises ApiError if it is not valid."""
    user_id = confirmation.redeem(connection, tokens.hash_of(token), purpose)
    owner = None if user_id is None else user.by_id(connection, user_id)
    if owner is None:
        raise invalid([("/token", CONFIRMATION_INVALID.code, str(CONFIRMATION_INVALID))])
    return owner


def _confirm(connection: Connection, owner: User) -> None:
    user.confirm_email(connection, owner.id)
    before, after = {"email_confirmed": owner.is_confirmed}, {"email_confirmed": True}
    audit.note(connection, actor(owner.id), "users.confirm", owner.id, before=before, after=after)


def _send(email: str, purpose: Purpose) -> JsonAnswer:
    """Request an e-mail to the address, if it belongs to a user who can use it."""
    with transaction(services().engine) as connection:
        owner = user.by_email(connection, email)
        is_wanted = owner is not None and owner.is_active and not (purpose is Purpose.EMAIL and owner.is_confirmed)
        is_due = is_wanted and owner and confirmation.ask(connection, str(uuid7()), owner.id, purpose)
    if is_due:
        bell.ring(request.environ[REQUEST_ID], celery_config.MAIL)
    return {"detail": "If a user with this address can use it, an e-mail has been sent."}, {}
