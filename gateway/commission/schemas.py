"""Schemas of commission: its preview, its terms and its report."""

from typing import Any

import marshmallow as ma

from gateway.http.calendar_day import CalendarDay
from gateway.http.decimal_fields import Percent
from gateway.http.errors import FieldError
from gateway.http.fields import (
    Amount,
    Choice,
    CurrencyCode,
    Id,
    Input,
    Text,
    Timestamp,
    WalletToken,
)
from gateway.http.schemas import Output, PageQuery, amount_text, one_of
from models.audit import REASON_LENGTH_MAX
from models.rules.commission import TYPES

DAYS_MAX = 366
"""A report covers a year at most."""


class PreviewInput(Input):
    """A payment to preview; with its wallets, one between your own is recognised as free."""

    type = Choice(TYPES, required=True)
    amount = Amount(required=True)
    currency = CurrencyCode(required=True)
    source = WalletToken()
    target = WalletToken()
    merchant = Id()


class TermsInput(Input):
    """New terms; `fixed`, `minimum` and `maximum` are amounts in `currency`."""

    type = Choice(TYPES, required=True)
    percent = Percent(required=True)
    currency = CurrencyCode()
    merchant = Id()
    fixed = Amount(load_default="0")
    minimum = Amount(load_default="0")
    maximum = Amount()
    valid_from = Timestamp()
    reason = Text(REASON_LENGTH_MAX, required=True)

    @ma.validates_schema(pass_original=True)
    def _amounts_have_a_currency(self, data: dict[str, Any], original: Any, **_: Any) -> None:
        if "currency" not in data and any(original.get(name) is not None for name in ("fixed", "minimum", "maximum")):
            error = FieldError("required", "Required with fixed, minimum or maximum.")
            raise ma.ValidationError({"currency": [error]})


class TermsQuery(PageQuery):
    """Filters of the list of terms."""

    type = Choice(TYPES)
    currency = CurrencyCode()
    merchant = Id()


class CommissionReportQuery(Input):
    """The first and the last day of the report, both included, and its currency."""

    since = CalendarDay(data_key="from", required=True)
    until = CalendarDay(data_key="to", required=True)
    currency = CurrencyCode()

    @ma.validates_schema
    def _is_in_order(self, data: dict[str, Any], **_: Any) -> None:
        if not 0 <= (data["until"] - data["since"]).days < DAYS_MAX:
            error = FieldError("invalid_value", f"Must not be before `from`; a report covers at most {DAYS_MAX} days.")
            raise ma.ValidationError({"to": [error]})


class TermsSchema(Output):
    """The commission of a payment: a percentage plus a fixed part, within minimum and maximum."""

    percent = ma.fields.String(metadata={"example": "2.5"})
    fixed = amount_text()
    minimum = amount_text()
    maximum = amount_text(allow_none=True)
    smallest_paying_amount = amount_text(
        "The smallest amount on which commission is taken. Smaller payments are free, and so is any amount that is"
        " split into them; ending_minimum prevents that. Null if no amount pays, or if the terms are for any currency.",
        allow_none=True,
    )
    smallest_paying_units = ma.fields.Integer(
        allow_none=True, metadata={"description": "The same in minor units, such as cents."}
    )
    ending_minimum = amount_text(
        "The smallest `minimum` with which no payment is free, however an amount is split. Null if no payment is free"
        " already, if no amount pays, or if the terms are for any currency, since a minimum needs one.",
        allow_none=True,
    )


class PreviewSchema(Output):
    """The commission of a payment; `arrives` is null if commission would take all, and the payment would fail."""

    type = one_of(TYPES)
    amount = amount_text()
    currency = ma.fields.String()
    commission = amount_text()
    arrives = amount_text(allow_none=True)
    terms = ma.fields.Nested(TermsSchema)


class KeptTermsSchema(TermsSchema):
    """Terms and the payments they apply to, from `valid_from` on; a null currency or merchant means any."""

    id = ma.fields.String()
    type = one_of(TYPES)
    currency = ma.fields.String(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)
    valid_from = ma.fields.DateTime()
    created_at = ma.fields.DateTime()


class DaySchema(Output):
    """A day (UTC) in one currency; `payments` counts those that took commission or gave it back."""

    date = ma.fields.Date()
    currency = ma.fields.String()
    taken = amount_text()
    given_back = amount_text()
    net = amount_text()
    payments = ma.fields.Integer()


class TakingsSchema(Output):
    """Commission by day and currency; days without any are left out."""

    data = ma.fields.List(ma.fields.Nested(DaySchema))
