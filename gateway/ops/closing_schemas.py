"""Schemas of the closing of a month."""

import marshmallow as ma

from gateway.http.calendar_day import Month
from gateway.http.fields import Input, Text
from gateway.http.schemas import Output, amount_text, one_of
from models.rules.state import State
from models.rules.types import PaymentType

TIMEZONE_LENGTH_MAX = 64
"""Longer than any name of the time zone database."""


class ClosingQuery(Input):
    """The month, and the time zone of its days."""

    month = Month(required=True)
    timezone = Text(TIMEZONE_LENGTH_MAX, load_default="UTC")


class TrialBalanceSchema(Output):
    """All accounts of a code in one currency: closing is opening plus credits minus debits."""

    code = ma.fields.String()
    currency = ma.fields.String()
    opening = amount_text()
    debits = amount_text()
    credits = amount_text()
    closing = amount_text()


class OutcomeSchema(Output):
    """Payments of a type and a state in one currency."""

    type = one_of(PaymentType)
    state = one_of(State)
    currency = ma.fields.String()
    count = ma.fields.Integer()
    amount = amount_text()


class MerchantCommissionSchema(Output):
    """Commission of a merchant's payments of a type; of all others together if `merchant` is null."""

    merchant = ma.fields.UUID(allow_none=True)
    type = one_of(PaymentType)
    currency = ma.fields.String()
    taken = amount_text()
    given_back = amount_text()
    net = amount_text()


class ClosedReturnSchema(Output):
    """Money that a bank sent back of a withdrawal."""

    withdrawal = ma.fields.UUID()
    payment = ma.fields.UUID(allow_none=True)
    rail = ma.fields.String()
    bank_reference = ma.fields.String()
    currency = ma.fields.String()
    amount = amount_text()
    reason = ma.fields.String(allow_none=True)
    returned_at = ma.fields.DateTime()


class ClosedAdjustmentSchema(Output):
    """An approved adjustment: who proposed and who approved it, and why."""

    id = ma.fields.UUID()
    account = ma.fields.UUID()
    direction = one_of(["credit", "debit"])
    currency = ma.fields.String()
    amount = amount_text()
    state = one_of(State)
    reason = ma.fields.String()
    proposed_by = ma.fields.UUID(allow_none=True)
    approved_by = ma.fields.UUID(allow_none=True)
    approved_at = ma.fields.DateTime()
    payment = ma.fields.UUID()


class ClosingSchema(Output):
    """The closing of a month."""

    month = ma.fields.String()
    timezone = ma.fields.String()
    start = ma.fields.DateTime()
    end = ma.fields.DateTime()
    is_over = ma.fields.Boolean()
    trial_balance = ma.fields.List(ma.fields.Nested(TrialBalanceSchema))
    payments = ma.fields.List(ma.fields.Nested(OutcomeSchema))
    commission = ma.fields.List(ma.fields.Nested(MerchantCommissionSchema))
    open = ma.fields.List(ma.fields.Nested(OutcomeSchema), allow_none=True)
    returns = ma.fields.List(ma.fields.Nested(ClosedReturnSchema))
    adjustments = ma.fields.List(ma.fields.Nested(ClosedAdjustmentSchema))


class ClosingRowSchema(Output):
    """A row of the closing as a file: `section` is the list that it is of."""

    section = ma.fields.String()
    code = ma.fields.String(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)
    type = ma.fields.String(allow_none=True)
    state = ma.fields.String(allow_none=True)
    currency = ma.fields.String()
    opening = amount_text(allow_none=True)
    debits = amount_text(allow_none=True)
    credits = amount_text(allow_none=True)
    closing = amount_text(allow_none=True)
    count = ma.fields.Integer(allow_none=True)
    amount = amount_text(allow_none=True)
    taken = amount_text(allow_none=True)
    given_back = amount_text(allow_none=True)
    net = amount_text(allow_none=True)
    id = ma.fields.UUID(allow_none=True)
    account = ma.fields.UUID(allow_none=True)
    direction = ma.fields.String(allow_none=True)
    withdrawal = ma.fields.UUID(allow_none=True)
    rail = ma.fields.String(allow_none=True)
    bank_reference = ma.fields.String(allow_none=True)
    returned_at = ma.fields.DateTime(allow_none=True)
    reason = ma.fields.String(allow_none=True)
    proposed_by = ma.fields.UUID(allow_none=True)
    approved_by = ma.fields.UUID(allow_none=True)
    approved_at = ma.fields.DateTime(allow_none=True)
    payment = ma.fields.UUID(allow_none=True)


class MerchantDaySchema(Output):
    """A day on which charges were posted or refunded: net is gross less commission and refunds."""

    date = ma.fields.Date()
    currency = ma.fields.String()
    gross = amount_text()
    commission = amount_text()
    refunds = amount_text()
    net = amount_text()


class MerchantClosingSchema(Output):
    """A merchant's month by day."""

    month = ma.fields.String()
    timezone = ma.fields.String()
    is_over = ma.fields.Boolean()
    days = ma.fields.List(ma.fields.Nested(MerchantDaySchema))
