"""Filters and columns of a list, in the URL of its page."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.pages.formats import words

CURSOR = "cursor"
COLUMNS = "columns"


class ListFilter(NamedTuple):
    """A filter of a list: a parameter of the API, and how its field looks.

    `kind` is a type of input, or the values to choose from; `is_several` if more than one may be chosen.
    """

    name: str
    label: str
    kind: str | tuple[str, ...] = "text"
    is_several: bool = False


class Chip(NamedTuple):
    """A filter in force."""

    name: str
    label: str
    value: str


def chosen(query: Mapping[str, str], filters: Iterable[ListFilter]) -> dict[str, str]:
    """The parameters of this query that the list of the API knows."""
    names = {filter.name for filter in filters} | {CURSOR}
    return {name: value.strip() for name, value in query.items() if name in names and value.strip()}


def chips(query: Mapping[str, str], filters: Iterable[ListFilter]) -> list[Chip]:
    """The filters in force."""
    known = chosen(query, filters)
    return [
        Chip(filter.name, filter.label, known[filter.name].replace(",", ", "))
        for filter in filters
        if filter.name in known
    ]


def shown_columns(query: Mapping[str, str], columns: Mapping[str, str], defaults: Iterable[str]) -> list[str]:
    """The names of the columns to show, in the order of the list."""
    asked = set(query[COLUMNS].split(",")) if COLUMNS in query else set(defaults)
    return [name for name in columns if name in asked] or list(defaults)


def option_labels(values: Iterable[str]) -> list[tuple[str, str]]:
    """The values of a choice with their words."""
    return [(value, words(value)) for value in values]
