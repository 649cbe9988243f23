"""Renders the classes of what is read, and the TypedDicts of what is given inside of bodies."""

import keyword
from collections.abc import Iterator
from typing import Any

from clients.python.generator.types import DECIMALS, Schema, python_type

NUMBERS = ("rate", "spread", "percent")
"""Members of answers that are decimal strings without a pattern."""

MODELS = '''"""Every object that the API answers with. Written by the generator from docs/openapi.json."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from payments_client.model import Model
'''
INPUTS = '''"""The objects inside of bodies. Written by the generator from docs/openapi.json."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypedDict

from payments_client.encoding import Amount

if TYPE_CHECKING:
    from typing_extensions import NotRequired
'''


def references(node: Any) -> Iterator[str]:
    """The names of all schemas that a part of the document refers to."""
    if isinstance(node, dict):
        if "$ref" in node and "/schemas/" in node["$ref"]:
            yield node["$ref"].rpartition("/")[2]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def reachable(document: dict[str, Any], roots: Iterator[str]) -> list[str]:
    """These schemas and those that they refer to, in the document's order."""
    schemas, found, pending = document["components"]["schemas"], set[str](), list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += references(schemas[name])
    return [name for name in schemas if name in found]


def answered(document: dict[str, Any]) -> list[str]:
    """The schemas of answers and webhooks, without pages: those of rows are enough."""
    answers = [o["responses"] for item in document["paths"].values() for o in item.values() if "responses" in o]
    found = reachable(document, references([answers, document["webhooks"], document["components"]["responses"]]))
    return [name for name in found if not is_page(document["components"]["schemas"][name])]


def is_page(schema: Schema) -> bool:
    """Whether it is a page of a list."""
    return {"data", "has_more"} <= schema["properties"].keys()


def render_models(document: dict[str, Any]) -> str:
    """The module of models."""
    enums: dict[tuple[str, ...], str] = {}
    classes = []
    for name in answered(document):
        lines = [f'class {name}(Model):\n    """{_title(name)}."""\n']
        schema = document["components"]["schemas"][name]
        for member, described in schema["properties"].items():

            def named(words: tuple[str, ...], default: str = f"{name}{_title(member).title().replace(' ', '')}") -> str:
                return enums.setdefault(words, default)

            is_number = member in NUMBERS and "pattern" not in described
            hint = python_type(described | ({"pattern": DECIMALS[0]} if is_number else {}), False, named)
            is_optional = member not in schema.get("required", ()) and not hint.endswith("None")
            lines.append(f"    {_python_name(member)}: {hint}{' | None' if is_optional else ''}")
        classes.append("\n".join(lines))
    aliases = [f"{name} = Literal[{', '.join(map(repr, words))}] | str" for words, name in enums.items()]
    return "\n".join([MODELS, *aliases, *classes])


def render_inputs(document: dict[str, Any]) -> str:
    """The module of the objects inside of bodies."""
    schemas = document["components"]["schemas"]
    bodies = [o["requestBody"] for i in document["paths"].values() for o in i.values() if "requestBody" in o]
    inner = [name for body in references(bodies) for name in references(schemas[body])]
    classes = []
    for name in reachable(document, iter(inner)):
        required = schemas[name].get("required", ())
        members = [
            f"    {member}: {hint if member in required else f'NotRequired[{hint}]'}"
            for member, described in schemas[name]["properties"].items()
            for hint in [python_type(described, True)]
        ]
        classes.append("\n".join([f'class {name}(TypedDict):\n    """{_title(name)}."""\n', *members]))
    return "\n".join([INPUTS, *classes])


def _python_name(member: str) -> str:
    return f"{member}_" if keyword.iskeyword(member) else member


def _title(name: str) -> str:
    """`NewApiKey` as words."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words.replace("_", " ").capitalize()
