"""Schemas of what belongs to a payment."""

import marshmallow as ma

from gateway.http.schemas import Output, amount_text, one_of
from models.rules.reconciliation import MatchVerdict
from models.rules.state import State
from models.rules.types import PaymentType

DELIVERY_STATES = ("pending", "delivered", "failed")


class RelatedPaymentSchema(Output):
    """A refund or return of the payment."""

    id = ma.fields.UUID()
    type = one_of(PaymentType)
    state = one_of(State)
    amount = amount_text()
    currency = ma.fields.String()
    created_at = ma.fields.DateTime()


class RelatedLineSchema(Output):
    """A line of a bank's statement that is about the payment."""

    statement = ma.fields.UUID()
    line = ma.fields.Integer()
    booked_on = ma.fields.Date()
    verdict = one_of(MatchVerdict)


class RelatedDeliverySchema(Output):
    """A webhook about the payment."""

    id = ma.fields.UUID()
    endpoint = ma.fields.UUID()
    url = ma.fields.String()
    type = ma.fields.String()
    state = one_of(DELIVERY_STATES)
    attempts = ma.fields.Integer()
    last_status = ma.fields.Integer(allow_none=True)
    last_error = ma.fields.String(allow_none=True)
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    created_at = ma.fields.DateTime()


class RelatedSchema(Output):
    """What belongs to a payment, at most 50 of each kind."""

    parent = ma.fields.UUID(allow_none=True)
    bulk = ma.fields.UUID(allow_none=True)
    quote = ma.fields.UUID(allow_none=True)
    children = ma.fields.List(ma.fields.Nested(RelatedPaymentSchema))
    batches = ma.fields.List(ma.fields.UUID())
    statement_lines = ma.fields.List(ma.fields.Nested(RelatedLineSchema))
    deliveries = ma.fields.List(ma.fields.Nested(RelatedDeliverySchema))
