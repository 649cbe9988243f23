"""Schemas of a payment, as the routes of several subjects answer it."""

import marshmallow as ma

from gateway.http.schemas import FailureSchema, Output, amount_text, one_of
from models.rules.state import State
from models.rules.types import PaymentType


class SideSchema(Output):
    """One side of a payment."""

    wallet = ma.fields.String(allow_none=True)
    name = ma.fields.String()
    last4 = ma.fields.String(allow_none=True)


class PausedSchema(Output):
    """Since when, and until when at the latest, ops have paused a payment; only they see why."""

    reason = ma.fields.String(allow_none=True)
    since = ma.fields.DateTime()
    until = ma.fields.DateTime(allow_none=True)


class AcceptingRequestSchema(Output):
    """The request that a payment was accepted by."""

    idempotency_key = ma.fields.String(allow_none=True)
    request_id = ma.fields.String(allow_none=True)
    quote = ma.fields.UUID(allow_none=True)


class PaymentSchema(Output):
    """A payment in any state."""

    id = ma.fields.UUID()
    type = one_of(PaymentType)
    state = one_of(State)
    source = ma.fields.Nested(SideSchema)
    target = ma.fields.Nested(SideSchema)
    amount = amount_text(allow_none=True)
    currency = ma.fields.String()
    commission = amount_text(allow_none=True)
    target_amount = amount_text(allow_none=True)
    target_currency = ma.fields.String()
    rate = ma.fields.String(allow_none=True)
    summary = ma.fields.String(allow_none=True)
    reference = ma.fields.String(allow_none=True)
    reason = ma.fields.String(allow_none=True)
    metadata = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    attempts = ma.fields.Integer()
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    paused = ma.fields.Nested(PausedSchema, allow_none=True)
    captured_amount = amount_text(allow_none=True)
    refunded_amount = amount_text(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)
    balance_after = amount_text(allow_none=True)
    parent = ma.fields.UUID(allow_none=True)
    bulk = ma.fields.UUID(allow_none=True)
    scheduled_at = ma.fields.DateTime(allow_none=True)
    expires_at = ma.fields.DateTime(allow_none=True)
    created_at = ma.fields.DateTime()
    finalized_at = ma.fields.DateTime(allow_none=True)
