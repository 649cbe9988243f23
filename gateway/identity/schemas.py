"""The contract's shapes of people and what they sign in with."""

import marshmallow as ma

from gateway.http.fields import ChangeInput, Choice, Input, Text, Timestamp
from gateway.http.schemas import Output
from gateway.identity.fields import (
    ConfirmationToken,
    Email,
    NewPassword,
    Password,
    PhoneNumber,
    Scopes,
    Url,
    WaitSeconds,
)
from models.user import NAME_LENGTH_MAX, Role

PERSON_NAME_LENGTH_MAX = 50
OVERLAP_SECONDS_MAX = 7 * 24 * 3600
"""A week is enough to bring a new key to every server."""


class ClientInput(Input):
    """A client who signs up."""

    email = Email(required=True)
    password = NewPassword(required=True)
    first_name = Text(PERSON_NAME_LENGTH_MAX, required=True)
    last_name = Text(PERSON_NAME_LENGTH_MAX, required=True)
    phone_number = PhoneNumber(required=True)


class MerchantInput(ClientInput):
    """A merchant who signs up; `name` is what customers are shown."""

    name = Text(NAME_LENGTH_MAX, required=True)
    url = Url(required=True)


class MeChange(ChangeInput):
    """What a user changes of himself; name and url are a merchant's, a new password needs the current one."""

    first_name = Text(PERSON_NAME_LENGTH_MAX)
    last_name = Text(PERSON_NAME_LENGTH_MAX)
    phone_number = PhoneNumber()
    name = Text(NAME_LENGTH_MAX)
    url = Url()
    current_password = Password()
    password = NewPassword()


class EmailInput(Input):
    """To whom a mail is to go."""

    email = Email(required=True)


class ConfirmationInput(Input):
    """The token of a mail."""

    token = ConfirmationToken(required=True)


class PasswordResetInput(ConfirmationInput):
    """The token of a mail, and the password to be."""

    password = NewPassword(required=True)


class SessionInput(Input):
    """Who signs in; with a role, only as that."""

    email = Email(required=True)
    password = Password(required=True)
    role = Choice([role.value for role in Role])


class ApiKeyInput(Input):
    """A key to be made; without scopes it has those of the token it is asked for with."""

    name = Text(NAME_LENGTH_MAX, required=True)
    scopes = Scopes()
    expires_at = Timestamp()


class RollInput(Input):
    """How long the old key lives on beside the new one."""

    overlap_seconds = WaitSeconds(OVERLAP_SECONDS_MAX, load_default=0)


class UserSchema(Output):
    """A user, as he sees himself."""

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
    """The same for every address."""

    detail = ma.fields.String()


class SessionSchema(Output):
    """A session; `is_current` is the one that asks."""

    id = ma.fields.UUID()
    prefix = ma.fields.String()
    last4 = ma.fields.String()
    address = ma.fields.String(allow_none=True)
    user_agent = ma.fields.String(allow_none=True)
    created_at = ma.fields.DateTime()
    expires_at = ma.fields.DateTime()
    last_used_at = ma.fields.DateTime(allow_none=True)
    is_current = ma.fields.Boolean()


class NewSessionSchema(SessionSchema):
    """A session just opened: its token is shown this once."""

    token = ma.fields.String()


class ApiKeySchema(Output):
    """An API key; `replaced_by` is the key that a rolled one lives on beside."""

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
    """An API key just made: its token is shown this once."""

    token = ma.fields.String()
