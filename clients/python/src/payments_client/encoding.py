"""What is given becomes JSON and queries: amounts are decimal strings, times are aware, and no float is let through."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypedDict
from uuid import UUID

Amount = Decimal | str
"""Money, a rate or a percentage: a `Decimal`, or its text. Never a float, which is not exact."""


class Unset:
    """The type of `UNSET`."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""Left out, where None means null."""


class AmountBounds(TypedDict, total=False):
    """Between which amounts a row is wanted."""

    gte: Amount
    gt: Amount
    lte: Amount
    lt: Amount


class NumberBounds(TypedDict, total=False):
    """Between which numbers a row is wanted."""

    gte: int
    gt: int
    lte: int
    lt: int


class TimeBounds(TypedDict, total=False):
    """Between which times a row is wanted."""

    gte: datetime
    gt: datetime
    lte: datetime
    lt: datetime


class SideFilter(TypedDict, total=False):
    """By what one side of a payment is found."""

    name: str
    last4: str


def encoded(value: Any) -> Any:
    """The value as JSON has it; raises TypeError for a float, ValueError for a time without its offset."""
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float: give amounts as Decimal or text")
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no amount")
        return format(value, "f")
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise ValueError(f"{value!r} has no time zone")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {name: encoded(inner) for name, inner in value.items() if not isinstance(inner, Unset)}
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (str, bytes)):
        return [encoded(inner) for inner in value]
    return value


def json_bytes(value: Any) -> bytes:
    """The value as a body of JSON."""
    return json.dumps(encoded(value), separators=(",", ":"), allow_nan=False).encode()


def query_pairs(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The parameters of a query: sequences are comma lists, mappings are `name[key]`."""
    pairs = []
    for name, value in given.items():
        if isinstance(value, Mapping):
            pairs += [(f"{name}[{key}]", _text(inner)) for key, inner in value.items()]
        else:
            pairs.append((name, _text(value)))
    return pairs


def _text(value: Any) -> str:
    plain = encoded(value)
    if isinstance(plain, list):
        return ",".join(_text(inner) for inner in plain)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)
