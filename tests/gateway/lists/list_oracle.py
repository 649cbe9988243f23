"""A list as a viewer reads it, and the rows that filters and sorts must find, computed from the unfiltered list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import marshmallow as ma

from gateway.http.schemas import Output
from models.payment_search import Column
from tests.gateway.harness import ApiUser

Row = dict[str, Any]

DAY = timedelta(days=1)


def members(schema: type[Output]) -> Iterator[str]:
    """The members of an answer as they are filtered by: those of an inner object as name[inner]."""
    for name, field in schema().fields.items():
        if isinstance(field, ma.fields.Nested):
            yield from (f"{name}[{inner}]" for inner in field.schema.fields)
        else:
            yield name


SHORT = {"source": "source[wallet]", "target": "target[wallet]", "failure": "failure[code]"}
"""Columns that stand for a member of an inner object without naming it."""


def wire(time: datetime) -> str:
    """A time as a query says it."""
    return time.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Listing:
    """A list in the eyes of one viewer; `currency` is that of a wallet's history."""

    viewer: ApiUser
    path: str
    columns: Mapping[str, Column]
    currency: str | None = None

    @property
    def key(self) -> str:
        """The member that names a row."""
        return "payment" if self.currency else "id"

    def get(self, **query: str) -> Row:
        """A page as it is answered."""
        headers = {"Authorization": f"Bearer {self.viewer.token}"}
        answer = self.viewer.api.app.test_client().get(self.path, headers=headers, query_string=query)
        assert answer.status_code == 200, (query, answer.get_json())
        return answer.get_json()

    def pages(self, **query: str) -> list[list[Row]]:
        """All pages, walked forth; walked back again they are the same."""
        page = self.get(**query)
        forth = [page["data"]]
        while page["next_cursor"]:
            page = self.get(**query, cursor=page["next_cursor"])
            forth.append(page["data"])
        back = [page["data"]]
        while page["prev_cursor"]:
            page = self.get(**query, cursor=page["prev_cursor"])
            back.append(page["data"])
        assert [row for rows in back[::-1] for row in rows] == [row for rows in forth for row in rows], query
        return forth

    @cached_property
    def rows(self) -> list[Row]:
        """All rows, newest first."""
        return [row for page in self.pages(limit="100") for row in page]

    @cached_property
    def span(self) -> dict[str, str]:
        """Bounds that all rows are within."""
        times = [datetime.fromisoformat(row["created_at"]) for row in self.rows]
        return {"created_at[gte]": wire(min(times) - DAY), "created_at[lt]": wire(max(times) + DAY)} if times else {}

    def found(self, **query: str) -> list[str]:
        """The ids of the rows that a query finds, on one page."""
        return [row[self.key] for row in self.get(limit="100", **query)["data"]]

    def text(self, row: Row, name: str) -> Any:
        """The value of a column in the row, as it is answered; amounts of a history without their sign."""
        outer, _, inner = SHORT.get(name, name).partition("[")
        value = row[outer]
        if inner and value is not None:
            value = value[inner.rstrip("]")]
        if self.currency and self.columns[name].currency and value is not None:
            return value.removeprefix("-") if row["currency"] == self.currency else None
        return value

    def value(self, text: Any, name: str) -> Any:
        """The value to compare."""
        if text is None:
            return None
        kinds = {"numeric": Decimal, "timestamptz": datetime.fromisoformat}
        return kinds.get(self.columns[name].kind, lambda plain: plain)(text)

    def shown(self, row: Row, name: str) -> Any:
        """The value of a column in the row, to be compared."""
        return self.value(self.text(row, name), name)

    def within(self, name: str, currency: str | None) -> tuple[list[Row], dict[str, str]]:
        """The rows whose values under this name compare, and the query that is of these alone."""
        said = self.columns[name].currency
        if said is None or self.currency:
            return self.rows, {}
        return [row for row in self.rows if row[said] == currency], {said: str(currency)}

    def ids(self, rows: Sequence[Row]) -> list[str]:
        return [row[self.key] for row in rows]
