"""Schemas of saved views."""

import marshmallow as ma

from gateway.http.fields import ChangeInput, Choice, Input, SingleSpacedText, Text, TrueOrFalse
from gateway.http.schemas import Output, PageQuery, one_of
from models.rules.saved_views import LISTS, NAME_LENGTH_MAX, QUERY_LENGTH_MAX


class SavedViewQuery(PageQuery):
    """Page and filter of saved views."""

    list = Choice(LISTS)


class SavedViewInput(Input):
    """A list and the query of its URL, to be kept under a name."""

    list = Choice(LISTS, required=True)
    name = SingleSpacedText(NAME_LENGTH_MAX, required=True)
    query = Text(QUERY_LENGTH_MAX, required=True)
    is_shared = TrueOrFalse(load_default=False)


class SavedViewChange(ChangeInput):
    """Another name or query, or another choice of who sees it."""

    name = SingleSpacedText(NAME_LENGTH_MAX)
    query = Text(QUERY_LENGTH_MAX)
    is_shared = TrueOrFalse()


class SavedViewSchema(Output):
    """A list with a query under a name."""

    id = ma.fields.UUID()
    user = ma.fields.UUID(allow_none=True)
    owner = ma.fields.String(allow_none=True)
    list = one_of(LISTS)
    name = ma.fields.String()
    query = ma.fields.String()
    is_shared = ma.fields.Boolean()
    created_at = ma.fields.DateTime()
