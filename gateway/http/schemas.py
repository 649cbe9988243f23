"""The contract's shapes: what may be sent, and what is answered."""

import marshmallow as ma

from gateway.http.fields import Input, StrictField
from gateway.http.page_fields import LIMIT_DEFAULT, CursorField, LimitField
from models.rules.failure_codes import Failure


class PageQuery(Input):
    """Which page of a list."""

    limit = LimitField(load_default=LIMIT_DEFAULT)
    cursor = CursorField()


def amount_text(description: str | None = None, **kwargs: object) -> ma.fields.String:
    """An amount, as it is answered."""
    told = {"description": description} if description else {}
    return ma.fields.String(metadata={"pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", **told}, **kwargs)  # type: ignore[arg-type]


def one_of(words: object, **kwargs: object) -> ma.fields.String:
    """A string that is one of a few words."""
    return ma.fields.String(metadata={"enum": [str(word) for word in words]}, **kwargs)  # type: ignore[attr-defined, arg-type]


class NestedInput(ma.fields.Nested):
    """An object within a body."""

    make_error = StrictField.make_error


class Output(ma.Schema):
    """An answer: every member is always there; later ones may be added."""

    class Meta:
        unknown = ma.EXCLUDE

    def on_bind_field(self, _: str, field: ma.fields.Field) -> None:
        field.required = True


class FailureSchema(Output):
    """Why a payment FAILED."""

    code = one_of(Failure)
    message = ma.fields.String()
    retryable = ma.fields.Boolean()


class PageSchema(Output):
    """The frame of every list; `data` is added by `page_of`."""

    has_more = ma.fields.Boolean()
    next_cursor = ma.fields.String(allow_none=True)
    prev_cursor = ma.fields.String(allow_none=True)


def page_of(row: type[Output]) -> type[ma.Schema]:
    """The schema of a page of such rows."""
    name = row.__name__.replace("Schema", "PageSchema")
    return type(name, (PageSchema,), {"data": ma.fields.List(ma.fields.Nested(row))})


class FlawSchema(ma.Schema):
    """One wrong value, by its place in the body or the name of its parameter."""

    class Meta:
        unknown = ma.EXCLUDE

    pointer = ma.fields.String()
    parameter = ma.fields.String()
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)


class ProblemSchema(Output):
    """A refusal (RFC 9457)."""

    type = ma.fields.String()
    title = ma.fields.String()
    status = ma.fields.Integer()
    detail = ma.fields.String()
    instance = ma.fields.String()
    code = ma.fields.String()
    errors = ma.fields.List(ma.fields.Nested(FlawSchema))
    request_id = ma.fields.String()
    retryable = ma.fields.Boolean()
    payment = ma.fields.UUID(metadata={"description": "With duplicate_reference: the id of the payment that has it."})
    lines = ma.fields.Integer(metadata={"description": "Of an upload that ended early: how many lines the bulk has."})

    def on_bind_field(self, name: str, field: ma.fields.Field) -> None:
        field.required = name not in ("payment", "lines")


class CounterpartySchema(Output):
    """Who stands at the other side."""

    name = ma.fields.String()
    last4 = ma.fields.String(allow_none=True)
