"""Schemas of open items and of who took them."""

import marshmallow as ma

from gateway.http.fields import Choice, ChoiceList, Id, Input, Text
from gateway.http.schemas import Output, PageQuery, one_of
from gateway.ops.pause_schemas import InForceFilter
from models.audit import REASON_LENGTH_MAX
from models.open_item import KINDS

SUBJECT_LENGTH_MAX = 100


class OpenItemQuery(Input):
    """The kinds of items."""

    kind = ChoiceList(KINDS)


class OpenItemSchema(Output):
    """What no machine goes on with, and who took it."""

    kind = one_of(KINDS)
    subject = ma.fields.String()
    since = ma.fields.DateTime(allow_none=True)
    label = ma.fields.String()
    assignment = ma.fields.UUID(allow_none=True)
    taken_by = ma.fields.UUID(allow_none=True)
    taken_by_name = ma.fields.String(allow_none=True)
    taken_at = ma.fields.DateTime(allow_none=True)


class AssignmentInput(Input):
    """The item to take, and why."""

    kind = Choice(KINDS, required=True)
    subject = Text(SUBJECT_LENGTH_MAX, required=True)
    reason = Text(REASON_LENGTH_MAX)


class GiveBackInput(Input):
    """Why it is given back."""

    reason = Text(REASON_LENGTH_MAX)


class AssignmentQuery(PageQuery):
    """Page and filters of assignments."""

    user = Id()
    in_force = InForceFilter()


class AssignmentSchema(Output):
    """Who took an open item, and gave it back."""

    id = ma.fields.UUID()
    kind = one_of(KINDS)
    subject = ma.fields.String()
    since = ma.fields.DateTime()
    reason = ma.fields.String(allow_none=True)
    taken_by = ma.fields.UUID(allow_none=True)
    taken_at = ma.fields.DateTime()
    given_by = ma.fields.UUID(allow_none=True)
    given_at = ma.fields.DateTime(allow_none=True)
    given_reason = ma.fields.String(allow_none=True)
