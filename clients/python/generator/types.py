"""The Python types of schemas, as text."""

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

DECIMALS = (
    r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$",
    r"^(0|[1-9][0-9]*)(\.[0-9]+)?$",
    r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$",
    r"^(0|[1-9][0-9]{0,2})(?:\.([0-9]{1,6}))?$",
)
"""The patterns of decimal strings: amounts, rates and percents."""

FORMATS = {"date-time": "datetime", "date": "date"}
PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}


def is_nullable(schema: Schema) -> bool:
    """Whether null is a value."""
    kinds = schema.get("type")
    return (isinstance(kinds, list) and "null" in kinds) or {"type": "null"} in schema.get("anyOf", ())


def python_type(schema: Schema, is_input: bool, name_enum: Callable[[tuple[str, ...]], str] | None = None) -> str:
    """The type of a value as it is given or, else, read; `name_enum` names the type of a set of words."""
    text = _type(schema, is_input, name_enum)
    return f"{text} | None" if is_nullable(schema) else text


def _type(schema: Schema, is_input: bool, name_enum: Callable[[tuple[str, ...]], str] | None) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        return " | ".join(_type(option, is_input, name_enum) for option in options)
    kinds = schema["type"]
    kind = next(kind for kind in kinds if kind != "null") if isinstance(kinds, list) else kinds
    if "enum" in schema and kind == "string":
        words = tuple(word for word in schema["enum"] if word is not None)
        return name_enum(words) if name_enum else f"Literal[{', '.join(repr(word) for word in words)}]"
    if schema.get("pattern") in DECIMALS:
        return "Amount" if is_input else "Decimal"
    if kind == "array":
        inner = python_type(schema["items"], is_input, name_enum)
        return f"Sequence[{inner}]" if is_input else f"list[{inner}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        inner = python_type(values, is_input, name_enum) if isinstance(values, dict) and values else "Any"
        return f"Mapping[str, {inner}]" if is_input else f"dict[str, {inner}]"
    return FORMATS.get(schema.get("format", ""), PLAIN[kind])
