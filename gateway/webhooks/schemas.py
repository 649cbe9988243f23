"""Schemas of webhook endpoints and of deliveries to them."""

from collections.abc import Iterable
from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import (
    ChangeInput,
    Choice,
    ChoiceList,
    Input,
    StrictField,
    Text,
    Timestamp,
    TrueOrFalse,
    WholeNumber,
)
from gateway.http.schemas import Output, PageQuery, one_of
from models.event import NAMES
from models.rules.types import PaymentType
from models.rules.webhook_url import URL_LENGTH_MAX
from models.webhook_delivery import DeliveryState
from models.webhook_endpoint import EVENT_TYPES

DESCRIPTION_LENGTH_MAX = 200

OVERLAP_SECONDS_MAX = 7 * 24 * 3600
"""A week is enough to deploy a new secret to every receiver."""

OVERLAP_SECONDS_DEFAULT = 24 * 3600


class TypeList(ma.fields.Field):
    """A list of types, each once; `noun` names them in errors."""

    make_error = StrictField.make_error

    def __init__(self, noun: str, types: Iterable[str], example: str, **kwargs: Any) -> None:
        self.noun, self.types = noun, tuple(str(one) for one in types)
        items = {"type": "string", "enum": list(self.types)}
        metadata = {"type": "array", "items": items, "uniqueItems": True, "minItems": 1, "example": [example]}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        if type(value) is not list or not all(type(name) is str for name in value):
            raise ma.ValidationError([FieldError("invalid_type", f"Must be a list of {self.noun}.")])
        if not value or len(set(value)) != len(value) or not set(self.types).issuperset(value):
            detail = f"Must have at least one, each once, of: {', '.join(self.types)}."
            raise ma.ValidationError([FieldError("invalid_value", detail)])
        return value


class EventTypes(TypeList):
    """Types of events, or prefixes such as payment.*."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("event types", EVENT_TYPES, "payment.*", **kwargs)


class PaymentTypes(TypeList):
    """Types of payments."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("types of payments", PaymentType, "refund", **kwargs)


class ReceiverUrl(Text):
    """The URL to send events to; `check_url` decides whether it is allowed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(URL_LENGTH_MAX, **kwargs)
        self.metadata = {**self.metadata, "format": "uri"}


class EndpointInput(Input):
    """A webhook endpoint to create."""

    url = ReceiverUrl(required=True)
    event_types = EventTypes(required=True)
    payment_types = PaymentTypes()
    description = Text(DESCRIPTION_LENGTH_MAX)


class EndpointChange(ChangeInput):
    """Changes to a webhook endpoint; null removes the description, or asks for all types of payments."""

    url = ReceiverUrl()
    event_types = EventTypes()
    payment_types = PaymentTypes(allow_none=True)
    description = Text(DESCRIPTION_LENGTH_MAX, allow_none=True)
    is_active = TrueOrFalse()


class SecretRotationInput(Input):
    """The time for which the previous secret signs too."""

    overlap_seconds = WholeNumber(OVERLAP_SECONDS_MAX, load_default=OVERLAP_SECONDS_DEFAULT)


class PingInput(Input):
    """An empty object."""


class RedeliveryInput(Input):
    """An empty object."""


class DeliveryStates(ma.fields.List):
    """A list of delivery states, without duplicates."""

    make_error = StrictField.make_error

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"uniqueItems": True, "minItems": 1}
        super().__init__(Choice(DeliveryState), metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise ma.ValidationError([FieldError("invalid_type", "A list is expected.")])
        if not 0 < len(value) <= len(DeliveryState):
            raise ma.ValidationError([FieldError("invalid_value", f"Must be 1 to {len(DeliveryState)} states.")])
        return super()._deserialize(value, *args, **kwargs)


class RangeInput(Input):
    """Deliveries to send again: events from a time (inclusive) to another (exclusive), with delivery states."""

    since = Timestamp(data_key="from", required=True)
    until = Timestamp(data_key="to", required=True)
    states = DeliveryStates(load_default=[DeliveryState.FAILED.value])

    @ma.validates_schema
    def _is_in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data["since"] >= data["until"]:
            raise ma.ValidationError({"to": [FieldError("invalid_value", "Must be after `from`.")]})


class DeliveryQuery(PageQuery):
    """Page and filters of the deliveries of an endpoint."""

    state = ChoiceList(DeliveryState)
    type = ChoiceList(NAMES)


class EndpointSchema(Output):
    """A webhook endpoint; `disabled_reason` says why it was disabled automatically, null if its owner did it."""

    id = ma.fields.UUID()
    url = ma.fields.String()
    event_types = ma.fields.List(ma.fields.String())
    payment_types = ma.fields.List(one_of(PaymentType), allow_none=True)
    description = ma.fields.String(allow_none=True)
    is_active = ma.fields.Boolean()
    disabled_reason = ma.fields.String(allow_none=True, metadata={"enum": ["gone", "failing", None]})
    failing_since = ma.fields.DateTime(allow_none=True)
    created_at = ma.fields.DateTime()


class NewEndpointSchema(EndpointSchema):
    """A webhook endpoint with its newest secret, which is shown only once."""

    secret = ma.fields.String()


class PingSchema(Output):
    """A ping that will be sent; `deliveries` lists its delivery."""

    type = one_of(["ping"])
    endpoint = ma.fields.UUID()
    deliveries = ma.fields.String()


class DeliverySchema(Output):
    """A delivery of an event to an endpoint: `event` is its id, `subject` what it is about, at that `version`."""

    id = ma.fields.UUID()
    endpoint = ma.fields.UUID()
    event = ma.fields.String()
    type = one_of(NAMES)
    subject = ma.fields.UUID()
    version = ma.fields.Integer()
    occurred_at = ma.fields.DateTime()
    state = one_of(DeliveryState)
    attempts = ma.fields.Integer()
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    last_status = ma.fields.Integer(allow_none=True)
    last_error = ma.fields.String(allow_none=True)
    last_reason = ma.fields.String(allow_none=True)
    last_milliseconds = ma.fields.Integer(allow_none=True)
    last_answer = ma.fields.String(allow_none=True)
    finished_at = ma.fields.DateTime(allow_none=True)
    created_at = ma.fields.DateTime()


class TrySchema(Output):
    """An attempt: the HTTP status and the beginning of the response, or the kind of failure."""

    attempt = ma.fields.Integer()
    status = ma.fields.Integer(allow_none=True)
    error = ma.fields.String(allow_none=True)
    reason = ma.fields.String(allow_none=True)
    milliseconds = ma.fields.Integer()
    answer = ma.fields.String(allow_none=True)
    created_at = ma.fields.DateTime()


class WholeDeliverySchema(DeliverySchema):
    """A delivery with its attempts, oldest first."""

    tries = ma.fields.List(ma.fields.Nested(TrySchema))


class RedeliveredSchema(Output):
    """The number of deliveries sent again; `has_more` if another call is needed for the rest."""

    redelivered = ma.fields.Integer()
    has_more = ma.fields.Boolean()
