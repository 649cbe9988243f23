"""Base classes and shared schemas of requests and responses."""

from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import Input, StrictField
from gateway.http.page_fields import LIMIT_DEFAULT, CursorField, LimitField
from models.rules.failure_codes import Failure


class PageQuery(Input):
    """The query of a paginated list."""

    limit = LimitField(load_default=LIMIT_DEFAULT)
    cursor = CursorField()


def amount_text(description: str | None = None, **kwargs: object) -> ma.fields.String:
    """An amount in a response."""
    metadata = {"description": description} if description else {}
    return ma.fields.String(metadata={"pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", **metadata}, **kwargs)  # type: ignore[arg-type]


def one_of(values: object, **kwargs: object) -> ma.fields.String:
    """A string in a response that is one of these values."""
    return ma.fields.String(metadata={"enum": [str(value) for value in values]}, **kwargs)  # type: ignore[attr-defined, arg-type]


class NestedInput(ma.fields.Nested):
    """An object within a request body."""

    make_error = StrictField.make_error


class BoundedList(ma.fields.List):
    """A JSON list with `length_min` to `length_max` values."""

    make_error = StrictField.make_error

    def __init__(self, inner: ma.fields.Field, length_max: int, length_min: int = 0, **kwargs: Any) -> None:
        least = {"minItems": length_min} if length_min else {}
        super().__init__(inner, metadata={**least, "maxItems": length_max}, **kwargs)
        self.length_min, self.length_max = length_min, length_max

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise ma.ValidationError([FieldError("invalid_type", "A list is expected.")])
        if not self.length_min <= len(value) <= self.length_max:
            least = f"At least {self.length_min}, at most" if self.length_min else "At most"
            raise ma.ValidationError([FieldError("invalid_value", f"{least} {self.length_max}.")])
        return super()._deserialize(value, *args, **kwargs)


class Output(ma.Schema):
    """A response: every member is always present; members may be added later."""

    class Meta:
        unknown = ma.EXCLUDE

    def on_bind_field(self, _: str, field: ma.fields.Field) -> None:
        field.required = True


class FailureSchema(Output):
    """The reason why a payment FAILED."""

    code = one_of(Failure)
    message = ma.fields.String()
    retryable = ma.fields.Boolean()


class PageSchema(Output):
    """The members of every page; `page_of` adds `data`."""

    has_more = ma.fields.Boolean()
    next_cursor = ma.fields.String(allow_none=True)
    prev_cursor = ma.fields.String(allow_none=True)


def page_of(row: type[Output]) -> type[ma.Schema]:
    """The schema of a page of these rows."""
    name = row.__name__.replace("Schema", "PageSchema")
    return type(name, (PageSchema,), {"data": ma.fields.List(ma.fields.Nested(row))})


class FlawSchema(ma.Schema):
    """One invalid value, by its pointer in the body or the name of its parameter."""

    class Meta:
        unknown = ma.EXCLUDE

    pointer = ma.fields.String()
    parameter = ma.fields.String()
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)


class ProblemSchema(Output):
    """An error (RFC 9457)."""

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
    batch = ma.fields.UUID()
    lines = ma.fields.Integer(metadata={"description": "After an incomplete upload: how many lines the bulk has."})

    def on_bind_field(self, name: str, field: ma.fields.Field) -> None:
        field.required = name not in ("payment", "batch", "lines")


class CounterpartySchema(Output):
    """The other party of a payment."""

    name = ma.fields.String()
    last4 = ma.fields.String(allow_none=True)
