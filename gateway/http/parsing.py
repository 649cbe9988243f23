"""Strict parsing of bodies and queries: strict JSON, only known members, each parameter at most once."""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, cast

import marshmallow as ma
from flask import Request, request

from gateway.http.errors import ApiError, FieldError, invalid
from gateway.http.media_types import JSON, PROBLEM, best_match, is_json

BODY_BYTES_MAX = 64 * 1024
"""A single order is some hundred bytes; nothing larger is a valid one."""

READ_BYTES_MAX = BODY_BYTES_MAX + 1
"""A body without a Content-Length is silently truncated here, so one byte more is read to detect that."""

DEPTH_MAX = 32
"""Deeper nesting has no use here and costs stack."""

INTEGER_DIGITS_MAX = 30
"""Converting long integers takes quadratic time; no field needs more."""


Reader = Callable[[bytes], Any]
"""A function that converts a body in another format to what it would be in JSON; raises ApiError."""


class StrictRequest(Request):
    """A request whose body is parsed once, strictly; it is JSON unless the route accepts other formats as well."""

    max_content_length = READ_BYTES_MAX
    body_bytes_max = BODY_BYTES_MAX
    readers: Mapping[str, Reader] = MappingProxyType({})
    may_be_empty = False
    _strict: Any = None

    def strict_json(self) -> Any:
        """The parsed body; raises ApiError (400, 415, 422) or werkzeug's RequestEntityTooLarge."""
        if self._strict is None:
            refuse_compressed(self)
            reader = self.readers.get(self.mimetype)
            if self.may_be_empty and not self.get_data():
                self._strict = {}
            else:
                self._strict = parse(read(self)) if reader is None else reader(received(self))
        return self._strict


def body_of_request() -> Any:
    """The parsed body of the current request, before any schema; raises as strict_json does."""
    return cast(StrictRequest, request).strict_json()


def takes_up_to(bytes_max: int, readers: Mapping[str, Reader] = MappingProxyType({})) -> Callable[..., Any]:
    """Decorator: the route accepts larger bodies, and also the media types for which there are `readers`."""

    def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            strict = cast(StrictRequest, request)
            strict.body_bytes_max, strict.max_content_length, strict.readers = bytes_max, bytes_max + 1, readers
            return view(*args, **kwargs)

        return wrapper

    return decorator


def refuse_compressed(incoming: Request) -> None:
    """Refuse a compressed body: its length does not bound its size once unpacked."""
    if incoming.environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise ApiError("unsupported_media_type", "A body must not be compressed.")


def received(incoming: StrictRequest) -> bytes:
    """The bytes of the body; raises ApiError if it is too large."""
    data = incoming.get_data(cache=False)
    if len(data) > incoming.body_bytes_max:
        raise ApiError("body_too_large", f"At most {incoming.body_bytes_max} bytes.")
    return data


def read(incoming: StrictRequest) -> str:
    """The body as text; raises ApiError unless it is declared as JSON and encoded in UTF-8."""
    if not is_json(incoming.environ.get("CONTENT_TYPE", "")):
        raise ApiError("unsupported_media_type", "Send Content-Type: application/json.")
    return decode_body(received(incoming))


def decode_body(data: bytes) -> str:
    """The text of a whole body without its byte order mark; raises ApiError."""
    return decode(data.removeprefix(BOM_UTF8))


def decode(data: bytes) -> str:
    """The text of a body, or of a line of one; raises ApiError."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ApiError("malformed_json", "The body is not UTF-8.") from None


def parse(text: str) -> Any:
    """The value of a JSON text; refuses duplicate members, NaN, long integers and deep nesting."""
    try:
        value = _decode(text)
    except ValueError:
        raise ApiError("malformed_json", "The body is not JSON.") from None
    except RecursionError:
        raise ApiError("json_too_deep", f"At most {DEPTH_MAX} levels.") from None
    if text.count("{") + text.count("[") > DEPTH_MAX and depth(value) > DEPTH_MAX:
        raise ApiError("json_too_deep", f"At most {DEPTH_MAX} levels.")
    return value


def depth(value: Any) -> int:
    """The nesting depth of objects and lists, counted without recursion."""
    deepest, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ApiError("json_duplicate_key", "Each member may be given once.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_MAX:
        raise ApiError("integer_too_long", f"An integer has at most {INTEGER_DIGITS_MAX} digits.")
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(name)


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=_constant).decode


def flatten(messages: Any, pointer: str = "") -> list[tuple[str, str, str]]:
    """The nested messages of marshmallow as (JSON pointer, code, detail)."""
    if isinstance(messages, dict):
        return [
            field_error
            for name, inner in messages.items()
            for field_error in flatten(inner, pointer if name == "_schema" else f"{pointer}/{_escaped(name)}")
        ]
    return [(pointer, getattr(message, "code", "invalid_value"), str(message)) for message in messages]


def _escaped(name: Any) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


class StrictParser:
    """The parser behind `@blueprint.arguments`: loads the schema once; errors carry pointers or parameter names."""

    DEFAULT_VALIDATION_STATUS = 422

    def use_args(self, schema: type[ma.Schema], *, location: str) -> Callable[..., Any]:
        """Decorator that appends the loaded body ("json") or query ("query") to the view's arguments."""
        load = {"json": load_body, "query": load_query}[location]
        instance = schema()

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return view(*args, load(instance), **kwargs)

            if location == "query":
                wrapper.query_schema = instance  # type: ignore[attr-defined]
            return wrapper

        return decorator


def load_body(schema: ma.Schema) -> Any:
    """The request's JSON body loaded by `schema`; a POST without required members may have none. Raises ApiError."""
    is_required = request.method != "POST" or any(field.required for field in schema.load_fields.values())
    cast(StrictRequest, request).may_be_empty = not is_required
    return load_parsed(schema, body_of_request())


def load_parsed(schema: ma.Schema, body: Any) -> Any:
    """A parsed body loaded by `schema`; raises ApiError with a pointer to each invalid value."""
    try:
        return schema.load(body)
    except ma.ValidationError as error:
        raise invalid(flatten(error.messages)) from None


def load_query(schema: ma.Schema) -> Any:
    """The request's query loaded by `schema`; raises ApiError with the name of each invalid parameter."""
    query = request.args
    if request.query_string and not query:
        raise invalid([("", "unknown_parameter", "The query names no parameter.")], "parameter")
    repeated = [name for name, texts in query.lists() if len(texts) > 1]
    if repeated:
        raise invalid([(name, "repeated_parameter", "Give each parameter once.") for name in repeated], "parameter")
    try:
        return schema.load(query.to_dict())
    except ma.ValidationError as error:
        field_errors = [
            (pointer[1:], "unknown_parameter" if code == "unknown_field" else code, detail)
            for pointer, code, detail in flatten(error.messages)
        ]
        raise invalid(field_errors, "parameter") from None


def refuse_query() -> None:
    """Refuse any query on a route that declares none."""
    if request.query_string:
        names = list(request.args) or [""]
        raise invalid([(name, "unknown_parameter", "This route takes no parameters.") for name in names], "parameter")


def refuse_other_than_json(*others: str) -> None:
    """Refuse a request that accepts neither JSON nor one of the other media types that the route answers with."""
    if best_match(request.environ.get("HTTP_ACCEPT"), JSON, PROBLEM, *others) is None:
        raise ApiError("not_acceptable", f"Accept {' or '.join([JSON, *others])}.")


UNKNOWN_FIELD = FieldError("unknown_field", "This member is unknown.")
NOT_AN_OBJECT = FieldError("invalid_type", "An object is expected.")
