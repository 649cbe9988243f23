"""Schemas of the bodies that create payments or act on them."""

import re
from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from gateway.http.bank_fields import Bic, Iban, refuse_mismatch
from gateway.http.errors import FieldError
from gateway.http.fields import (
    STANDARD,
    Amount,
    Choice,
    CurrencyCode,
    Id,
    Input,
    Metadata,
    Text,
    Timestamp,
    TrueOrFalse,
    WalletToken,
)
from gateway.http.payment_fields import REFUND_REASONS, SUMMARY_LENGTH_MAX, Reference
from gateway.http.payment_schemas import SideSchema
from gateway.http.schemas import FailureSchema, Output, amount_text, one_of
from gateway.lists.filters import METADATA, MetadataFilter, query_parameters
from models import payment_list
from models.payment_command import CommandOutcome
from models.payment_timeline import Step, TimelineActor
from models.rules.types import EXTERNAL_CODES, OperationKind

IDEMPOTENCY_KEY_LENGTH_MAX = 255

NAME_LENGTH_MAX = 70
"""The maximum length of a name in a SEPA credit transfer."""


class AmountInput(Input):
    """The members that most payments have."""

    amount = Amount(required=True)
    currency = CurrencyCode(required=True)
    metadata = Metadata()


class ScheduledInput(AmountInput):
    """A payment that may be scheduled, and may expire."""

    scheduled_at = Timestamp()
    expires_at = Timestamp()

    @ma.validates_schema
    def _is_in_order(self, data: dict[str, Any], **_: Any) -> None:
        if "expires_at" in data and "scheduled_at" in data and data["expires_at"] <= data["scheduled_at"]:
            error = FieldError("invalid_value", "expires_at must be after scheduled_at.")
            raise ma.ValidationError({"expires_at": [error]})


class DepositInput(AmountInput):
    """A deposit."""

    wallet = WalletToken(required=True)
    source = Choice(sorted(EXTERNAL_CODES), required=True)


class WithdrawalInput(AmountInput):
    """A withdrawal from one of your wallets; by wire it goes to a bank account."""

    wallet = WalletToken(required=True)
    target = Choice(sorted(EXTERNAL_CODES), load_default="wire")
    iban = Iban()
    bic = Bic()
    name = Text(NAME_LENGTH_MAX)
    summary = Text(SUMMARY_LENGTH_MAX)

    @ma.validates_schema
    def _has_recipient(self, data: dict[str, Any], **_: Any) -> None:
        if data["target"] != "wire":
            error = FieldError("invalid_value", "Only a withdrawal by wire goes to a bank account.")
            errors = {name: [error] for name in ("iban", "bic", "name") if name in data}
        else:
            errors = {name: [STANDARD["required"]] for name in ("iban", "name") if name not in data}
        if errors:
            raise ma.ValidationError(errors)
        if "iban" in data:
            refuse_mismatch(data["iban"], data.get("bic"))


class TransferInput(ScheduledInput):
    """A transfer from one of your wallets to any wallet."""

    source = WalletToken(required=True)
    target = WalletToken(required=True)
    quote = Id()
    summary = Text(SUMMARY_LENGTH_MAX)

    @ma.validates_schema
    def _is_not_scheduled(self, data: dict[str, Any], **_: Any) -> None:
        if "quote" in data and "scheduled_at" in data:
            error = FieldError("invalid_value", "A transfer with a quote cannot be scheduled.")
            raise ma.ValidationError({"scheduled_at": [error]})


class ExchangeInput(Input):
    """An exchange between two of your wallets in different currencies."""

    source = WalletToken(required=True)
    target = WalletToken(required=True)
    quote = Id(required=True)
    metadata = Metadata()


class ChargeInput(ScheduledInput):
    """A charge of a customer's wallet by a merchant."""

    wallet = WalletToken(required=True)
    target = WalletToken()
    capture = TrueOrFalse(load_default=True)
    reference = Reference()
    summary = Text(SUMMARY_LENGTH_MAX)


class CaptureInput(Input):
    """The amount to capture; without it, the full hold."""

    amount = Amount()


class RefundInput(Input):
    """A refund of a charge; without an amount, of all that was not refunded yet."""

    charge = Id(required=True)
    amount = Amount()
    reason = Choice(REFUND_REASONS, required=True)
    metadata = Metadata()


class EndingInput(Input):
    """An empty body."""


class OperationSchema(Output):
    """One side of the double entry; negative where money left the account."""

    line = ma.fields.Integer()
    account = ma.fields.Nested(SideSchema)
    amount = amount_text()
    currency = ma.fields.String()
    kind = one_of(OperationKind)
    balance_after = amount_text(allow_none=True)
    created_at = ma.fields.DateTime()


_METADATA_NAME = re.compile(r"metadata\[([^\[\]]+)\]")


_PaymentParameters: Any = query_parameters(
    payment_list.COLUMNS,
    wallet=WalletToken(),
    metadata=MetadataFilter(),
    idempotency_key=Text(IDEMPOTENCY_KEY_LENGTH_MAX),
)


class PaymentQuery(_PaymentParameters):
    """Filters and order of the list of payments."""

    @ma.pre_load
    def _gather_metadata(self, query: Mapping[str, str], **_: Any) -> dict[str, Any]:
        keys = {name: match[1] for name in query if (match := _METADATA_NAME.fullmatch(name))}
        rest: dict[str, Any] = {name: text for name, text in query.items() if name not in keys}
        return {**rest, METADATA: {key: query[name] for name, key in keys.items()}} if keys else rest


class StepSchema(Output):
    """A step of a payment; only ops and auditors see the ids, reasons and errors of other users."""

    at = ma.fields.DateTime()
    step = one_of(Step)
    actor = one_of(TimelineActor)
    actor_id = ma.fields.UUID(allow_none=True)
    attempt = ma.fields.Integer(allow_none=True)
    waited_seconds = ma.fields.Float(allow_none=True)
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    outcome = ma.fields.String(allow_none=True, metadata={"enum": [*CommandOutcome, None]})
    reason = ma.fields.String(allow_none=True)
    error = ma.fields.String(allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    payment = ma.fields.UUID(allow_none=True)
