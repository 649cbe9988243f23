"""Schemas of accounts, and of a user as ops see them on one page."""

import marshmallow as ma

from gateway.http.schemas import Output, amount_text
from gateway.identity.schemas import ApiKeySchema, UserSchema
from gateway.ops.action_schemas import ListedPaymentSchema
from gateway.ops.schemas import AuditLineSchema
from gateway.wallets.schemas import HoldingSchema
from models.ops_account import CODES


class AccountSchema(HoldingSchema):
    """An account as ops see it: a wallet, without the token by which merchants charge it, or a technical one."""

    id = ma.fields.UUID()
    owner = ma.fields.UUID(allow_none=True)
    code = ma.fields.String(allow_none=True, metadata={"enum": [*CODES, None]})
    last4 = ma.fields.String(allow_none=True)
    balance_at = amount_text(allow_none=True)


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


class UserDetailSchema(UserSchema):
    """A user with the newest of what is theirs, at most 20 of each."""

    is_frozen = ma.fields.Boolean()
    wallets = ma.fields.List(ma.fields.Nested(AccountSchema))
    sessions = ma.fields.List(ma.fields.Nested(OpsSessionSchema))
    api_keys = ma.fields.List(ma.fields.Nested(ApiKeySchema))
    payments = ma.fields.List(ma.fields.Nested(ListedPaymentSchema))
    audit = ma.fields.List(ma.fields.Nested(AuditLineSchema))
