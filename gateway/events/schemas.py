"""Schemas of events and of the steps of a payment."""

import marshmallow as ma

from gateway.http.fields import ChoiceList, Input, StrictField
from gateway.http.page_fields import LIMIT_DEFAULT, CursorField, LimitField
from gateway.http.schemas import Output, one_of
from models.event import NAMES
from models.rules.types import PaymentType

NEWEST = "now"
"""In place of a cursor: only events from now on."""

FEED_NAMES = tuple(name for name in NAMES if name != "ping")
"""The event types of the feed: a ping is sent only to its endpoint."""


class EventTypeFilter(StrictField):
    """A comma-separated list of event types or prefixes such as payment.*, read as the set of types."""

    def __init__(self) -> None:
        description = f"Comma-separated list of {', '.join(FEED_NAMES)}, or prefixes such as payment.*."
        super().__init__(metadata={"description": description, "example": "payment.*"})

    def read(self, text: str) -> set[str]:
        names = text.split(",")
        prefixes = {name.partition(".")[0] + ".*" for name in FEED_NAMES} | {"*"}
        if not prefixes.union(FEED_NAMES).issuperset(names):
            raise self.refuse(
                "invalid_value", f"Must be a comma-separated list of: {', '.join((*FEED_NAMES, *sorted(prefixes)))}."
            )
        return {name for name in FEED_NAMES if {name, name.partition(".")[0] + ".*", "*"} & set(names)}


class EventQuery(Input):
    """Page and filter of the event feed."""

    limit = LimitField(load_default=LIMIT_DEFAULT)
    after = CursorField(description=f"The next_cursor of the previous page, or {NEWEST} for only events from now on.")
    type = EventTypeFilter()
    payment_type = ChoiceList(PaymentType)


class EventSchema(Output):
    """An event, and the current state of the payment, bulk or webhook endpoint that it is about."""

    id = ma.fields.String()
    type = one_of(FEED_NAMES)
    timestamp = ma.fields.DateTime()
    version = ma.fields.Integer()
    data = ma.fields.Dict(keys=ma.fields.String())


class EventPageSchema(Output):
    """A page of events, oldest first; next_cursor is always present."""

    data = ma.fields.List(ma.fields.Nested(EventSchema))
    has_more = ma.fields.Boolean()
    next_cursor = ma.fields.String()
