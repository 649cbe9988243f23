"""An example of every body, put together from an example of each member."""

import json
from collections.abc import Iterator
from typing import Any

from gateway.http.errors import MEDIA_TYPE
from gateway.http.openapi.example_values import FORMATS, LINES, SHOWN, TEXTS, VALUES

Schema = dict[str, Any]


def describe(document: dict[str, Any]) -> None:
    """Add an example to every body, each defined once among the components."""
    schemas, examples = document["components"]["schemas"], document["components"].setdefault("examples", {})
    for item in (*document["paths"].values(), *document["webhooks"].values()):
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                _add_to(body.get("content", {}), operation, schemas, examples)


def _add_to(
    content: dict[str, Any], operation: dict[str, Any], schemas: dict[str, Schema], examples: dict[str, Any]
) -> None:
    row = example(LINES[operation["operationId"]], schemas) if operation["operationId"] in LINES else {}
    for media_type, form in content.items():
        if media_type == "application/json":
            name = form["schema"]["$ref"].rpartition("/")[2]
            examples[name] = {"summary": f"An example of {name}.", "value": (body := example(name, schemas))}
            form["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}
            rows = body.get("data", body.get("lines"))
            row = rows[0] if isinstance(rows, list) and rows else body
        elif media_type != MEDIA_TYPE:
            form["example"] = _text(media_type, operation["operationId"], row)


def _text(media_type: str, operation_id: str, row: dict[str, Any]) -> str:
    if own := TEXTS.get((media_type, operation_id)):
        return own
    if media_type == "application/x-ndjson":
        return json.dumps(row) + "\n"
    if media_type == "text/csv" and row:
        cells = dict(_cells(row))
        return "".join(f"{','.join(line)}\r\n" for line in (cells.keys(), cells.values()))
    return TEXTS[media_type, ""]


def _cells(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _cells(value, f"{before}{name}_")
        else:
            yield f"{before}{name}", "" if value is None else value if isinstance(value, str) else json.dumps(value)


def example(name: str, schemas: dict[str, Schema]) -> dict[str, Any]:
    """A body of this schema: its required members, and those that SHOWN adds."""
    schema = schemas[name]
    wanted = {*schema.get("required", ()), *SHOWN.get(name, ())}
    members = schema.get("properties", {}).items()
    return {
        member: _value(name, member, member_schema, schemas) for member, member_schema in members if member in wanted
    }


def _value(name: str, member: str, schema: Schema, schemas: dict[str, Schema]) -> Any:
    """An example of the member; raises LookupError for a text without one in `example_values.py`."""
    if f"{name}.{member}" in VALUES:
        return VALUES[f"{name}.{member}"]
    if "anyOf" in schema:
        options = schema["anyOf"]
        return None if {"type": "null"} in options else _value(name, member, options[0], schemas)
    if "$ref" in schema:
        return example(schema["$ref"].rpartition("/")[2], schemas)
    types, form = schema.get("type", ()), schema.get("format")
    if form in FORMATS:
        return None if "null" in types else FORMATS[form]
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    if member in VALUES and isinstance(VALUES[member], list) == ("array" in types):
        return VALUES[member]
    if "null" in types:
        return None
    if types == "array":
        return [_value(name, f"{member}[]", schema["items"], schemas)]
    if types == "integer":
        return max(1, schema.get("minimum", 1))
    return {"boolean": True, "number": 0.5, "object": {}}[types]
