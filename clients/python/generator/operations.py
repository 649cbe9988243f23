"""The operations of the document, each with the resource and method of the client that it becomes."""

import keyword
from collections import Counter
from dataclasses import dataclass
from typing import Any

from clients.python.generator.types import Schema, is_nullable, python_type

JSON, JSON_LINES, EVENT_STREAM = "application/json", "application/x-ndjson", "text/event-stream"
METHODS = ("get", "post", "put", "patch", "delete")
HEADERS = {
    "Prefer": ("wait", "float"),
    "Idempotency-Key": ("idempotency_key", "str"),
    "If-Match": ("if_match", "str"),
}
"""Headers that are parameters of methods; the client itself sends the others."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method: its name in Python, and on the wire if that is another."""

    name: str
    hint: str
    is_required: bool = False
    is_nullable: bool = False

    @property
    def python_name(self) -> str:
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name


@dataclass(frozen=True)
class Operation:
    """An operation as a method of the client."""

    id: str
    method: str
    path: str
    summary: str
    resource: tuple[str, ...]
    name: str
    in_path: tuple[Parameter, ...]
    others: tuple[Parameter, ...]
    query: tuple[str, ...]
    answers: tuple[str, ...]
    """The schemas of its JSON, `bytes`, `events` or `socket`; none if it has no content."""
    exports: bool
    """Whether it has JSON Lines beside its JSON."""

    is_keyed: bool
    """Whether it takes an idempotency key."""

    scopes: tuple[str, ...]
    """One of which its caller needs; none if it needs no token."""

    @property
    def nullable(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.others if parameter.is_nullable)


def operations(document: dict[str, Any]) -> list[Operation]:
    """All operations in the document's order, with names that no two of a resource share."""
    found: list[Operation] = []
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                found += _variants(document, path, method, item)
    names = Counter((*operation.resource, operation.name) for operation in found)
    if twice := [".".join(name) for name, count in names.items() if count > 1]:
        raise ValueError(f"two operations have one name: {twice}")
    return found


def _variants(document: dict[str, Any], path: str, method: str, item: dict[str, Any]) -> list[Operation]:
    """The operation; and with another name, for a body of JSON or of another kind, its other kind."""
    operation = item[method]
    content = operation.get("requestBody", {}).get("content", {})
    own = item.get("parameters", []) + operation.get("parameters", [])
    resource = _resource(path)
    headers = [_header(p) for p in own if p["in"] == "header" and p["name"] in HEADERS]
    found = []
    bodies = {"": _members(document, content[JSON]["schema"])} if JSON in content else {} if content else {"": []}
    if files := ", ".join(f'"{kind}"' for kind in content if kind != JSON):
        body = [Parameter("content", "bytes", True), Parameter("content_type", f"Literal[{files}]", True)]
        bodies["_file" if bodies else ""] = body
    answers, exports = _answers(operation["responses"])
    for suffix, body in bodies.items():
        query = [Parameter(p["name"], _filter(p), p.get("required", False)) for p in own if p["in"] == "query"]
        found.append(
            Operation(
                operation["operationId"],
                method.upper(),
                path,
                operation["summary"],
                resource,
                _name(operation["operationId"], resource, path) + suffix,
                tuple(Parameter(p["name"], python_type(p["schema"], True), True) for p in own if p["in"] == "path"),
                tuple(sorted(body + query, key=lambda p: not p.is_required) + headers),
                tuple(parameter.name for parameter in query),
                answers,
                exports,
                any(header.name == "idempotency_key" for header in headers),
                tuple(operation.get("x-scopes", ())),
            )
        )
    return found


def _header(parameter: dict[str, Any]) -> Parameter:
    name, hint = HEADERS[parameter["name"]]
    return Parameter(name, hint, is_required=name == "if_match")


def _members(document: dict[str, Any], schema: Schema) -> list[Parameter]:
    """The members of a body as parameters."""
    described = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = described.get("required", ())
    return [
        Parameter(name, python_type(member, True), name in required, is_nullable(member))
        for name, member in described["properties"].items()
    ]


def _filter(parameter: dict[str, Any]) -> str:
    """The type of a parameter of the query: a value, several, or bounds."""
    schema, text = parameter["schema"], parameter["description"]
    options = schema.get("anyOf", [schema])
    hints = []
    for option in options:
        if option.get("type") != "object":
            hints.append("Amount" if "decimal string" in text else python_type(option, True))
            hints += [f"Sequence[{hints[-1]}]"] if "Comma" in text else []
        elif "properties" not in option:
            hints.append("Mapping[str, str]")
        else:
            hints.append(_bounds(option["properties"]))
    return " | ".join(dict.fromkeys(hints))


def _bounds(properties: dict[str, Schema]) -> str:
    if "last4" in properties:
        return "SideFilter"
    first = next(iter(properties.values()))
    if first.get("format") == "date-time":
        return "TimeBounds"
    return "NumberBounds" if first["type"] == "integer" else "AmountBounds"


def _answers(responses: dict[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The kinds of its answers, and whether rows can be had as JSON Lines, too."""
    contents = [r.get("content", {}) for status, r in responses.items() if status[0] == "2"]
    kinds = {kind for content in contents for kind in content}
    if not contents:
        return ("socket",), False
    if JSON in kinds:
        schemas = [content[JSON]["schema"]["$ref"].rpartition("/")[2] for content in contents if JSON in content]
        return tuple(dict.fromkeys(schemas)), JSON_LINES in kinds
    if EVENT_STREAM in kinds:
        return ("events",), False
    return (("bytes",) if kinds else ()), False


def _resource(path: str) -> tuple[str, ...]:
    """`/v1/ops/payments/{id}` belongs to `ops.payments`."""
    places = [place.replace("-", "_") for place in path.removeprefix("/v1").strip("/").split("/")]
    return tuple(places[:2]) if places[0] == "ops" else (places[0],)


def _name(id: str, resource: tuple[str, ...], path: str) -> str:
    """The operation's id without what its resource says already: `list_payment_operations` is `list_operations`."""
    words = [word for word in id.split("_") if word != "ops"]
    own = resource[-1].split("_")
    for start in range(len(words) - len(own) + 1):
        part = words[start : start + len(own)]
        if all(_is_form_of(word, other) for word, other in zip(part, own, strict=True)):
            is_plural = part[-1] == own[-1] and part[-1] != _singular(part[-1])
            rest = words[:start] + words[start + len(own) :]
            acts_on_many = is_plural and rest and rest[0] in ("delete", "retry") and "{" not in path
            return "_".join([*rest, "all"] if acts_on_many else rest) or "find"
    return "_".join(words)


def _is_form_of(word: str, other: str) -> bool:
    return word == other or word == _singular(other)


def _singular(word: str) -> str:
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("s", "")):
        if word.endswith(ending):
            return word.removesuffix(ending) + singular
    return word
