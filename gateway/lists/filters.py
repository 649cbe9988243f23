"""What lists and statements are asked for, and the rows of a wallet's history."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import marshmallow as ma

from gateway.exchange.schemas import RateText
from gateway.http.fields import (
    LIST_ITEMS_MAX,
    METADATA_TEXT_LENGTH_MAX,
    YEAR_MAX,
    YEAR_MIN,
    Amount,
    Choice,
    ChoiceList,
    CurrencyCode,
    Id,
    Metadata,
    StrictField,
    Text,
    Timestamp,
    WalletToken,
)
from gateway.http.schemas import FailureSchema, Input, Output, PageQuery, amount_text, one_of
from gateway.payments.schemas import REFERENCE_LENGTH_MAX, REFUND_REASONS, SUMMARY_LENGTH_MAX, Reference
from models import account_history, payment_list
from models.payment_search import BY_ID, COMPARED, Column
from models.rules.failure_codes import Failure
from models.rules.state import State
from models.rules.types import PaymentType

METADATA = "metadata[key]"
_MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_WHOLE = re.compile("[0-9]{1,9}", re.ASCII)
COUNT_MAX = 999_999_999
"""Of what can be counted in a query."""

_METADATA_NAME = re.compile(r"metadata\[([^\[\]]+)\]")


class CommaList(StrictField):
    """A comma list of values of one kind, as a query parameter; read as a list without repetitions."""

    def __init__(self, one: StrictField) -> None:
        schema = {name: told for name, told in one.metadata.items() if name in ("example", "format")}
        super().__init__(metadata={**schema, "description": "Comma list."})
        self.one = one

    def read(self, text: str) -> list[Any]:
        given = text.split(",", LIST_ITEMS_MAX)
        if len(given) > LIST_ITEMS_MAX:
            raise self.refuse("invalid_value", f"At most {LIST_ITEMS_MAX} values.")
        return sorted({self.one.deserialize(item) for item in given})


class CountFilter(StrictField):
    """A whole number in a query."""

    def __init__(self) -> None:
        super().__init__(metadata={"type": "integer", "minimum": 0, "maximum": 999_999_999})

    def read(self, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise self.refuse("invalid_value", "A whole number.")
        return int(text)


class MetadataFilter(Metadata):
    """The members of `metadata` that are asked for, each a query parameter of its own."""

    def __init__(self) -> None:
        super().__init__(data_key=METADATA)
        self.metadata = {
            **{"type": "string", "maxLength": METADATA_TEXT_LENGTH_MAX},
            "description": "This text under the name `key`; only of payments that you ordered.",
        }


_ASKED: dict[str, StrictField] = {
    "state": ChoiceList(State),
    "type": ChoiceList(PaymentType),
    "reason": ChoiceList(REFUND_REASONS),
    "failure": ChoiceList(Failure),
    "success": ChoiceList(("true", "false")),
    "currency": CommaList(CurrencyCode()),
    "target_currency": CommaList(CurrencyCode()),
    "source": CommaList(WalletToken()),
    "target": CommaList(WalletToken()),
    "summary": Text(SUMMARY_LENGTH_MAX),
    "reference": Reference(),
}
"""How columns are asked for that take other than any text."""

_ONE: dict[str, Callable[[], StrictField]] = {
    "uuid": Id,
    "timestamptz": Timestamp,
    "integer": CountFilter,
    "numeric": RateText,
}
"""By the kind of a column, how one value of it is read."""


def _parameters(columns: Mapping[str, Column], **others: ma.fields.Field) -> Any:
    """The query of a list of these columns: for each its exact value, bounds where there are any, and the order."""
    fields: dict[str, ma.fields.Field] = {}
    for name, column in columns.items():
        one = Amount if column.currency else _ONE.get(column.kind)
        if name in _ASKED:
            fields[name] = _ASKED[name]
        elif column.kind == "text":
            fields[name] = Text(REFERENCE_LENGTH_MAX)
        elif one is not None:
            fields[name] = CommaList(one())
        if one not in (None, Id):
            fields |= {f"{name}[{word}]": one() for word in COMPARED}
    sorts = [name for name, column in columns.items() if column.kind != "jsonb"]
    order = Choice([*sorts, *(f"-{name}" for name in sorts)], load_default=f"-{BY_ID}")
    return PageQuery.from_dict({**fields, **others, "sort": order})


_PaymentParameters: Any = _parameters(payment_list.COLUMNS, wallet=WalletToken(), metadata=MetadataFilter())


class PaymentQuery(_PaymentParameters):
    """Which payments, and in which order."""

    @ma.pre_load
    def _gather_labels(self, given: Mapping[str, str], **_: Any) -> dict[str, Any]:
        found = {name: named[1] for name in given if (named := _METADATA_NAME.fullmatch(name))}
        rest: dict[str, Any] = {name: text for name, text in given.items() if name not in found}
        return {**rest, METADATA: {key: given[name] for name, key in found.items()}} if found else rest


_HistoryParameters: Any = _parameters(account_history.COLUMNS, direction=ChoiceList(("in", "out")))


class HistoryQuery(_HistoryParameters):
    """Which rows of a wallet's history, and in which order; amounts whatever their sign."""


class BalanceQuery(Input):
    """When."""

    at = Timestamp(required=True)


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


class Month(StrictField):
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


class StatementTotalsSchema(Output):
    """The sums of a statement's lines: opening, with what was received and without what was paid, is closing."""

    lines = ma.fields.Integer()
    received = amount_text()
    paid = amount_text()


class StatementSchema(Output):
    """What a wallet went through in a month: opening and the amounts of the lines, oldest first, make closing."""

    wallet = ma.fields.String()
    currency = ma.fields.String()
    month = ma.fields.String()
    opening = amount_text()
    totals = ma.fields.Nested(StatementTotalsSchema)
    is_complete = ma.fields.Boolean()
    lines = ma.fields.List(ma.fields.Nested(HistoryRowSchema))
    closing = amount_text()
