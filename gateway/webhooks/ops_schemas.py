"""Schemas of webhook endpoints of all users, and of sending again, for ops."""

import marshmallow as ma

from gateway.http.fields import ChoiceList, Id, Input, Text
from gateway.http.schemas import Output, PageQuery, one_of
from gateway.webhooks.schemas import EndpointSchema, RangeInput
from models.audit import REASON_LENGTH_MAX
from models.ops_webhook import EndpointState


class OpsEndpointQuery(PageQuery):
    """Page and filters of endpoints."""

    state = ChoiceList(EndpointState)
    user = Id()


class OpenDeliveriesSchema(Output):
    """How many deliveries wait or were given up, counted up to 1,000."""

    pending = ma.fields.Integer()
    failed = ma.fields.Integer()


class OpsEndpointSchema(EndpointSchema):
    """A webhook endpoint, its owner, and its deliveries that did not arrive."""

    user = ma.fields.UUID()
    owner = ma.fields.String()
    state = one_of(EndpointState)
    deliveries = ma.fields.Nested(OpenDeliveriesSchema)
    next_attempt_at = ma.fields.DateTime(allow_none=True)


class OpsRedeliveryInput(Input):
    """The reason to send it again."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class OpsRangeInput(RangeInput):
    """Deliveries to send again, and the reason."""

    reason = Text(REASON_LENGTH_MAX, required=True)
