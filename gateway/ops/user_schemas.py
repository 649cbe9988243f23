"""Schemas of accounts, and of a user as ops see them on one page."""

import marshmallow as ma

from gateway.http.fields import Email, Id, Input, Text
from gateway.http.schemas import Output, amount_text, one_of
from gateway.identity.schemas import ApiKeySchema, ColleagueSchema, InvitationSchema, UserSchema
from gateway.lists.filters import CommaList, CountFilter
from gateway.ops.action_schemas import ListedPaymentSchema
from gateway.ops.schemas import AuditLineSchema
from gateway.wallets.schemas import HoldingSchema
from models.audit import REASON_LENGTH_MAX
from models.balance_curve import ACCOUNTS_MAX, DAYS_MAX
from models.ops_account import CODES
from models.rules.types import PaymentType

DAYS = 30
"""Days of a curve, unless others are asked for."""


class AccountSchema(HoldingSchema):
    """An account as ops see it: a wallet, without the token by which merchants charge it, or a technical one."""

    id = ma.fields.UUID()
    owner = ma.fields.UUID(allow_none=True)
    code = ma.fields.String(allow_none=True, metadata={"enum": [*CODES, None]})
    last4 = ma.fields.String(allow_none=True)
    balance_at = amount_text(allow_none=True)


class AccountOperationSchema(Output):
    """An operation of an account: what one payment changed there."""

    account_seq = ma.fields.Integer()
    payment = ma.fields.UUID()
    type = one_of(PaymentType)
    kind = ma.fields.String()
    amount = amount_text()
    currency = ma.fields.String()
    balance_after = amount_text()
    created_at = ma.fields.DateTime()


class BalanceCurveQuery(Input):
    """The accounts, and the days until now."""

    account = CommaList(Id(), length_max=ACCOUNTS_MAX, required=True)
    days = CountFilter(1, DAYS_MAX, load_default=DAYS)


class BalancePointSchema(Output):
    """The balance at a time."""

    at = ma.fields.DateTime()
    balance = amount_text()


class BalanceCurveSchema(Output):
    """Balances of an account, the oldest first; the last is now."""

    account = ma.fields.UUID()
    currency = ma.fields.String()
    points = ma.fields.List(ma.fields.Nested(BalancePointSchema))


class EndSessionsInput(Input):
    """The session to end, or none to end all; and the reason."""

    session = Id()
    reason = Text(REASON_LENGTH_MAX, required=True)


class EndApiKeysInput(Input):
    """The API key to end, or none to end all; and the reason."""

    api_key = Id()
    reason = Text(REASON_LENGTH_MAX, required=True)


class EndedTokensSchema(Output):
    """The sessions or keys that this call ended; those that had ended before are not among them."""

    ended = ma.fields.List(ma.fields.UUID())


class OpsSessionSchema(Output):
    """A session of a user."""

    id = ma.fields.UUID()
    prefix = ma.fields.String()
    last4 = ma.fields.String()
    address = ma.fields.String(allow_none=True)
    user_agent = ma.fields.String(allow_none=True)
    created_at = ma.fields.DateTime()
    expires_at = ma.fields.DateTime()
    last_used_at = ma.fields.DateTime(allow_none=True)
    second_factor_at = ma.fields.DateTime(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)


class OwnerInvitationInput(Input):
    """Whom to invite as an owner, and why."""

    email = Email(required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)


class OwnerInvitationSchema(InvitationSchema):
    """An invitation to act for a merchant, as ops see it."""

    merchant = ma.fields.UUID()
    reason = ma.fields.String(allow_none=True)


class UserDetailSchema(UserSchema):
    """A user with the newest of what is theirs, at most 20 of each."""

    is_frozen = ma.fields.Boolean()
    members = ma.fields.List(ma.fields.Nested(ColleagueSchema))
    invitations = ma.fields.List(ma.fields.Nested(OwnerInvitationSchema))
    wallets = ma.fields.List(ma.fields.Nested(AccountSchema))
    sessions = ma.fields.List(ma.fields.Nested(OpsSessionSchema))
    api_keys = ma.fields.List(ma.fields.Nested(ApiKeySchema))
    payments = ma.fields.List(ma.fields.Nested(ListedPaymentSchema))
    audit = ma.fields.List(ma.fields.Nested(AuditLineSchema))
