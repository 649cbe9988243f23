"""What lists and statements are asked for, and the rows of a wallet's history."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import marshmallow as ma

from gateway.http.decimal_fields import RateText
from gateway.http.fields import (
    LIST_ITEMS_MAX,
    METADATA_TEXT_LENGTH_MAX,
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
from gateway.http.payment_fields import REFERENCE_LENGTH_MAX, REFUND_REASONS, SUMMARY_LENGTH_MAX, Reference
from gateway.http.schemas import PageQuery
from models.payment_search import BY_ID, COMPARED, Column
from models.rules.failure_codes import Failure
from models.rules.state import State
from models.rules.types import PaymentType

METADATA = "metadata[key]"
_WHOLE = re.compile("[0-9]{1,9}", re.ASCII)
COUNT_MAX = 999_999_999
"""Of what can be counted in a query."""


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


def query_parameters(columns: Mapping[str, Column], **others: ma.fields.Field) -> Any:
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
