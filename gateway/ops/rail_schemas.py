"""Schemas of rails and their files."""

import marshmallow as ma

from gateway.http.fields import ChoiceList
from gateway.http.schemas import Output, PageQuery, one_of
from models.rail import FILE_STATES


class RailFilesSchema(Output):
    """How many files were exchanged with the bank within a day."""

    written = ma.fields.Integer()
    read = ma.fields.Integer()
    broken = ma.fields.Integer()


class RailSchema(Output):
    """A connection to a bank, and its payouts that have no final answer."""

    rail = ma.fields.String(allow_none=True)
    to_tell = ma.fields.Integer()
    told = ma.fields.Integer()
    received = ma.fields.Integer()
    undecided = ma.fields.Integer()
    asked = ma.fields.Integer()
    oldest_at = ma.fields.DateTime(allow_none=True)
    is_exact = ma.fields.Boolean()
    pause = ma.fields.UUID(allow_none=True)
    updates_read_at = ma.fields.DateTime(allow_none=True)
    files = ma.fields.Nested(RailFilesSchema)


class RailFileQuery(PageQuery):
    """Page and filter of the files of a rail."""

    state = ChoiceList(FILE_STATES)


class RailFileSchema(Output):
    """A file that was written for a bank, or read of what it sent."""

    id = ma.fields.UUID()
    rail = ma.fields.String()
    state = one_of(FILE_STATES)
    name = ma.fields.String()
    items = ma.fields.Integer(allow_none=True)
    noted_at = ma.fields.DateTime()
    bytes = ma.fields.Integer(allow_none=True)
    sha256 = ma.fields.String(allow_none=True)
