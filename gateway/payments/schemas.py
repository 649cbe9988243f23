"""What is ordered: the shapes of bodies that move money, or end what was ordered."""

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
from models.rules.types import OUTSIDE

SUMMARY_LENGTH_MAX = 70
REFERENCE_LENGTH_MAX = 100
NAME_LENGTH_MAX = 70
"""As long as a bank's forms have room for."""
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class Reference(SingleSpacedText):
    """The maker's own name for a payment."""

    def __init__(self) -> None:
        super().__init__(REFERENCE_LENGTH_MAX)


class AmountInput(Input):
    """What every order says."""

    amount = Amount(required=True)
    currency = CurrencyCode(required=True)
    metadata = Metadata()


class ScheduledInput(AmountInput):
    """An order that may wait for its time, and need not be posted after it."""

    scheduled_at = Timestamp()
    expires_at = Timestamp()

    @ma.validates_schema
    def _is_in_order(self, given: dict[str, Any], **_: Any) -> None:
        if "expires_at" in given and "scheduled_at" in given and given["expires_at"] <= given["scheduled_at"]:
            flaw = FieldError("invalid_value", "It would expire before it is due.")
            raise ma.ValidationError({"expires_at": [flaw]})


class DepositInput(AmountInput):
    """Money in, from outside."""

    wallet = WalletToken(required=True)
    source = Choice(sorted(OUTSIDE), required=True)


class WithdrawalInput(AmountInput):
    """Money out, from one of one's own wallets; by wire it goes to a bank account."""

    wallet = WalletToken(required=True)
    target = Choice(sorted(OUTSIDE), load_default="wire")
    iban = Iban()
    bic = Bic()
    name = Text(NAME_LENGTH_MAX)
    summary = Text(SUMMARY_LENGTH_MAX)

    @ma.validates_schema
    def _says_to_whom(self, given: dict[str, Any], **_: Any) -> None:
        if given["target"] != "wire":
            flaw = FieldError("invalid_value", "Only a withdrawal by wire goes to a bank account.")
            odd = {word: [flaw] for word in ("iban", "bic", "name") if word in given}
        else:
            odd = {word: [STANDARD["required"]] for word in ("iban", "name") if word not in given}
        if odd:
            raise ma.ValidationError(odd)
        if "iban" in given:
            refuse_mismatch(given["iban"], given.get("bic"))


class TransferInput(ScheduledInput):
    """Money from one of one's own wallets to any."""

    source = WalletToken(required=True)
    target = WalletToken(required=True)
    quote = Id()
    summary = Text(SUMMARY_LENGTH_MAX)

    @ma.validates_schema
    def _is_at_once(self, given: dict[str, Any], **_: Any) -> None:
        if "quote" in given and "scheduled_at" in given:
            flaw = FieldError("invalid_value", "The rate of a quote is good now, not later.")
            raise ma.ValidationError({"scheduled_at": [flaw]})


class ExchangeInput(Input):
    """Money from one of one's own wallets to another, in another currency."""

    source = WalletToken(required=True)
    target = WalletToken(required=True)
    quote = Id(required=True)
    metadata = Metadata()


class ChargeInput(ScheduledInput):
    """A merchant takes money out of a customer's wallet."""

    wallet = WalletToken(required=True)
    target = WalletToken()
    capture = TrueOrFalse(load_default=True)
    reference = Reference()
    summary = Text(SUMMARY_LENGTH_MAX)


class CaptureInput(Input):
    """What to take of a hold; the whole, unless an amount is named."""

    amount = Amount()


class RefundInput(Input):
    """What to give back of a charge; all that was not refunded yet, unless an amount is named."""

    charge = Id(required=True)
    amount = Amount()
    reason = Choice(REFUND_REASONS, required=True)
    metadata = Metadata()


class EndingInput(Input):
    """Nothing more is to be said."""
