"""Schemas of why a payment waits."""

import marshmallow as ma

from gateway.http.schemas import Output, one_of
from gateway.payments.schemas import StepSchema
from models.rules.state import State
from models.rules.types import PaymentType
from models.rules.waiting import WaitCode

LOCKED_ROWS = ("payment", "payout", "bulk", "source", "target")


class WaitCauseSchema(Output):
    """A cause for which a payment waits, and what would help."""

    code = one_of(WaitCode)
    detail = ma.fields.String()
    help = ma.fields.String()
    command = ma.fields.String(allow_none=True)


class RowLockSchema(Output):
    """A database transaction that has locked a row of the payment."""

    row = one_of(LOCKED_ROWS)
    pid = ma.fields.Integer()
    role = ma.fields.String()
    application = ma.fields.String()
    transaction_seconds = ma.fields.Float(allow_none=True)
    is_poster = ma.fields.Boolean()


class AliveSchema(Output):
    """A worker, or beat, and when it was last seen."""

    name = ma.fields.String()
    age_seconds = ma.fields.Float()
    is_fresh = ma.fields.Boolean()
    hears = ma.fields.Boolean()


class ExplanationSchema(Output):
    """Why a payment waits: causes and what would help, its errors, locks and steps, and who is alive."""

    payment = ma.fields.UUID()
    type = one_of(PaymentType)
    state = one_of(State)
    explained_at = ma.fields.DateTime()
    causes = ma.fields.List(ma.fields.Nested(WaitCauseSchema))
    attempts = ma.fields.Integer()
    attempts_max = ma.fields.Integer()
    last_error = ma.fields.String(allow_none=True)
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    parked_at = ma.fields.DateTime(allow_none=True)
    locks = ma.fields.List(ma.fields.Nested(RowLockSchema))
    workers = ma.fields.List(ma.fields.Nested(AliveSchema))
    broker = one_of(["ok", "away"])
    waiting = ma.fields.Integer()
    oldest_due_seconds = ma.fields.Float()
    timeline = ma.fields.List(ma.fields.Nested(StepSchema))
