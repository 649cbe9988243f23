"""Schemas of members and invitations."""

import marshmallow as ma

from gateway.http.fields import ChangeInput, Choice, Email, Input, Text
from gateway.http.schemas import Output, one_of
from gateway.identity.fields import ConfirmationToken, NewPassword, Url
from gateway.identity.schemas import PERSON_NAME_LENGTH_MAX, ColleagueSchema
from models.membership import MemberRole
from models.user import NAME_LENGTH_MAX


class MemberChange(Input):
    """The new role of a member."""

    role = Choice(MemberRole, required=True)


class InvitationInput(Input):
    """Whom to invite, and in which role."""

    email = Email(required=True)
    role = Choice(MemberRole, required=True)


class AcceptanceInput(Input):
    """The token of an invitation; who has no user yet also sends names and a password."""

    token = ConfirmationToken(required=True)
    password = NewPassword()
    first_name = Text(PERSON_NAME_LENGTH_MAX)
    last_name = Text(PERSON_NAME_LENGTH_MAX)


class MerchantChange(ChangeInput):
    """Changes to what customers see of the merchant."""

    name = Text(NAME_LENGTH_MAX)
    url = Url()


class MerchantSchema(Output):
    """The merchant for whom one acts."""

    id = ma.fields.UUID()
    name = ma.fields.String()
    url = ma.fields.String(allow_none=True)
    is_active = ma.fields.Boolean()
    created_at = ma.fields.DateTime()


class MemberSchema(ColleagueSchema):
    """Someone who acts for the merchant for whom one acts."""

    is_you = ma.fields.Boolean()


class MembershipSchema(Output):
    """A merchant whom the user may act for."""

    id = ma.fields.UUID()
    name = ma.fields.String()
    role = one_of(MemberRole)
    is_active = ma.fields.Boolean()
    created_at = ma.fields.DateTime()


class AcceptedInvitationSchema(Output):
    """A membership that begins; sign in with `merchant`."""

    merchant = ma.fields.UUID()
    merchant_name = ma.fields.String()
    user = ma.fields.UUID()
    email = ma.fields.String()
    role = one_of(MemberRole)
    is_new_user = ma.fields.Boolean()
