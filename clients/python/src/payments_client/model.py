"""An object that the API answered with: its JSON, whose members are converted when they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

M = TypeVar("M", bound="Model")


@dataclass(frozen=True)
class Origin:
    """How an object came: who asked for it, under which idempotency key, and the headers of the answer."""

    client: Any = field(default=None, repr=False)
    idempotency_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def request_id(self) -> str | None:
        """Name it when you ask for help."""
        return self.headers.get("request-id")

    @property
    def etag(self) -> str | None:
        """The version of the object, for `if_match`."""
        return self.headers.get("etag")

    @property
    def is_replayed(self) -> bool:
        """Whether an earlier request with the same key had made it."""
        return self.headers.get("idempotent-replayed") == "true"

    def __deepcopy__(self, _: dict[int, Any]) -> Origin:
        return self

    def __reduce__(self) -> tuple[Any, ...]:  # a client, with its token, does not go to another process
        return Origin, (None, self.idempotency_key, dict(self.headers))


NOWHERE = Origin()


class Model:
    """A JSON object of the API.

    Members that this version does not know are read by their names, too. `raw` is the JSON as it came.
    `etag`, `request_id` and `idempotency_key` are those of the answer, unless the object has such a member.
    """

    __slots__ = ("origin", "raw")

    raw: dict[str, Any]
    origin: Origin

    if TYPE_CHECKING:
        etag: str | None
        request_id: str | None
        idempotency_key: str | None

    def __init__(self, raw: dict[str, Any], origin: Origin = NOWHERE) -> None:
        self.raw = raw
        self.origin = origin

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__") or name in Model.__slots__:
                raise AttributeError(name)
            converters = _converters(type(self))
            member = name.removesuffix("_")
            if member in self.raw:
                value = self.raw[member]
                return None if value is None else converters.get(name, _as_it_is)(value)
            if name in ("etag", "request_id", "idempotency_key"):
                return getattr(self.origin, name)
            if name in converters:
                return None
            raise AttributeError(f"{type(self).__name__} has no member {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(repr(self.raw))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.raw.items())})"


def closest(kinds: Sequence[type[M]], raw: Mapping[str, Any]) -> type[M]:
    """The kind of object that has most of these members."""
    return max(kinds, key=lambda kind: len(_converters(kind).keys() & raw.keys()))


def time_of(text: str) -> datetime:
    """The aware time of a text of RFC 3339."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


_CONVERTERS: dict[type[Model], dict[str, Callable[[Any], Any]]] = {}


def _converters(kind: type[Model]) -> dict[str, Callable[[Any], Any]]:
    """By member: how its JSON becomes a value of its type; made when it is first needed."""
    if kind not in _CONVERTERS:
        hints = get_type_hints(kind).items()
        _CONVERTERS[kind] = {name: _converter(hint) for name, hint in hints if name not in Model.__slots__}
    return _CONVERTERS[kind]


def _converter(hint: Any) -> Callable[[Any], Any]:
    if hint is Decimal:
        return lambda value: Decimal(str(value))
    if hint is datetime:
        return time_of
    if hint is date:
        return date.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint
    origin, arguments = get_origin(hint), [a for a in get_args(hint) if a is not type(None)]
    if origin in (Union, UnionType):
        kinds = [a for a in arguments if isinstance(a, type) and issubclass(a, Model)]
        if len(kinds) > 1:
            return lambda value: closest(kinds, value)(value)
        return _converter(arguments[0]) if len(arguments) == 1 else _as_it_is
    if origin is list:
        inner = _converter(arguments[0])
        return lambda values: [None if value is None else inner(value) for value in values]
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
