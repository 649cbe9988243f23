"""The shapes of events and of the steps of a payment."""

import marshmallow as ma

from gateway.http.fields import Input, StrictField
from gateway.http.page_fields import LIMIT_DEFAULT, CursorField, LimitField
from gateway.http.schemas import FailureSchema, Output, one_of
from models.event import NAMES
from models.payment_command import CommandOutcome
from models.payment_timeline import Step, TimelineActor

NEWEST = "now"
"""Instead of a cursor: only what happens from now on."""

TOLD = tuple(name for name in NAMES if name != "ping")
"""What a page of events may have: a ping concerns nobody but its endpoint."""


class EventTypeFilter(StrictField):
    """A comma list of names of events, or their beginnings with an asterisk, as the names that are meant."""

    def __init__(self) -> None:
        description = f"Comma list of {', '.join(TOLD)}, or their beginnings such as payment.*."
        super().__init__(metadata={"description": description, "example": "payment.*"})

    def read(self, text: str) -> set[str]:
        given = text.split(",")
        beginnings = {name.partition(".")[0] + ".*" for name in TOLD} | {"*"}
        if not beginnings.union(TOLD).issuperset(given):
            raise self.refuse("invalid_value", f"A comma list of: {', '.join((*TOLD, *sorted(beginnings)))}.")
        return {name for name in TOLD if {name, name.partition(".")[0] + ".*", "*"} & set(given)}


class EventQuery(Input):
    """Which events."""

    limit = LimitField(load_default=LIMIT_DEFAULT)
    after = CursorField(description=f"The next_cursor of before, or {NEWEST}: only what happens from now on.")
    type = EventTypeFilter()


class EventSchema(Output):
    """Something that happened, and the payment, bulk or webhook endpoint that it is about, as it is now."""

    id = ma.fields.String()
    type = one_of(TOLD)
    timestamp = ma.fields.DateTime()
    version = ma.fields.Integer()
    data = ma.fields.Dict(keys=ma.fields.String())


class EventPageSchema(Output):
    """Events, oldest first; the next_cursor is always there."""

    data = ma.fields.List(ma.fields.Nested(EventSchema))
    has_more = ma.fields.Boolean()
    next_cursor = ma.fields.String()


class StepSchema(Output):
    """A step of a payment; ids, reasons and errors of others are for ops and auditors."""

    at = ma.fields.DateTime()
    step = one_of(Step)
    actor = one_of(TimelineActor)
    actor_id = ma.fields.UUID(allow_none=True)
    attempt = ma.fields.Integer(allow_none=True)
    waited_seconds = ma.fields.Float(allow_none=True)
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    outcome = ma.fields.String(allow_none=True, metadata={"enum": [*CommandOutcome, None]})
    reason = ma.fields.String(allow_none=True)
    error = ma.fields.String(allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    payment = ma.fields.UUID(allow_none=True)
