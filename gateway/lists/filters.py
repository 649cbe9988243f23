"""Query parameters of lists that can be filtered and sorted by their columns."""

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
"""The maximum of a whole number in a query."""


class CommaList(StrictField):
    """A comma list of values of one field, as a query parameter; read as a sorted list without repetitions."""

    def __init__(self, field: StrictField, length_max: int = LIST_ITEMS_MAX, **kwargs: Any) -> None:
        schema = {name: value for name, value in field.metadata.items() if name in ("example", "format")}
        super().__init__(metadata={**schema, "description": "Comma list."}, **kwargs)
        self.field, self.length_max = field, length_max

    def read(self, text: str) -> list[Any]:
        values = text.split(",", self.length_max)
        if len(values) > self.length_max:
            raise self.refuse("invalid_value", f"At most {self.length_max} values.")
        return sorted({self.field.deserialize(value) for value in values})


class CountFilter(StrictField):
    """A whole number in a query, within bounds."""

    def __init__(self, least: int = 0, most: int = COUNT_MAX, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "integer", "minimum": least, "maximum": most}, **kwargs)
        self.least, self.most = least, most

    def read(self, text: str) -> int:
        if not _WHOLE.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise self.refuse("invalid_value", f"Must be a whole number from {self.least} to {self.most}.")
        return int(text)


class MetadataFilter(Metadata):
    """Members of `metadata`, each a query parameter of its own."""

    def __init__(self) -> None:
        super().__init__(data_key=METADATA)
        self.metadata = {
            **{"type": "string", "maxLength": METADATA_TEXT_LENGTH_MAX},
            "description": "The text under the name `key`; only for payments that you created.",
        }


_FIELDS_BY_NAME: dict[str, StrictField] = {
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
"""The fields of columns that do not take any text."""

_FIELDS_BY_KIND: dict[str, Callable[[], StrictField]] = {
    "uuid": Id,
    "timestamptz": Timestamp,
    "integer": CountFilter,
    "numeric": RateText,
}
"""The field for one value of a column, by its kind."""


def query_parameters(columns: Mapping[str, Column], **others: ma.fields.Field) -> Any:
    """The query schema of a list with these columns: exact values, bounds where applicable, and the order."""
    fields: dict[str, ma.fields.Field] = {}
    for name, column in columns.items():
        kind = Amount if column.currency else _FIELDS_BY_KIND.get(column.kind)
        if name in _FIELDS_BY_NAME:
            fields[name] = _FIELDS_BY_NAME[name]
        elif column.kind == "text":
            fields[name] = Text(REFERENCE_LENGTH_MAX)
        elif kind is not None:
            fields[name] = CommaList(kind())
        if kind not in (None, Id):
            fields |= {f"{name}[{operator}]": kind() for operator in COMPARED}
    sorts = [name for name, column in columns.items() if column.kind != "jsonb"]
    order = Choice([*sorts, *(f"-{name}" for name in sorts)], load_default=f"-{BY_ID}")
    return PageQuery.from_dict({**fields, **others, "sort": order})
