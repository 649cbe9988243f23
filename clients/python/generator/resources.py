"""Renders the table of routes, and the classes whose methods are the operations: sync and async."""

from itertools import groupby
from textwrap import indent, wrap
from typing import Any

from clients.python.generator.models import is_page, references
from clients.python.generator.operations import Operation, Parameter

ROUTES = '''"""Every operation of the API. Written by the generator from docs/openapi.json."""

from payments_client.requests import Route

ROUTES = {
'''
RESOURCES = '''"""Every operation of the API as a method{of_what}. Written by the generator from docs/openapi.json."""

from __future__ import annotations

from collections.abc import {abc}
from datetime import date, datetime
from typing import Any, Literal

from payments_client import models
from payments_client.encoding import UNSET, Amount, AmountBounds, NumberBounds, SideFilter, TimeBounds, Unset
from payments_client.{base} import {names}
from payments_client.inputs import ({inputs})
from payments_client.payment import {payment}
from payments_client.requests import SocketAddress
'''
MIXINS = {"bulk_charges": "Uploads", "bulk_transfers": "Uploads", "events": "Follows"}
"""What resources have beside their operations."""

WIDTH = 108


def render_routes(operations: list[Operation]) -> str:
    """The module of the table of routes."""
    routes = {operation.id: operation for operation in operations}
    lines = []
    for id, operation in routes.items():
        members = [repr(operation.method), repr(operation.path)]
        for name in ("query", "nullable"):
            value = tuple(v for o in operations if o.id == id for v in getattr(o, name))
            members += [f"{name}={tuple(dict.fromkeys(value))!r}"] if value else []
        members += ["is_keyed=True"] if operation.is_keyed else []
        members += [f"scopes={operation.scopes!r}"] if operation.scopes else []
        lines.append(f"    {id!r}: Route({', '.join(members)}),")
    return ROUTES + "\n".join(lines) + "\n}\n"


def render_resources(document: dict[str, Any], operations: list[Operation], is_async: bool) -> str:
    """The module of the resources of one of the two clients."""
    prefix, iterator = ("Async", "AsyncIterator") if is_async else ("", "Iterator")
    base = f"{prefix}Resource"
    mixins = sorted({f"{prefix}{mixin}" for mixin in MIXINS.values()})
    own = sorted(operations, key=lambda operation: operation.resource)
    classes, top, ops = [], [], []
    for resource, group in groupby(own, key=lambda operation: operation.resource):
        name = prefix + "".join(word.capitalize() for place in resource for word in place.split("_"))
        bases = [f"{prefix}{MIXINS[resource[-1]]}"] if resource[-1] in MIXINS and len(resource) == 1 else [base]
        words = " ".join(resource).replace("_", " ")
        methods = "\n\n".join(_methods(document, operation, prefix, iterator) for operation in group)
        singular = f'\n    _one = "{resource[0].removesuffix("s")}"' if "Uploads" in bases[0] else ""
        classes.append(
            f'class {name}({", ".join(bases)}):\n    """The operations on {words}."""\n{singular}\n{methods}'
        )
        (ops if len(resource) > 1 else top).append(_property(resource[-1], name, words))
    classes.append(_group(f"{prefix}Ops", base, "The operations of ops.", ops, "self._client"))
    top.append(_property("ops", f"{prefix}Ops", "ops"))
    classes.append(_group(f"{prefix}Client", f"{prefix}Core", "The API: its operations, by resource.", top, "self"))
    imported = sorted({f"{prefix}Core", base, f"{prefix}Pages", *mixins})
    head = RESOURCES.format(
        of_what=" to be awaited" if is_async else "",
        abc=", ".join(sorted({iterator, "Mapping", "Sequence"})),
        base="async_resource" if is_async else "resource",
        names=", ".join(imported),
        inputs=", ".join(_inputs(document)),
        payment="AsyncPayment" if is_async else "SyncPayment",
    )
    return "\n\n".join([head, *classes])


def _inputs(document: dict[str, Any]) -> list[str]:
    """The types of objects that bodies have as members."""
    bodies = [o["requestBody"] for i in document["paths"].values() for o in i.values() if "requestBody" in o]
    schemas = document["components"]["schemas"]
    return sorted({inner for body in references(bodies) for inner in references(schemas[body])})


def _property(name: str, kind: str, words: str) -> str:
    return f'@property\ndef {name}(self) -> {kind}:\n    """The operations on {words}."""\n    return {kind}(CLIENT)'


def _group(name: str, base: str, text: str, properties: list[str], client: str) -> str:
    body = "\n\n".join(indent(text, "    ") for text in properties).replace("(CLIENT)", f"({client})")
    return f'class {name}({base}):\n    """{text}"""\n\n{body}'


def _methods(document: dict[str, Any], operation: Operation, prefix: str, iterator: str) -> str:
    call, hint, is_awaited = _call(document, operation, prefix, iterator)
    methods = [_method(operation, operation.name, call, hint, is_awaited and bool(prefix))]
    is_list = call.startswith("_pages")
    if operation.exports and not is_list:
        name = operation.name.replace("get", "export", 1)
        methods.append(_method(operation, name, "_rows({id}, {given})", f"{iterator}[dict[str, Any]]", False))
    return "\n\n".join(methods)


def _call(document: dict[str, Any], operation: Operation, prefix: str, iterator: str) -> tuple[str, str, bool]:
    """How the method does it, what it returns, and whether that is awaited."""
    if operation.answers == ("events",):
        return "_events({id}, {given})", f"{iterator}[models.Event]", False
    if operation.answers == ("socket",):
        return "_socket({id}, {given})", "SocketAddress", False
    if operation.answers == ("bytes",):
        return "_bytes({id}, {given})", "bytes", True
    if not operation.answers:
        return "_do({id}, {given})", "None", True
    schemas = document["components"]["schemas"]
    if is_page(schemas[operation.answers[0]]):
        row = _kind(schemas[operation.answers[0]]["properties"]["data"]["items"]["$ref"].rpartition("/")[2], prefix)
        return f"_pages({row}, {{id}}, {{given}})", f"{prefix}Pages[{row}]", False
    kinds = [_kind(answer, prefix) for answer in operation.answers]
    method = "_call" if len(kinds) == 1 else "_either"
    return f"{method}({', '.join(kinds)}, {{id}}, {{given}})", " | ".join(kinds), True


def _kind(schema: str, prefix: str) -> str:
    return f"{prefix or 'Sync'}Payment" if schema == "Payment" else f"models.{schema}"


def _method(operation: Operation, name: str, call: str, hint: str, is_awaited: bool) -> str:
    own = [f"{parameter.python_name}: {parameter.hint}" for parameter in operation.in_path]
    others = [_declared(parameter) for parameter in operation.others]
    parameters = ", ".join(["self", *own, *(["*", *others] if others else [])])
    async_, awaited = ("async ", "await ") if is_awaited else ("", "")
    returned = "" if hint == "None" else "return "
    done = call.format(id=repr(operation.id), given="locals()")
    text = "\n".join([*wrap(operation.summary, WIDTH), "", f"{operation.method} {operation.path}"])
    body = f'"""{text}\n"""\n{returned}{awaited}self.{done}'
    return indent(f"{async_}def {name}({parameters}) -> {hint}:\n{indent(body, '    ')}", "    ")


def _declared(parameter: Parameter) -> str:
    if parameter.is_required:
        return f"{parameter.python_name}: {parameter.hint}"
    if parameter.is_nullable:
        return f"{parameter.python_name}: {parameter.hint} | Unset = UNSET"
    return f"{parameter.python_name}: {parameter.hint} | None = None"
