"""Schemas of the bodies that create payments or act on them."""

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
    SingleSpacedText,
    Text,
    Timestamp,
    TrueOrFalse,
    WalletToken,
)
from models.rules.types import EXTERNAL_CODES

SUMMARY_LENGTH_MAX = 70
REFERENCE_LENGTH_MAX = 100
NAME_LENGTH_MAX = 70
"""The maximum length of a name in a SEPA credit transfer."""
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class Reference(SingleSpacedText):
    """The initiator's own reference of a payment."""

    def __init__(self) -> None:
        super().__init__(REFERENCE_LENGTH_MAX)


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
