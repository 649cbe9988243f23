"""The shapes of commission: its preview, its terms, and what it brought in."""

import re
from datetime import date
from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import (
    YEAR_MAX,
    YEAR_MIN,
    Amount,
    Choice,
    CurrencyCode,
    Id,
    Input,
    StrictField,
    Text,
    Timestamp,
    WalletToken,
)
from gateway.http.schemas import Output, PageQuery, amount_text, one_of
from models.audit import REASON_LENGTH_MAX
from models.rules.commission import PERCENT_DIGITS, TYPES, WHOLE

DAYS_MAX = 366
"""A report of a year."""

_PERCENT = re.compile(rf"(0|[1-9][0-9]{{0,2}})(?:\.([0-9]{{1,{PERCENT_DIGITS}}}))?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Percent(StrictField):
    """A percentage as a decimal string, 0 to 100; read as millionths of a percent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{_PERCENT.pattern}$", "example": "2.5"}, **kwargs)

    def read(self, text: str) -> int:
        match = _PERCENT.fullmatch(text)
        millionths = int(match[1] + (match[2] or "").ljust(PERCENT_DIGITS, "0")) if match else -1
        if not 0 <= millionths <= WHOLE:
            raise self.refuse("invalid_value", f'"0" to "100", up to {PERCENT_DIGITS} digits behind the point.')
        return millionths


class CalendarDay(StrictField):
    """A day of the calendar in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "date"}, **kwargs)

    def read(self, text: str) -> date:
        if _DAY.fullmatch(text) and YEAR_MIN <= int(text[:4]) <= YEAR_MAX:
            try:
                return date.fromisoformat(text)
            except ValueError:
                pass
        raise self.refuse("invalid_value", "A day such as 2026-01-31.")


class PreviewInput(Input):
    """A payment that might be ordered; its wallets tell whether it stays between your own."""

    type = Choice(TYPES, required=True)
    amount = Amount(required=True)
    currency = CurrencyCode(required=True)
    source = WalletToken()
    target = WalletToken()
    merchant = Id()


class TermsInput(Input):
    """New terms; fixed, minimum and maximum are amounts of their currency."""

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
    def _amounts_have_a_currency(self, given: dict[str, Any], asked: Any, **_: Any) -> None:
        if "currency" not in given and any(asked.get(name) is not None for name in ("fixed", "minimum", "maximum")):
            flaw = FieldError("required", "An amount needs its currency.")
            raise ma.ValidationError({"currency": [flaw]})


class TermsQuery(PageQuery):
    """Which terms."""

    type = Choice(TYPES)
    currency = CurrencyCode()
    merchant = Id()


class TakingsQuery(Input):
    """Which days, both included, and which currency."""

    since = CalendarDay(data_key="from", required=True)
    until = CalendarDay(data_key="to", required=True)
    currency = CurrencyCode()

    @ma.validates_schema
    def _is_in_order(self, given: dict[str, Any], **_: Any) -> None:
        if not 0 <= (given["until"] - given["since"]).days < DAYS_MAX:
            flaw = FieldError("invalid_value", f"From the first day to the last, at most {DAYS_MAX}.")
            raise ma.ValidationError({"to": [flaw]})


class TermsSchema(Output):
    """What moving money costs: a percentage and a fixed part, within minimum and maximum."""

    percent = ma.fields.String(metadata={"example": "2.5"})
    fixed = amount_text()
    minimum = amount_text()
    maximum = amount_text(allow_none=True)
    smallest_paying_amount = amount_text(
        "The smallest amount of which any commission is taken. Smaller payments are free, and so is an amount that is"
        " split into them, however many; ending_minimum ends that. Null if nothing ever pays, or for any currency.",
        allow_none=True,
    )
    smallest_paying_units = ma.fields.Integer(
        allow_none=True, metadata={"description": "The same in units of a currency's last digit, such as cents."}
    )
    ending_minimum = amount_text(
        "The smallest `minimum` with which no payment is free, however an amount is split. Null if none is free as it"
        " is, if nothing pays, or for any currency: a minimum needs its currency.",
        allow_none=True,
    )


class PreviewSchema(Output):
    """What would be taken; `arrives` is null if that is all there is, and then the payment would FAIL."""

    type = one_of(TYPES)
    amount = amount_text()
    currency = ma.fields.String()
    commission = amount_text()
    arrives = amount_text(allow_none=True)
    terms = ma.fields.Nested(TermsSchema)


class KeptTermsSchema(TermsSchema):
    """Terms and where they apply: currency null is any, merchant null is whoever orders; from `valid_from` on."""

    id = ma.fields.String()
    type = one_of(TYPES)
    currency = ma.fields.String(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)
    valid_from = ma.fields.DateTime()
    created_at = ma.fields.DateTime()


class DaySchema(Output):
    """One day (UTC) in one currency; `payments` took commission or gave it back."""

    date = ma.fields.Date()
    currency = ma.fields.String()
    taken = amount_text()
    given_back = amount_text()
    net = amount_text()
    payments = ma.fields.Integer()


class TakingsSchema(Output):
    """What commission brought in, by day and currency; days without any are left out."""

    data = ma.fields.List(ma.fields.Nested(DaySchema))
