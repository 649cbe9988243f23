"""The complete OpenAPI document: descriptions from views and schemas, and rules that apply to all of them."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from gateway.http.openapi import answers, examples, members, operations, parameters, webhooks

Document = dict[str, Any]

INTRODUCTION = Path(__file__).with_name("introduction.md")

SERVERS = [{"url": "/", "description": "The gateway that serves this document."}]
CONTACT = {"name": "The operator of this gateway"}


def completed(derived: Document) -> Document:
    """The complete document, as it is served and committed."""
    document = deepcopy(derived)
    document["info"] |= {"description": INTRODUCTION.read_text(), "contact": CONTACT}
    document["servers"] = SERVERS
    components = document["components"]
    members.describe(components["schemas"])
    operations.describe(document)
    parameters.describe(document["paths"])
    webhooks.describe(document)
    answers.describe(document)
    examples.describe(document)
    _drop_unused(document)
    return document


def _drop_unused(document: Document) -> None:
    """Drop schemas without any reference, direct or indirect."""
    schemas = document["components"]["schemas"]
    pending = _references({**document, "components": {**document["components"], "schemas": {}}})
    used: set[str] = set()
    while pending:
        name = pending.pop()
        if name in schemas and name not in used:
            used.add(name)
            pending |= _references(schemas[name])
    document["components"]["schemas"] = {name: schema for name, schema in schemas.items() if name in used}


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"].rpartition("/")[2]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_references, node.values()))
    if isinstance(node, list):
        return set().union(*map(_references, node))
    return set()
