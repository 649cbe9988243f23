"""Loads bodies about which nothing is to be said without marshmallow's machinery; the schema stays the contract."""

from collections.abc import Callable
from typing import Any

import marshmallow as ma
from marshmallow.decorators import POST_LOAD, PRE_LOAD, VALIDATES, VALIDATES_SCHEMA

from gateway.http.fields import Input

CleanLoader = Callable[[Any], dict[str, Any] | None]
"""What the schema loads of a parsed body; None if the schema itself must load or refuse it."""


def clean_loader(schema: ma.Schema) -> CleanLoader:
    """A loader that reads each member by its field; raises TypeError if the schema or a field does more than that."""
    hooks = schema._hooks
    _refuse(schema, [hook for hook in hooks[PRE_LOAD] if hook[0] != Input._leave_out_nulls.__name__])
    _refuse(schema, hooks[POST_LOAD] + hooks[VALIDATES])
    _refuse(schema, [hook for hook in hooks[VALIDATES_SCHEMA] if hook[1] or hook[2].get("pass_original")])
    fields, absent = schema.load_fields, ma.missing
    for name, field in fields.items():
        _refuse(schema, [*field.validators, *field.pre_load, *field.post_load])
        _refuse(schema, {field.data_key, field.attribute} - {None, name})
    readers = {name: field._deserialize for name, field in fields.items()}
    required = {name for name, field in fields.items() if field.required}
    defaults = {name: field.load_default for name, field in fields.items() if field.load_default is not absent}
    _refuse(schema, [default for default in defaults.values() if callable(default)])
    checks = [getattr(schema, name) for name, *_ in hooks[VALIDATES_SCHEMA]]

    def load(body: Any) -> dict[str, Any] | None:
        if type(body) is not dict or not required <= body.keys() <= readers.keys() or None in body.values():
            return None
        try:
            loaded = defaults | {name: readers[name](value, name, body) for name, value in body.items()}
            for check in checks:
                check(loaded)
        except ma.ValidationError:
            return None
        return loaded

    return load


def _refuse(schema: ma.Schema, what: object) -> None:
    if what:
        raise TypeError(f"{type(schema).__name__} does what would be left out: {what}")
