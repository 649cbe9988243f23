"""Schemas of stuck and parked payments, of their selection, and of batches of retries."""

import re
from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import (
    Choice,
    ChoiceList,
    CurrencyCode,
    Id,
    Input,
    StrictField,
    Text,
    Timestamp,
    TrueOrFalse,
    WalletToken,
    WholeNumber,
)
from gateway.http.schemas import BoundedList, NestedInput, Output, PageQuery, amount_text, one_of
from gateway.lists.filters import CommaList, CountFilter
from models.audit import REASON_LENGTH_MAX
from models.batch import BatchOutcome, BatchState, SkipReason
from models.payment import LAST_ERROR_LENGTH_MAX
from models.payment_stuck import RETRIES_MAX, STUCK_SECONDS_MAX, StuckFilter
from models.rules.failure_codes import Failure
from models.rules.state import State
from models.rules.types import PaymentType

IDS_MAX = 1_000
"""Ids of a filter: a body of 64 KiB has room for no more than some hundred others."""

ATTEMPTS_MAX = 32_767
"""The range of the column."""

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


class SecondsParameter(StrictField):
    """A time in whole seconds, as a query parameter."""

    def __init__(self) -> None:
        super().__init__(metadata={"type": "integer", "minimum": 0, "maximum": STUCK_SECONDS_MAX})

    def read(self, text: str) -> int:
        if not _SECONDS.fullmatch(text) or int(text) > STUCK_SECONDS_MAX:
            raise self.refuse("invalid_value", f"Must be a whole number from 0 to {STUCK_SECONDS_MAX}.")
        return int(text)


class StuckCriteria(Input):
    """Base of the list and the selection of payments; one of stuck, parked and undecided selects those that wait."""

    is_required = True

    type = ChoiceList(PaymentType)
    state = ChoiceList(State)
    currency = CurrencyCode()
    created_from = Timestamp()
    created_before = Timestamp()
    error_prefix = Text(LAST_ERROR_LENGTH_MAX)
    error_contains = Text(LAST_ERROR_LENGTH_MAX)
    user = Id()
    merchant = Id()
    account = Id()
    wallet = WalletToken()
    bulk = Id()
    batch = Id()

    @ma.validates_schema
    def _has_one_criterion(self, data: dict[str, Any], **_: Any) -> None:
        criteria = data.keys() & {"stuck", "parked", "undecided"}
        if len(criteria) > 1 or (self.is_required and not criteria) or data.get("parked") is False:
            others = "parked: true" if self.is_required else "parked: true, undecided: true, or none of them"
            error = FieldError("invalid_value", f"Send exactly one of: stuck (in seconds), {others}.")
            raise ma.ValidationError({"stuck": [error]})


class OpsPaymentFilter(StuckCriteria):
    """Filters of payments, in any state or not posted in time."""

    is_required = False

    failure = ChoiceList(Failure)
    stuck = SecondsParameter()
    parked = Choice(["true"])
    undecided = Choice(["true"])
    attempts_min = CountFilter()
    attempts_max = CountFilter()
    ids = CommaList(Id())


class OpsPaymentQuery(OpsPaymentFilter, PageQuery):
    """Page and filters of payments, in any state or not posted in time."""


class RetryFilter(StuckCriteria):
    """The payments to retry, oldest first."""

    stuck = WholeNumber(STUCK_SECONDS_MAX)
    parked = TrueOrFalse()
    attempts_min = WholeNumber(ATTEMPTS_MAX)
    attempts_max = WholeNumber(ATTEMPTS_MAX)
    ids = BoundedList(Id(), IDS_MAX, length_min=1)
    limit = WholeNumber(RETRIES_MAX, 1, "limit_out_of_range", load_default=RETRIES_MAX)


def stuck_filter(query: dict[str, Any]) -> StuckFilter:
    """The filter of a query or body."""
    members = {"stuck_seconds": query.get("stuck"), "types": query.get("type", ()), "undecided": "undecided" in query}
    members |= {"is_of_all": query.keys().isdisjoint(("stuck", "parked", "undecided"))}
    members |= {"states": query.get("state", ()), "failures": query.get("failure", ())}
    members |= {f"{name}_id": query.get(name) for name in ("user", "merchant", "account", "bulk", "batch")}
    same = ("currency", "created_from", "created_before", "attempts_min", "attempts_max", "error_prefix")
    members |= {name: query.get(name) for name in (*same, "error_contains", "wallet", "ids")}
    return StuckFilter(**members)


