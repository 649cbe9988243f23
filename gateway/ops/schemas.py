"""The shapes of what ops look at and decide."""

import re
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
    StrictField,
    Text,
    TrueOrFalse,
    WalletToken,
    WholeNumber,
)
from gateway.http.schemas import NestedInput, Output, PageQuery, amount_text, one_of
from models.adjustment import AdjustmentState
from models.audit import REASON_LENGTH_MAX
from models.payment_stuck import STUCK_SECONDS_MAX
from models.rules.types import PaymentType
from models.user import EMAIL_LENGTH_MAX, Role

RETRIES_MAX = 1_000
"""Payments retried by one request, as by one command of the shell."""

WORD_LENGTH_MAX = 255
"""Of an actor, action or target in the audit log."""

DIRECTIONS = ("credit", "debit")
"""Of an adjustment: whether the account receives the amount, or gives it."""

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


class SecondsParameter(StrictField):
    """A time in whole seconds, as a query parameter."""

    def __init__(self) -> None:
        super().__init__(metadata={"type": "integer", "minimum": 0, "maximum": STUCK_SECONDS_MAX})

    def read(self, text: str) -> int:
        if not _SECONDS.fullmatch(text) or int(text) > STUCK_SECONDS_MAX:
            raise self.refuse("invalid_value", f"0 to {STUCK_SECONDS_MAX}.")
        return int(text)


class StuckQuery(Input):
    """Stuck payments or parked ones, narrowed."""

    type = ChoiceList(PaymentType)
    currency = CurrencyCode()

    @ma.validates_schema
    def _is_one_of_them(self, given: dict[str, Any], **_: Any) -> None:
        asked = given.keys() & {"stuck", "parked", "undecided"}
        if len(asked) != 1 or given.get("parked") is False:
            others = "parked: true or undecided: true" if "undecided" in self.fields else "parked: true"
            flaw = FieldError("invalid_value", f"Give one of them: stuck, in seconds, {others}.")
            raise ma.ValidationError({"stuck": [flaw]})


class OpsPaymentQuery(StuckQuery, PageQuery):
    """Which payments that did not post by themselves."""

    stuck = SecondsParameter()
    parked = Choice(["true"])
    undecided = Choice(["true"])


class RetryFilter(StuckQuery):
    """Which payments to retry, the oldest first."""

    stuck = WholeNumber(STUCK_SECONDS_MAX)
    parked = TrueOrFalse()
    limit = WholeNumber(RETRIES_MAX, 1, "limit_out_of_range", load_default=RETRIES_MAX)


class RetryInput(Input):
    """Why a payment is retried."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class RetriesInput(RetryInput):
    """Many payments to retry, or only to be counted."""

    filter = NestedInput(RetryFilter, required=True)
    dry_run = TrueOrFalse(load_default=True)


class UserChange(ChangeInput):
    """Whether a user may come in, and why."""

    is_active = TrueOrFalse(required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)


class UserQuery(PageQuery):
    """Which users."""

    email = SingleSpacedText(EMAIL_LENGTH_MAX)
    role = Choice(Role)
    is_active = ActiveFilter()


class AccountQuery(PageQuery):
    """Which wallets of everybody's."""

    owner = Id()
    currency = CurrencyCode()
    is_active = ActiveFilter()


class AuditQuery(PageQuery):
    """Which lines of the audit log."""

    target = Text(WORD_LENGTH_MAX)
    actor = Text(WORD_LENGTH_MAX)
    action = Text(WORD_LENGTH_MAX)


class AdjustmentInput(Input):
    """What is to be put right, and why."""

    account = Id()
    wallet = WalletToken()
    direction = Choice(DIRECTIONS, required=True)
    amount = Amount(required=True)
    currency = CurrencyCode(required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)

    @ma.validates_schema
    def _names_one_account(self, given: dict[str, Any], **_: Any) -> None:
        if "account" not in given and "wallet" not in given:
            raise ma.ValidationError(
                {"account": [FieldError("required", "An account by its id, or a wallet by its token.")]}
            )
        if "account" in given and "wallet" in given:
            raise ma.ValidationError(
                {"wallet": [FieldError("invalid_value", "Name the account or the wallet, not both.")]}
            )


class ApprovalInput(Input):
    """Why one agrees, if more is to be said."""

    reason = Text(REASON_LENGTH_MAX)


class RejectionInput(Input):
    """Why it is not to be done."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class AdjustmentQuery(PageQuery):
    """Which adjustments."""

    state = ChoiceList(AdjustmentState)


class AdjustmentSchema(Output):
    """What one of ops proposed, and what another ordered by it, or who rejected it."""

    id = ma.fields.UUID()
    state = one_of(AdjustmentState)
    account = ma.fields.UUID()
    wallet = ma.fields.String(allow_none=True)
    direction = one_of(DIRECTIONS)
    amount = amount_text()
    currency = ma.fields.String()
    reason = ma.fields.String()
    proposed_by = ma.fields.UUID()
    created_at = ma.fields.DateTime()
    approved_by = ma.fields.UUID(allow_none=True)
    approved_at = ma.fields.DateTime(allow_none=True)
    approval_reason = ma.fields.String(allow_none=True)
    payment = ma.fields.UUID(allow_none=True)
    rejected_by = ma.fields.UUID(allow_none=True)
    rejected_at = ma.fields.DateTime(allow_none=True)
    rejection_reason = ma.fields.String(allow_none=True)


class OpsPaymentSchema(Output):
    """A payment that waits longer than it should, or was set aside for a person."""

    id = ma.fields.UUID()
    type = one_of(PaymentType)
    amount = amount_text()
    currency = ma.fields.String()
    user = ma.fields.UUID()
    created_at = ma.fields.DateTime()
    due_at = ma.fields.DateTime()
    attempts = ma.fields.Integer()
    last_error = ma.fields.String(allow_none=True)
    parked_at = ma.fields.DateTime(allow_none=True)


class RetriesSchema(Output):
    """The payments that are, or would be, retried; `has_more` if there were more than the limit."""

    dry_run = ma.fields.Boolean()
    count = ma.fields.Integer()
    payments = ma.fields.List(ma.fields.UUID())
    has_more = ma.fields.Boolean()


class AuditLineSchema(Output):
    """Who did what to what, from where, and why; `written_by` is the database role."""

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
