"""Schemas of the overview."""

import marshmallow as ma

from gateway.http.fields import Choice, Input
from gateway.http.schemas import Output, amount_text, one_of
from models.overview import SPANS, WAITING


class OverviewQuery(Input):
    """The time that the slots cover."""

    span = Choice(SPANS, load_default="hour")


class OutcomesSchema(Output):
    """Payments that were accepted in some seconds, by their state now."""

    accepted = ma.fields.Integer()
    initiated = ma.fields.Integer()
    authorized = ma.fields.Integer()
    completed = ma.fields.Integer()
    failed = ma.fields.Integer()
    is_estimate = ma.fields.Boolean()


class OverviewWindowSchema(OutcomesSchema):
    """Payments that were accepted within the last seconds, and how long they took until they were final."""

    seconds = ma.fields.Integer()
    p50_seconds = ma.fields.Float(allow_none=True)
    p95_seconds = ma.fields.Float(allow_none=True)
    p99_seconds = ma.fields.Float(allow_none=True)


class OverviewFailureSchema(Output):
    """A failure, and how many payments failed by it."""

    failure = ma.fields.String()
    count = ma.fields.Integer()


class OverviewSlotSchema(OutcomesSchema):
    """Payments that were accepted in a slot of time."""

    begins_at = ma.fields.DateTime()
    failures = ma.fields.List(ma.fields.Nested(OverviewFailureSchema))
    oldest_due_seconds = ma.fields.Float(allow_none=True)


class OverviewCountSchema(Output):
    """How many of something wait."""

    name = one_of(WAITING)
    count = ma.fields.Integer()
    is_exact = ma.fields.Boolean()
    oldest_at = ma.fields.DateTime(allow_none=True)


class ImbalanceSchema(Output):
    """The sum of all balances of a currency, as the auditor last saw it: anything but zero is a breach."""

    currency = ma.fields.String()
    amount = amount_text()
    looked_at = ma.fields.DateTime()


class OverviewSchema(Output):
    """What was accepted and became of it, and what waits for whom."""

    at = ma.fields.DateTime()
    windows = ma.fields.List(ma.fields.Nested(OverviewWindowSchema))
    slot_seconds = ma.fields.Integer()
    slots = ma.fields.List(ma.fields.Nested(OverviewSlotSchema))
    counts = ma.fields.List(ma.fields.Nested(OverviewCountSchema))
    imbalances = ma.fields.List(ma.fields.Nested(ImbalanceSchema))
