"""Schemas of the routes for ops."""

from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import (
    ActiveFilter,
    Amount,
    ChangeInput,
    Choice,
    ChoiceList,
    CurrencyCode,
    Id,
    Input,
    SingleSpacedText,
    Text,
    Timestamp,
    TrueOrFalse,
    WalletToken,
)
from gateway.http.schemas import Output, PageQuery, amount_text, one_of
from models.adjustment import AdjustmentState
from models.audit import REASON_LENGTH_MAX
from models.health import KINDS
from models.ops_account import CODES
from models.rules.types import PaymentType
from models.user import EMAIL_LENGTH_MAX, Role

AUDIT_TEXT_LENGTH_MAX = 255
"""Length of an actor, action or target in the audit log."""

DIRECTIONS = ("credit", "debit")
"""Whether an adjustment adds the amount to the account, or takes it away."""


class UserChange(ChangeInput):
    """Activation or deactivation of a user, and the reason."""

    is_active = TrueOrFalse(required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)


class UserQuery(PageQuery):
    """Page and filters of users."""

    email = SingleSpacedText(EMAIL_LENGTH_MAX)
    role = Choice(Role)
    is_active = ActiveFilter()


class AccountQuery(PageQuery):
    """Page and filters of wallets and technical accounts."""

    id = Id()
    owner = Id()
    code = ChoiceList(CODES)
    at = Timestamp()
    currency = CurrencyCode()
    is_active = ActiveFilter()
    has_moved = Choice(["true"])


class AuditQuery(PageQuery):
    """Page and filters of the audit log."""

    target = Text(AUDIT_TEXT_LENGTH_MAX)
    actor = Text(AUDIT_TEXT_LENGTH_MAX)
    action = Text(AUDIT_TEXT_LENGTH_MAX)
    request_id = Text(AUDIT_TEXT_LENGTH_MAX)
    created_from = Timestamp()
    created_before = Timestamp()


class AdjustmentInput(Input):
    """A proposed adjustment of a balance, and the reason."""

    account = Id()
    wallet = WalletToken()
    direction = Choice(DIRECTIONS, required=True)
    amount = Amount(required=True)
    currency = CurrencyCode(required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)

    @ma.validates_schema
    def _names_one_account(self, data: dict[str, Any], **_: Any) -> None:
        if "account" not in data and "wallet" not in data:
            raise ma.ValidationError(
                {"account": [FieldError("required", "Send the id of an account, or the token of a wallet.")]}
            )
        if "account" in data and "wallet" in data:
            raise ma.ValidationError(
                {"wallet": [FieldError("invalid_value", "Send the account or the wallet, not both.")]}
            )


class ApprovalInput(Input):
    """An optional reason for the approval."""

    reason = Text(REASON_LENGTH_MAX)


class RejectionInput(Input):
    """The reason for the rejection."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class AdjustmentQuery(PageQuery):
    """Page and filter of adjustments."""

    state = ChoiceList(AdjustmentState)


class AdjustmentSchema(Output):
    """An adjustment: the proposal, and its approval or rejection."""

    id = ma.fields.UUID()
    state = one_of(AdjustmentState)
    account = ma.fields.UUID()
    wallet = ma.fields.String(allow_none=True)
    direction = one_of(DIRECTIONS)
    amount = amount_text()
    currency = ma.fields.String()
    reason = ma.fields.String()
    proposed_by = ma.fields.UUID(allow_none=True)
    created_at = ma.fields.DateTime()
    approved_by = ma.fields.UUID(allow_none=True)
    approved_at = ma.fields.DateTime(allow_none=True)
    approval_reason = ma.fields.String(allow_none=True)
    payment = ma.fields.UUID(allow_none=True)
    rejected_by = ma.fields.UUID(allow_none=True)
    rejected_at = ma.fields.DateTime(allow_none=True)
    rejection_reason = ma.fields.String(allow_none=True)


class AuditLineSchema(Output):
    """An entry of the audit log; `written_by` is the database role."""

    id = ma.fields.String()
    created_at = ma.fields.DateTime()
    actor = ma.fields.String()
    token_id = ma.fields.UUID(allow_none=True)
    address = ma.fields.String(allow_none=True)
    request_id = ma.fields.String(allow_none=True)
    action = ma.fields.String()
    target = ma.fields.String()
    reason = ma.fields.String(allow_none=True)
    before = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)
    after = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)
    written_by = ma.fields.String()


class HealthSchema(Output):
    """The result of a health check."""

    status = one_of(["ok"])


class WorkerSchema(Output):
    """A worker and when it was last seen."""

    name = ma.fields.String()
    age_seconds = ma.fields.Float()
    is_fresh = ma.fields.Boolean()


class HealthProblemSchema(Output):
    """Something that is wrong, and the command that helps."""

    code = one_of(KINDS)
    detail = ma.fields.String()
    command = ma.fields.String()


class PauseNoteSchema(Output):
    """A pause as everybody may see it: whose payments are paused, and why, is for ops."""

    type = ma.fields.String(allow_none=True, metadata={"enum": [*PaymentType, None]})
    currency = ma.fields.String(allow_none=True)
    rail = ma.fields.String(allow_none=True)
    since = ma.fields.DateTime()
    until = ma.fields.DateTime(allow_none=True)


class ReplicaSchema(Output):
    """A replica that reads go to."""

    name = ma.fields.String()
    state = one_of(["ok", "behind", "away", "promoted", "failed"])
    bytes_behind = ma.fields.Integer(
        allow_none=True, metadata={"description": "What it has not replayed of the log; null if unknown."}
    )
    lag_seconds = ma.fields.Float(
        allow_none=True, metadata={"description": "For how long it has not replayed that; null if unknown."}
    )


class StatusSchema(Output):
    """Whether payments are accepted, and how fast they are being posted."""

    status = one_of(["ok", "degraded"])
    database = one_of(["ok", "read_only"])
    broker = one_of(["ok", "away"])
    replica = ma.fields.Nested(
        ReplicaSchema, allow_none=True, metadata={"description": "The replica that reads go to; null without one."}
    )
    workers = ma.fields.List(ma.fields.Nested(WorkerSchema))
    waiting = ma.fields.Integer()
    oldest_due_seconds = ma.fields.Float()
    problems = ma.fields.List(ma.fields.Nested(HealthProblemSchema))
    pauses = ma.fields.List(ma.fields.Nested(PauseNoteSchema))
    paused = ma.fields.Integer()
