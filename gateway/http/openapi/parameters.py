"""The parameters of operations: described, typed, and `name[key]` merged into one parameter of deepObject style."""

import re
from typing import Any

from gateway.http.fields import METADATA_TEXT_LENGTH_MAX, CurrencyCode, WalletToken
from gateway.http.openapi.descriptions import DESCRIPTIONS
from gateway.http.openapi.members import with_default
from gateway.http.openapi.operations import operations, singular

Parameter = dict[str, Any]

BRACKETED = re.compile(r"(\w+)\[(\w+)\]")

KEYS = {
    "gte": "At least this.",
    "gt": "More than this.",
    "lte": "At most this.",
    "lt": "Less than this.",
    "name": "The name of that side.",
    "last4": "The last four characters of the token of that side's wallet.",
}

IN_PATH: dict[str, Parameter] = {
    "id": {"schema": {"type": "string", "format": "uuid"}, "description": "The id of the {thing}."},
    "token": {"schema": {"type": "string", **WalletToken().metadata}, "description": "The token of the {thing}."},
    "code": {"schema": {"type": "string", **CurrencyCode().metadata}, "description": "The code of the {thing}."},
    "rail": {
        "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,29}$"},
        "description": "The name of the {thing}.",
    },
    "line": {"schema": {"type": "integer", "minimum": 1}, "description": "The number of the {thing}, from 1."},
}

PAGING = {
    *("limit", "cursor", "sort", "after", "at", "month", "from", "to", "stuck", "parked", "undecided", "timezone"),
    *("created_from", "created_before", "attempts_min", "attempts_max", "error_prefix", "error_contains", "ids"),
    *("q", "code", "days", "dry_run"),
}
"""Parameters that are not the value of a column."""

FILTERS = "Only rows with this value. "


def describe(paths: dict[str, Any]) -> None:
    """Describe every parameter; that of a path by its name."""
    for path, item in paths.items():
        for parameter in item.get("parameters", ()):
            before = path.partition("/{" + parameter["name"] + "}")[0].rpartition("/")[2]
            described = IN_PATH[parameter["name"]]
            thing = singular(before).replace("-", " ")
            parameter |= {"schema": described["schema"], "description": described["description"].format(thing=thing)}
    for _, _, operation in operations(paths):
        merged = _merged([_described(parameter) for parameter in operation.pop("parameters", [])])
        if merged:
            operation["parameters"] = merged


def _described(parameter: Parameter) -> Parameter:
    name, schema = parameter["name"], parameter["schema"]
    own = parameter.get("description") or schema.pop("description", "")
    text = own
    if parameter["in"] == "query" and not BRACKETED.fullmatch(name):
        text = own if own and name in PAGING else f"{DESCRIPTIONS.get(name, '')} {own}".strip()
        text = text if name in PAGING else FILTERS + text
    return {**parameter, "description": with_default(schema, text)}


def _merged(parameters: list[Parameter]) -> list[Parameter]:
    """`amount`, `amount[gte]`, `amount[lt]` … as one parameter: a value, or an object of bounds."""
    plain: dict[str, Parameter] = {}
    keyed: dict[str, dict[str, Any]] = {}
    for parameter in parameters:
        match = BRACKETED.fullmatch(parameter["name"])
        if match:
            name, key = match.groups()
            schema = parameter["schema"]
            text = KEYS.get(key) or parameter["description"]
            keyed.setdefault(name, {})[key] = {**schema, "description": text}
            description = f"{FILTERS}{DESCRIPTIONS[name]}"
            plain.setdefault(name, {"in": "query", "name": name, "required": False, "description": description})
        else:
            plain[parameter["name"]] = parameter
    for name, properties in keyed.items():
        parameter = plain[name]
        value = parameter.get("schema")
        bounds = {"type": "object", "properties": properties, "additionalProperties": False}
        if "key" in properties:
            text = {"type": "string", "maxLength": METADATA_TEXT_LENGTH_MAX}
            bounds = {"type": "object", "additionalProperties": text}
            parameter["description"] = properties["key"]["description"]
        spelled = ", ".join(f"`{name}[{key}]`" for key in properties)
        parameter |= {
            "style": "deepObject",
            "explode": True,
            "schema": bounds if value is None else {"anyOf": [value, bounds]},
            "description": f"{parameter['description']} As an object: {spelled}.",
        }
    return list(plain.values())