class RetryInput(Input):
    """The reason for a retry."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class RetriesInput(Input):
    """Many payments to retry: a filter selects them, and the selection with a reason retries them."""

    filter = NestedInput(RetryFilter)
    dry_run = TrueOrFalse()
    selection = Id()
    reason = Text(REASON_LENGTH_MAX)

    @ma.validates_schema
    def _is_filter_or_selection(self, data: dict[str, Any], **_: Any) -> None:
        if "selection" in data:
            wrong = {"filter": "What the selection shows is retried; it takes no filter."} if "filter" in data else {}
            wrong |= {"dry_run": "A selection is retried; select with a filter."} if data.get("dry_run") else {}
            missing = "reason"
        else:
            wrong = {"dry_run": "Send the selection of a dry run instead."} if data.get("dry_run") is False else {}
            missing = "filter"
        errors = {name: [FieldError("invalid_value", text)] for name, text in wrong.items()}
        if missing not in data:
            errors[missing] = [FieldError("required", "This member is required.")]
        if errors:
            raise ma.ValidationError(errors)


class BatchItemQuery(PageQuery):
    """Page and filter of the payments of a batch."""

    outcome = ChoiceList(BatchOutcome)


class PaymentCountSchema(Output):
    """How many payments a filter selects; if it was not counted to the end, there are at least as many."""

    count = ma.fields.Integer()
    is_exact = ma.fields.Boolean()


class OpsPaymentSchema(Output):
    """A payment as ops see it in lists."""

    id = ma.fields.UUID()
    type = one_of(PaymentType)
    amount = amount_text()
    currency = ma.fields.String()
    user = ma.fields.UUID()
    created_at = ma.fields.DateTime()
    due_at = ma.fields.DateTime(allow_none=True)
    attempts = ma.fields.Integer()
    last_error = ma.fields.String(allow_none=True)
    parked_at = ma.fields.DateTime(allow_none=True)
    state = one_of(State)
    failure = ma.fields.String(allow_none=True)


class SelectionTotalSchema(Output):
    """The selected payments of a currency."""

    currency = ma.fields.String()
    count = ma.fields.Integer()
    amount = amount_text()


class SelectionErrorSchema(Output):
    """An error, and how many of the selected payments failed with it last."""

    error = ma.fields.String(allow_none=True)
    count = ma.fields.Integer()


class SelectionSchema(Output):
    """The payments that a filter selects; `has_more` if there are more than the limit."""

    selection = ma.fields.UUID(allow_none=True)
    expires_at = ma.fields.DateTime(allow_none=True)
    count = ma.fields.Integer()
    has_more = ma.fields.Boolean()
    totals = ma.fields.List(ma.fields.Nested(SelectionTotalSchema))
    oldest_created_at = ma.fields.DateTime(allow_none=True)
    errors = ma.fields.List(ma.fields.Nested(SelectionErrorSchema))
    payments = ma.fields.List(ma.fields.Nested(OpsPaymentSchema))


class BatchSchema(Output):
    """A batch: who retries which payments and why, and how far it is."""

    id = ma.fields.UUID()
    state = one_of(BatchState)
    user = ma.fields.UUID(allow_none=True)
    reason = ma.fields.String()
    filter = ma.fields.Dict(keys=ma.fields.String())
    total = ma.fields.Integer()
    waiting = ma.fields.Integer()
    retried = ma.fields.Integer()
    skipped = ma.fields.Integer()
    created_at = ma.fields.DateTime()
    ended_at = ma.fields.DateTime(allow_none=True)
    stopped_at = ma.fields.DateTime(allow_none=True)
    stopped_by = ma.fields.UUID(allow_none=True)
    stop_reason = ma.fields.String(allow_none=True)


class BatchOutcomesSchema(Output):
    """The number of payments of a batch by their outcome."""

    waiting = ma.fields.Integer()
    retried = ma.fields.Integer()
    completed = ma.fields.Integer()
    failed = ma.fields.Integer()
    parked = ma.fields.Integer()
    skipped = ma.fields.Integer()


class BatchDetailSchema(BatchSchema):
    """A batch with the number of its payments by outcome."""

    outcomes = ma.fields.Nested(BatchOutcomesSchema)


class BatchItemSchema(Output):
    """A payment of a batch and its outcome."""

    payment = ma.fields.UUID()
    outcome = one_of(BatchOutcome)
    skip_reason = ma.fields.String(allow_none=True, metadata={"enum": [*SkipReason, None]})
    decided_at = ma.fields.DateTime(allow_none=True)
    type = one_of(PaymentType)
    amount = amount_text()
    currency = ma.fields.String()
    state = one_of(State)
    failure = ma.fields.String(allow_none=True)
    last_error = ma.fields.String(allow_none=True)
