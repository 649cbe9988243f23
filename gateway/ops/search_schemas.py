"""Schemas of the search."""

import marshmallow as ma

from gateway.http.fields import Input, Text
from gateway.http.schemas import Output, one_of
from models.ops_search import HITS_MAX, QUERY_LENGTH_MAX, HitKind, MatchedBy


class SearchQuery(Input):
    """The text to find."""

    q = Text(QUERY_LENGTH_MAX, required=True)


class SearchHitSchema(Output):
    """Something that has the text as one of its names."""

    kind = one_of(HitKind)
    id = ma.fields.String(metadata={"description": "Its id; of an entry of the audit log a number."})
    matched_by = one_of(MatchedBy)
    label = ma.fields.String()
    path = ma.fields.String()


class SearchSchema(Output):
    """What was found, the most exact hit first."""

    data = ma.fields.List(ma.fields.Nested(SearchHitSchema), metadata={"maxItems": HITS_MAX})
    has_more = ma.fields.Boolean()
