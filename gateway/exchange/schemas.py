"""The shapes of exchange rates and quotes."""

from typing import Any

import marshmallow as ma

from gateway.http.decimal_fields import Percent, RateText
from gateway.http.errors import FieldError
from gateway.http.fields import (
    Amount,
    ChangeInput,
    Choice,
    CurrencyCode,
    Input,
    NewCurrencyCode,
    Text,
    Timestamp,
    TrueOrFalse,
    WholeNumber,
)
from gateway.http.schemas import Output, amount_text, one_of
from models.quote import QuoteState
from models.rules.commission import WHOLE
from models.rules.exchange import Side

SOURCE_NAME_LENGTH_MAX = 100


class CurrencyPair(Input):
    """Two different currencies."""

    currency_fields = ("source", "target")

    @ma.validates_schema
    def _differ(self, data: dict[str, Any], **_: Any) -> None:
        first, second = self.currency_fields
        if first in data and data.get(first) == data.get(second):
            raise ma.ValidationError({second: [FieldError("invalid_value", "Both currencies are the same.")]})


class RateInput(CurrencyPair):
    """A rate that applies from `valid_from`, by default now; the spread is a percentage, taken as commission."""

    source = CurrencyCode(required=True)
    target = CurrencyCode(required=True)
    rate = RateText(required=True)
    spread = Percent(load_default=0, validate=ma.validate.Range(max=WHOLE - 1, error="Must be less than 100."))
    source_name = Text(SOURCE_NAME_LENGTH_MAX, required=True)
    valid_from = Timestamp()


class RateSchema(Output):
    """The value of one unit of the source currency in the target currency; `source_name` says where it is from."""

    source = ma.fields.String()
    target = ma.fields.String()
    rate = ma.fields.String(metadata={"example": "1.0837"})
    spread = ma.fields.String(metadata={"example": "0.5"})
    source_name = ma.fields.String()
    valid_from = ma.fields.DateTime()


class QuoteInput(CurrencyPair):
    """A request for a quote; `side` says whether `amount` is to be paid (source) or received (target)."""

    currency_fields = ("source_currency", "target_currency")

    source_currency = CurrencyCode(required=True)
    target_currency = CurrencyCode(required=True)
    amount = Amount(required=True)
    side = Choice(Side, load_default=Side.SOURCE.value)


class OfferSchema(Output):
    """The amount paid, commission included, and the amount received."""

    source_amount = amount_text()
    target_amount = amount_text()
    commission = amount_text()


class QuoteSchema(Output):
    """A fixed rate for one payment until `expires_at`: the amounts of an exchange between your own wallets, and in
    `transfer` those of a transfer to another user.

    An offer is null if it would be zero, or outside the bounds of its currencies.
    """

    id = ma.fields.UUID()
    state = one_of(QuoteState)
    source_currency = ma.fields.String()
    target_currency = ma.fields.String()
    rate = ma.fields.String(metadata={"example": "1.0837"})
    source_amount = amount_text(allow_none=True)
    target_amount = amount_text(allow_none=True)
    commission = amount_text(allow_none=True)
    transfer = ma.fields.Nested(OfferSchema, allow_none=True)
    payment = ma.fields.UUID(allow_none=True)
    user = ma.fields.UUID()
    created_at = ma.fields.DateTime()
    expires_at = ma.fields.DateTime()


class CurrencySchema(Output):
    """A currency; minimum and maximum of one payment, and the maximum balance of a new wallet."""

    code = ma.fields.String()
    digits = ma.fields.Integer()
    kind = one_of(["fiat", "crypto", "custom"])
    name = ma.fields.String()
    minimum = amount_text(allow_none=True)
    maximum = amount_text(allow_none=True)
    balance_maximum = amount_text(allow_none=True)
    is_active = ma.fields.Boolean()


NAME_LENGTH_MAX = 100


DIGITS_MAX = 18
"""18, as ether has; with 20 digits before the point an amount still fits its column."""


class CurrencyInput(Input):
    """A new currency, with the bounds of a payment and of a balance."""

    code = NewCurrencyCode(required=True)
    digits = WholeNumber(DIGITS_MAX, required=True)
    kind = Choice(("crypto", "custom"), required=True)
    name = Text(NAME_LENGTH_MAX, required=True)
    minimum = Amount()
    maximum = Amount()
    balance_maximum = Amount()


class CurrencyChange(ChangeInput):
    """A change of a currency by ops; null removes a bound."""

    name = Text(NAME_LENGTH_MAX)
    minimum = Amount(allow_none=True)
    maximum = Amount(allow_none=True)
    balance_maximum = Amount(allow_none=True)
    is_active = TrueOrFalse()
