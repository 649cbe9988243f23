"""Rows of a query as named tuples, by the names of its columns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

Record = TypeVar("Record")


class Result(Protocol):
    """Rows, and the names of their columns."""

    def keys(self) -> Iterable[str]: ...

    def __iter__(self) -> Iterator[Sequence[Any]]: ...


def records(named_tuple: Callable[..., Record], result: Result) -> list[Record]:
    """The rows, whose columns are named as the fields and in their order; fields with defaults may lack at the end.

    Raises TypeError if they are not. That is checked once per query: taking each value by its name would cost ten
    times as much.
    """
    columns, fields = tuple(result.keys()), vars(named_tuple)["_fields"]
    if columns != fields[: len(columns)]:
        raise TypeError(f"columns {columns} are not fields {fields}")
    return [named_tuple(*row) for row in result]


def record(named_tuple: Callable[..., Record], result: Result) -> Record | None:
    """The only row, or None."""
    return next(iter(records(named_tuple, result)), None)
