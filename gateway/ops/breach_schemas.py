"""Schemas of breaches."""

import marshmallow as ma

from gateway.http.fields import Choice, Input, Text
from gateway.http.schemas import Output, PageQuery
from models.audit import REASON_LENGTH_MAX


class BreachQuery(PageQuery):
    """Page and filter of breaches."""

    open = Choice(["true"])


class AcknowledgeInput(Input):
    """The reason for an acknowledgement: what is known about the breach."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class BreachSchema(Output):
    """A row that breaks an invariant of the books."""

    id = ma.fields.String()
    invariant = ma.fields.String(metadata={"description": "The invariant that is broken, as a sentence."})
    subject = ma.fields.String(
        metadata={
            "description": "What breaks it: a payment's id with the line of its operation, an account's id, a batch."
        }
    )
    details = ma.fields.Dict(
        keys=ma.fields.String(), metadata={"description": "The row that breaks the invariant, its values as texts."}
    )
    found_at = ma.fields.DateTime(metadata={"description": "When it was found."})
    healed_at = ma.fields.DateTime(
        allow_none=True, metadata={"description": "When it was not found any more; null until then."}
    )
    acknowledged_at = ma.fields.DateTime(
        allow_none=True, metadata={"description": "When ops acknowledged the breach; null until then."}
    )
    acknowledged_by = ma.fields.String(
        allow_none=True, metadata={"description": "Who acknowledged it: the id of an ops user, or the shell."}
    )
    reason = ma.fields.String(
        allow_none=True, metadata={"description": "What ops know about it; null until it is acknowledged."}
    )
