"""The contract's shapes: what may be sent, and what is answered."""

import marshmallow as ma

from gateway.http.fields import Input, StrictField
from gateway.http.page_fields import LIMIT_DEFAULT, CursorField, LimitField
from models.health import KINDS
from models.rules.failure_codes import Failure
from models.rules.state import State
from models.rules.types import OperationKind, PaymentType


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


class SideSchema(Output):
    """One side of a payment."""

    wallet = ma.fields.String(allow_none=True)
    name = ma.fields.String()
    last4 = ma.fields.String(allow_none=True)


class FailureSchema(Output):
    """Why a payment FAILED."""

    code = one_of(Failure)
    message = ma.fields.String()
    retryable = ma.fields.Boolean()


class PaymentSchema(Output):
    """A payment, in whatever state."""

    id = ma.fields.UUID()
    type = one_of(PaymentType)
    state = one_of(State)
    source = ma.fields.Nested(SideSchema)
    target = ma.fields.Nested(SideSchema)
    amount = amount_text(allow_none=True)
    currency = ma.fields.String()
    commission = amount_text(allow_none=True)
    target_amount = amount_text(allow_none=True)
    target_currency = ma.fields.String()
    rate = ma.fields.String(allow_none=True)
    summary = ma.fields.String(allow_none=True)
    reference = ma.fields.String(allow_none=True)
    reason = ma.fields.String(allow_none=True)
    metadata = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    attempts = ma.fields.Integer()
    next_attempt_at = ma.fields.DateTime(allow_none=True)
    captured_amount = amount_text(allow_none=True)
    refunded_amount = amount_text(allow_none=True)
    merchant = ma.fields.UUID(allow_none=True)
    balance_after = amount_text(allow_none=True)
    parent = ma.fields.UUID(allow_none=True)
    bulk = ma.fields.UUID(allow_none=True)
    scheduled_at = ma.fields.DateTime(allow_none=True)
    expires_at = ma.fields.DateTime(allow_none=True)
    created_at = ma.fields.DateTime()
    finalized_at = ma.fields.DateTime(allow_none=True)


class OperationSchema(Output):
    """One side of the double entry; negative where money left the account."""

    line = ma.fields.Integer()
    account = ma.fields.Nested(SideSchema)
    amount = amount_text()
    currency = ma.fields.String()
    kind = one_of(OperationKind)
    balance_after = amount_text(allow_none=True)
    created_at = ma.fields.DateTime()


class CurrencySchema(Output):
    """A currency; minimum and maximum of one payment, and what a wallet that is opened now may hold at most."""

    code = ma.fields.String()
    digits = ma.fields.Integer()
    kind = one_of(["fiat", "crypto", "custom"])
    name = ma.fields.String()
    minimum = amount_text(allow_none=True)
    maximum = amount_text(allow_none=True)
    balance_maximum = amount_text(allow_none=True)
    is_active = ma.fields.Boolean()


class PageSchema(Output):
    """The frame of every list; `data` is added by `page_of`."""

    has_more = ma.fields.Boolean()
    next_cursor = ma.fields.String(allow_none=True)
    prev_cursor = ma.fields.String(allow_none=True)


def page_of(row: type[Output]) -> type[ma.Schema]:
    """The schema of a page of such rows."""
    name = row.__name__.replace("Schema", "PageSchema")
    return type(name, (PageSchema,), {"data": ma.fields.List(ma.fields.Nested(row))})


class HealthSchema(Output):
    """A process that answers."""

    status = one_of(["ok"])


class WorkerSchema(Output):
    """A worker and when it was last seen."""

    name = ma.fields.String()
    age_seconds = ma.fields.Float()
    is_fresh = ma.fields.Boolean()


class HealthProblemSchema(Output):
    """Something that is wrong, and the command that helps."""

    code = one_of(KINDS)
    detail = ma.fields.String()
    command = ma.fields.String()


class StatusSchema(Output):
    """Whether payments are accepted, and how fast they are being posted."""

    status = one_of(["ok", "degraded"])
    database = one_of(["ok", "read_only"])
    broker = one_of(["ok", "away"])
    workers = ma.fields.List(ma.fields.Nested(WorkerSchema))
    waiting = ma.fields.Integer()
    oldest_due_seconds = ma.fields.Float()
    problems = ma.fields.List(ma.fields.Nested(HealthProblemSchema))


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
