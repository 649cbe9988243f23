"""Schemas of what ops users do about one payment."""

from typing import Any

import marshmallow as ma

from gateway.http.calendar_day import CalendarDay
from gateway.http.errors import FieldError
from gateway.http.fields import Amount, Choice, ChoiceList, Id, Input, SingleSpacedText, Text
from gateway.http.payment_schemas import AcceptingRequestSchema, PaymentSchema, SideSchema
from gateway.http.schemas import Output, PageQuery, one_of
from gateway.ops.retry_schemas import OpsPaymentSchema
from models.audit import REASON_LENGTH_MAX
from models.payment_command import CommandOutcome
from models.resolution import ResolutionOutcome, ResolutionState
from models.rules.ops_actions import OpsAction, Refusal

BANK_REFERENCE_LENGTH_MAX = 100
"""As in the column; references of banks have 35 characters at most."""

BANK_ANSWERS = ("confirmed", "rejected")
INQUIRY_ANSWERS = (*BANK_ANSWERS, "pending", "unknown", "not_found", "unreachable", "not_sent")
COMMAND_KINDS = ("retry", "capture", "void", "cancel", "fail", "resolve", *("confirm", "reject"))


def or_null(values: object) -> ma.fields.String:
    """One of these values, or null."""
    return ma.fields.String(allow_none=True, metadata={"enum": [*(str(value) for value in values), None]})  # type: ignore[attr-defined]


class ActionInput(Input):
    """The reason for what an ops user does about a payment."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class OpsCaptureInput(ActionInput):
    """The amount to capture, and the reason; without an amount, the full hold."""

    amount = Amount()


class ResolveInput(ActionInput):
    """What the bank did, where it shows, and the reason; for `paid` the reference and the value date are required."""

    outcome = Choice(ResolutionOutcome, required=True)
    bank_reference = SingleSpacedText(BANK_REFERENCE_LENGTH_MAX)
    value_date = CalendarDay()

    @ma.validates_schema
    def _has_evidence(self, data: dict[str, Any], **_: Any) -> None:
        needed = ("bank_reference", "value_date") if data.get("outcome") == ResolutionOutcome.PAID else ()
        missing = [name for name in needed if name not in data]
        if missing:
            error = FieldError("required", "That the bank paid is shown by its reference and value date.")
            raise ma.ValidationError({name: [error] for name in missing})


class ResolutionQuery(PageQuery):
    """Page and filters of resolutions."""

    state = ChoiceList(ResolutionState)
    payment = Id()


class ResolutionSchema(Output):
    """What two ops users say that a bank did: the proposal, its decision, its execution, and the bank after all."""

    id = ma.fields.UUID()
    state = one_of(ResolutionState)
    payment = ma.fields.UUID()
    outcome = one_of(ResolutionOutcome)
    bank_reference = ma.fields.String(allow_none=True)
    value_date = ma.fields.Date(allow_none=True)
    reason = ma.fields.String()
    proposed_by = ma.fields.String()
    created_at = ma.fields.DateTime()
    approved_by = ma.fields.String(allow_none=True)
    approved_at = ma.fields.DateTime(allow_none=True)
    approval_reason = ma.fields.String(allow_none=True)
    rejected_by = ma.fields.String(allow_none=True)
    rejected_at = ma.fields.DateTime(allow_none=True)
    rejection_reason = ma.fields.String(allow_none=True)
    executed_at = ma.fields.DateTime(allow_none=True)
    refusal = or_null(Refusal)
    bank_answer = or_null(BANK_ANSWERS)
    bank_answered_at = ma.fields.DateTime(allow_none=True)
    is_contradicted = ma.fields.Boolean()


class ListedPaymentSchema(OpsPaymentSchema):
    """A payment in a list of ops: its sides without their tokens, and what may be done about it now."""

    source = ma.fields.Nested(SideSchema)
    target = ma.fields.Nested(SideSchema)
    summary = ma.fields.String(allow_none=True)
    reference = ma.fields.String(allow_none=True)
    actions = ma.fields.List(one_of(OpsAction))


class RefusedActionSchema(Output):
    """An action that is not possible now, and why."""

    action = one_of(OpsAction)
    code = one_of(Refusal)
    detail = ma.fields.String()


class PayoutProgressSchema(Output):
    """The payout of a withdrawal, and what its bank said of it so far."""

    rail = ma.fields.String(allow_none=True)
    name = ma.fields.String()
    last4 = ma.fields.String()
    attempts = ma.fields.Integer()
    due_at = ma.fields.DateTime(allow_none=True)
    submitted_at = ma.fields.DateTime(allow_none=True)
    pending_at = ma.fields.DateTime(allow_none=True)
    answer = or_null(BANK_ANSWERS)
    answered_at = ma.fields.DateTime(allow_none=True)
    reason = ma.fields.String(allow_none=True)
    bank_reference = ma.fields.String(allow_none=True)
    last_error = ma.fields.String(allow_none=True)
    resolution = ma.fields.UUID(allow_none=True)


class InquirySchema(Output):
    """A question to the bank, its answer of that moment, and what was known here beside it."""

    id = ma.fields.UUID()
    asked_by = ma.fields.String()
    reason = ma.fields.String()
    created_at = ma.fields.DateTime()
    answered_at = ma.fields.DateTime(allow_none=True)
    answer = or_null(INQUIRY_ANSWERS)
    answer_reason = ma.fields.String(allow_none=True)
    bank_reference = ma.fields.String(allow_none=True)
    known_answer = or_null(("confirmed", "rejected", "pending", "unknown"))
    known_bank_reference = ma.fields.String(allow_none=True)
    differences = ma.fields.List(ma.fields.String())


class CommandSchema(Output):
    """A command on a payment: who gave it, why, and what became of it."""

    kind = one_of(COMMAND_KINDS)
    user = ma.fields.UUID(allow_none=True)
    is_by_ops = ma.fields.Boolean()
    reason = ma.fields.String(allow_none=True)
    created_at = ma.fields.DateTime()
    decided_at = ma.fields.DateTime(allow_none=True)
    outcome = or_null(CommandOutcome)


class NoteInput(Input):
    """What an ops user writes down about a payment."""

    text = Text(REASON_LENGTH_MAX, required=True)


class NoteSchema(Output):
    """A note of an ops user about a payment."""

    text = ma.fields.String()
    written_by = ma.fields.String()
    created_at = ma.fields.DateTime()


class PaymentReviewSchema(Output):
    """A payment as ops users see it: what they may do now and what not, its payout, and what was done about it."""

    payment = ma.fields.Nested(PaymentSchema)
    actions = ma.fields.List(one_of(OpsAction))
    refused = ma.fields.List(ma.fields.Nested(RefusedActionSchema))
    request = ma.fields.Nested(AcceptingRequestSchema)
    parked_at = ma.fields.DateTime(allow_none=True)
    last_error = ma.fields.String(allow_none=True)
    payout = ma.fields.Nested(PayoutProgressSchema, allow_none=True)
    commands = ma.fields.List(ma.fields.Nested(CommandSchema))
    inquiries = ma.fields.List(ma.fields.Nested(InquirySchema))
    resolutions = ma.fields.List(ma.fields.Nested(ResolutionSchema))
    notes = ma.fields.List(ma.fields.Nested(NoteSchema))
