"""What lists and statements are asked for, and the rows of a wallet's history."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import marshmallow as ma

from gateway.fields import (
    LIST_ITEMS_MAX,
    METADATA_TEXT_LENGTH_MAX,
    YEAR_MAX,
    YEAR_MIN,
    Amount,
    Choice,
    CurrencyCode,
    Id,
    Metadata,
    Moment,
    Strict,
    Text,
    WalletToken,
    Words,
)
from gateway.order_schemas import REFERENCE_LENGTH_MAX, REFUND_REASONS, SUMMARY_LENGTH_MAX
from gateway.schemas import FailureSchema, Input, Output, PageQuery, amount_text, one_of
from models.keyset import OPERATORS
from models.payment_list import BOUNDED
from models.rules.failure import Failure
from models.rules.state import State
from models.rules.values import PaymentType

METADATA = "metadata[key]"
_MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_METADATA_NAME = re.compile(r"metadata\[(.+)\]", re.DOTALL)


class Several(Strict):
    """A comma list of values of one kind, as a query parameter."""

    def __init__(self, one: Strict) -> None:
        super().__init__(metadata={"description": "Comma list."})
        self.one = one

    def read(self, text: str) -> list[str]:
        given = text.split(",", LIST_ITEMS_MAX)
        if len(given) > LIST_ITEMS_MAX:
            raise self.refuse("invalid_value", f"At most {LIST_ITEMS_MAX} values.")
        return sorted({self.one.read(item) for item in given})


class Labels(Metadata):
    """The members of `metadata` that are asked for, each a query parameter of its own."""

    def __init__(self) -> None:
        super().__init__(data_key=METADATA)
        self.metadata = {
            **{"type": "string", "maxLength": METADATA_TEXT_LENGTH_MAX},
            "description": "This text under the name `key`; only of payments that you ordered.",
        }


def _ranged(name: str, field: type[Strict]) -> dict[str, Any]:
    """A parameter for each way in which the value may be bounded."""
    return {f"{name}[{word}]": field() for word in OPERATORS}


_PaymentRanges: Any = PageQuery.from_dict(
    {
        **_ranged("created_at", Moment),
        **{
            name: field
            for name in BOUNDED
            for name, field in _ranged(name, Amount if name == "amount" else Moment).items()
        },
    }
)
_HistoryRanges: Any = PageQuery.from_dict({**_ranged("created_at", Moment), **_ranged("amount", Amount)})


class PaymentQuery(_PaymentRanges):
    """Which payments, and in which order."""

    state = Words(State)
    type = Words(PaymentType)
    wallet = WalletToken()
    currency = Several(CurrencyCode())
    reference = Text(REFERENCE_LENGTH_MAX)
    summary = Text(SUMMARY_LENGTH_MAX)
    parent = Several(Id())
    reason = Words(REFUND_REASONS)
    failure = Words(Failure)
    labels = Labels()
    sort = Choice(("created_at", "amount"), load_default="created_at")

    @ma.pre_load
    def _gather_labels(self, given: Mapping[str, str], **_: Any) -> dict[str, Any]:
        found = {name: named[1] for name in given if (named := _METADATA_NAME.fullmatch(name))}
        rest: dict[str, Any] = {name: text for name, text in given.items() if name not in found}
        return {**rest, METADATA: {key: given[name] for name, key in found.items()}} if found else rest


class HistoryQuery(_HistoryRanges):
    """Which rows of a wallet's history; amounts whatever their sign."""

    success = Words(("true", "false"))
    type = Words(PaymentType)
    direction = Words(("in", "out"))


class BalanceQuery(Input):
    """When."""

    at = Moment(required=True)


class CounterpartySchema(Output):
    """Who stands at the other side."""

    name = ma.fields.String()
    last4 = ma.fields.String(allow_none=True)


class HistoryRowSchema(Output):
    """What a decided payment did to the wallet, commission folded in; or, without success, what it would have."""

    payment = ma.fields.UUID()
    type = one_of(PaymentType)
    success = ma.fields.Boolean()
    amount = amount_text()
    currency = ma.fields.String()
    commission = amount_text(allow_none=True)
    balance_after = amount_text(allow_none=True)
    counterparty = ma.fields.Nested(CounterpartySchema)
    summary = ma.fields.String(allow_none=True)
    reference = ma.fields.String(allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    created_at = ma.fields.DateTime()
    finalized_at = ma.fields.DateTime()


class BalanceSchema(Output):
    """What a wallet held at a time."""

    wallet = ma.fields.String()
    balance = amount_text()
    currency = ma.fields.String()
    at = ma.fields.DateTime()


class Month(Strict):
    """A month as YYYY-MM; the time at which it begins, in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{_MONTH.pattern}$", "example": "2026-11"}, **kwargs)

    def read(self, text: str) -> datetime:
        if not _MONTH.fullmatch(text) or not YEAR_MIN <= int(text[:4]) <= YEAR_MAX:
            raise self.refuse("invalid_value", "A month, such as 2026-11.")
        return datetime.fromisoformat(f"{text}-01T00:00:00Z")


class StatementQuery(Input):
    """Of which month."""

    month = Month(required=True)


class StatementSchema(Output):
    """What a wallet went through in a month: opening and the amounts of the lines, oldest first, make closing."""

    wallet = ma.fields.String()
    currency = ma.fields.String()
    month = ma.fields.String()
    opening = amount_text()
    lines = ma.fields.List(ma.fields.Nested(HistoryRowSchema))
    closing = amount_text()
