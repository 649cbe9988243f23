"""Schemas of users, sessions, API keys and confirmations."""

import marshmallow as ma

from gateway.http.fields import ChangeInput, Choice, Email, Id, Input, Text, Timestamp, TrueOrFalse, WholeNumber
from gateway.http.schemas import Output, one_of
from gateway.identity.fields import (
    ConfirmationToken,
    NewPassword,
    Password,
    PhoneNumber,
    Scopes,
    SecondFactorCode,
    Url,
)
from models.membership import MemberRole
from models.user import NAME_LENGTH_MAX, Role

PERSON_NAME_LENGTH_MAX = 50
OVERLAP_SECONDS_MAX = 7 * 24 * 3600
"""A week is enough to deploy a new key to every server."""
IDLE_MINUTES_MAX = 24 * 60
"""As in the column."""
LIFETIME_HOURS_MAX = 24 * 365
"""As of TOKEN_TTL_HOURS, which bounds it too."""
INVITATION_STATES = ("open", "expired", "accepted", "withdrawn")


class ClientInput(Input):
    """Sign-up of a client."""

    email = Email(required=True)
    password = NewPassword(required=True)
    first_name = Text(PERSON_NAME_LENGTH_MAX, required=True)
    last_name = Text(PERSON_NAME_LENGTH_MAX, required=True)
    phone_number = PhoneNumber(required=True)


class MerchantInput(ClientInput):
    """Sign-up of a merchant; `name` is shown to customers."""

    name = Text(NAME_LENGTH_MAX, required=True)
    url = Url(required=True)


class MeChange(ChangeInput):
    """Changes to one's own user; only merchants have name and url, and a new password needs the current one."""

    first_name = Text(PERSON_NAME_LENGTH_MAX)
    last_name = Text(PERSON_NAME_LENGTH_MAX)
    phone_number = PhoneNumber()
    name = Text(NAME_LENGTH_MAX)
    url = Url()
    current_password = Password()
    password = NewPassword()


class EmailInput(Input):
    """The address to send an e-mail to."""

    email = Email(required=True)


class ConfirmationInput(Input):
    """The token from an e-mail."""

    token = ConfirmationToken(required=True)


class PasswordResetInput(ConfirmationInput):
    """The token from an e-mail, and the new password."""

    password = NewPassword(required=True)


class SessionInput(Input):
    """Credentials; with a role, only a user with that role can sign in. `code` is of the second factor, if any."""

    email = Email(required=True)
    password = Password(required=True)
    role = Choice([role.value for role in Role])
    lifetime_hours = WholeNumber(LIFETIME_HOURS_MAX, 1)
    idle_minutes = WholeNumber(IDLE_MINUTES_MAX, 1)
    code = SecondFactorCode()
    merchant = Id()


class SecondFactorInput(Input):
    """A second factor to set up; `qr_code` asks for the URI as an SVG image too."""

    password = Password(required=True)
    qr_code = TrueOrFalse(load_default=False)


class SecondFactorCodeInput(Input):
    """A code of the second factor."""

    code = SecondFactorCode(required=True)


class SecondFactorRemoval(SecondFactorCodeInput):
    """What removes a second factor: the password, and a code of it."""

    password = Password(required=True)


class ApiKeyInput(Input):
    """An API key to create; without scopes it gets those of the token that creates it."""

    name = Text(NAME_LENGTH_MAX, required=True)
    scopes = Scopes()
    expires_at = Timestamp()


class RollInput(Input):
    """The time for which the old key stays valid beside the new one."""

    overlap_seconds = WholeNumber(OVERLAP_SECONDS_MAX, load_default=0)


class UserSchema(Output):
    """A user."""

    id = ma.fields.UUID()
    role = ma.fields.String(metadata={"enum": [role.value for role in Role]})
    email = ma.fields.String()
    first_name = ma.fields.String(allow_none=True)
    last_name = ma.fields.String(allow_none=True)
    phone_number = ma.fields.String(allow_none=True)
    name = ma.fields.String()
    url = ma.fields.String(allow_none=True)
    is_active = ma.fields.Boolean()
    email_confirmed = ma.fields.Boolean()
    created_at = ma.fields.DateTime()


class MailSchema(Output):
    """The answer to a request for an e-mail, the same for every address."""

    detail = ma.fields.String()


class SessionSchema(Output):
    """A session; `is_current` marks the one that sent this request."""

    id = ma.fields.UUID()
    prefix = ma.fields.String()
    last4 = ma.fields.String()
    address = ma.fields.String(allow_none=True)
    user_agent = ma.fields.String(allow_none=True)
    created_at = ma.fields.DateTime()
    expires_at = ma.fields.DateTime()
    last_used_at = ma.fields.DateTime(allow_none=True)
    idle_minutes = ma.fields.Integer(allow_none=True)
    second_factor_at = ma.fields.DateTime(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)
    is_current = ma.fields.Boolean()


class NewSessionSchema(SessionSchema):
    """A new session; its token is shown only once."""

    token = ma.fields.String()


class SecondFactorSchema(Output):
    """Whether the user has, and must have, a second factor."""

    is_active = ma.fields.Boolean()
    is_required = ma.fields.Boolean()
    confirmed_at = ma.fields.DateTime(allow_none=True)
    recovery_codes_left = ma.fields.Integer()


class NewSecondFactorSchema(Output):
    """A second factor that counts once a code confirms it; its secret is shown only once."""

    secret = ma.fields.String()
    uri = ma.fields.String()
    qr_code = ma.fields.String(allow_none=True)


class RecoveryCodesSchema(Output):
    """Codes that each replace a one-time password once; they are shown only once."""

    recovery_codes = ma.fields.List(ma.fields.String())


class ApiKeySchema(Output):
    """An API key; `replaced_by` is its successor, if it was rolled."""

    id = ma.fields.UUID()
    name = ma.fields.String(allow_none=True)
    prefix = ma.fields.String()
    last4 = ma.fields.String()
    scopes = ma.fields.List(ma.fields.String())
    created_at = ma.fields.DateTime()
    expires_at = ma.fields.DateTime(allow_none=True)
    last_used_at = ma.fields.DateTime(allow_none=True)
    replaced_by = ma.fields.UUID(allow_none=True)


class NewApiKeySchema(ApiKeySchema):
    """A new API key; its token is shown only once."""

    token = ma.fields.String()


class ColleagueSchema(Output):
    """Someone who acts for a merchant."""

    id = ma.fields.UUID()
    email = ma.fields.String()
    name = ma.fields.String()
    role = one_of(MemberRole)
    is_active = ma.fields.Boolean()
    has_second_factor = ma.fields.Boolean()
    created_at = ma.fields.DateTime()


class InvitationSchema(Output):
    """An invitation to act for the merchant."""

    id = ma.fields.UUID()
    email = ma.fields.String()
    role = one_of(MemberRole)
    state = one_of(INVITATION_STATES)
    is_by_ops = ma.fields.Boolean()
    invited_by = ma.fields.UUID(allow_none=True)
    accepted_by = ma.fields.UUID(allow_none=True)
    created_at = ma.fields.DateTime()
    expires_at = ma.fields.DateTime()
