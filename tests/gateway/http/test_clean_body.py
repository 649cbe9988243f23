"""Clean bodies are loaded as their schemas load them; all others are left to the schema."""

import random
from typing import Any

import marshmallow as ma
import pytest

from gateway.http.clean_body import clean_loader
from gateway.http.fields import Input, Metadata, Text
from gateway.payments.create import ROUTES

BODIES = 10_000

VALID: dict[str, tuple[Any, ...]] = {
    "amount": ("1.00", "0.5", "0", "1_000", "-1", "\u0661", "9" * 400),  # is judged once its currency is known
    "currency": ("EUR", "JPY", "A12345678901"),
    "wallet": ("wal_" + "a" * 22, "wal_" + "-_9Z" * 16),
    "metadata": ({}, {"order": "4711"}, {"n\u00e4me": "e\u0301", "b": "x" * 500}, {str(n): "1" for n in range(20)}),
    "scheduled_at": ("2031-01-31T12:00:00Z", "2031-01-31t12:00:00.123456789+05:30", "2031-02-01T00:00:00-00:00"),
    "reference": ("order-4711", "R 1"),
    "summary": ("Lunch", "\u00c5ngstr\u00f6m", "x" * 140),
    "quote": ("0193a8e4-0000-7000-8000-000000000001",),
    "capture": (True, False),
    "iban": ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "FR1420041010050500013M02606"),
    "bic": ("COBADEFFXXX", "COBADEFF"),
    "name": ("Anna", "M\u00fcller & S\u00f6hne"),
    "reason": ("duplicate", "fraudulent", "requested_by_customer"),
    "rail": ("card", "wire", "wallet"),
}
SAME_VALUES = {"expires_at": "scheduled_at", "charge": "quote"}
HOSTILE = (
    *(None, True, False, 0, 1, -1, 10**40, 1.5, float("1e300"), "", " ", "\x00", "\ud800", "\u202e", "null", "1.00\n"),
    *("EUR ", "eur", "wal_", "wal_" + "a" * 65, "x" * 70_000, "2031-02-30T12:00:00Z", "2031-01-31 12:00:00Z"),
    *([], [1], ["EUR"], {}, {"a": None}, {"a": {"b": 1}}, {"": "x"}, {"a": "x" * 501}, {"a\u030a": "1", "\u00e5": "2"}),
    *("0193A8E4-0000-7000-8000-000000000001", "DE00370400440532013000", "COBADEFF1", "{'a': 1}", "__proto__"),
)  # fmt: skip
UNKNOWN = ("extra", "Amount", "amount ", "", "__class__", "state", "user_id", "\x00")


def values_of(path: str, name: str) -> tuple[Any, ...]:
    """Values of this member that are valid by themselves."""
    if name in ("source", "target"):
        is_rail = (path, name) in (("/v1/deposits", "source"), ("/v1/withdrawals", "target"))
        return VALID["rail" if is_rail else "wallet"]
    return VALID[SAME_VALUES.get(name, name)]


def generated(chance: random.Random, path: str, schema: ma.Schema) -> Any:
    """A body: half of them with nothing odd about any one member."""
    body = {
        name: chance.choice(values_of(path, name))
        for name, field in schema.load_fields.items()
        if field.required or chance.random() < 0.3
    }
    if path == "/v1/withdrawals":
        to_bank = {name: chance.choice(VALID[name]) for name in ("iban", "name")}
        others = {name: value for name, value in body.items() if name not in ("iban", "name", "bic")}
        body = others | (to_bank if others.get("target", "wire") == "wire" else {})
    while chance.random() < 0.5:
        oddity, name = chance.randrange(4), chance.choice([*schema.load_fields])
        if oddity == 0:
            body.pop(name, None)
        elif oddity == 1:
            body[chance.choice(UNKNOWN)] = chance.choice(HOSTILE)
        elif oddity == 2:
            body[name] = chance.choice(chance.choice(list(VALID.values())))
        else:
            body[name] = chance.choice(HOSTILE)
    members = list(body.items())
    chance.shuffle(members)
    return dict(members) if chance.random() < 0.98 else chance.choice([*HOSTILE, [body]])


def by_schema(schema: ma.Schema, body: Any) -> dict[str, Any] | None:
    """What the schema loads; None if it refuses the body."""
    try:
        return schema.load(body)
    except ma.ValidationError:
        return None


@pytest.mark.parametrize("path", ROUTES)
def test_clean_bodies_are_loaded_as_by_the_schema(path: str) -> None:
    schema, chance, loaded = ROUTES[path].schema(), random.Random(path), 0
    load = clean_loader(schema)
    for _ in range(BODIES // len(ROUTES) + 1):
        body = generated(chance, path, schema)
        expected, clean = by_schema(schema, body), load(body)
        if clean is None:
            assert expected is None or None in body.values(), body
        else:
            assert clean == expected, body
            loaded += 1
    assert BODIES // len(ROUTES) // 4 < loaded < BODIES // len(ROUTES) * 3 // 4


def test_a_body_is_not_changed() -> None:
    body = {"amount": "1.00", "currency": "EUR", "wallet": "wal_" + "a" * 22}
    assert clean_loader(ROUTES["/v1/charges"].schema())(body) == {**body, "capture": True}
    assert len(body) == 3


class WithPostLoad(Input):
    """Does something with what was loaded."""

    @ma.post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return data


class WithValidator(Input):
    """Has a field with a validator of marshmallow."""

    name = Text(10, validate=ma.validate.Length(min=2))


class WithOtherName(Input):
    """Has a member whose name is another in the body."""

    name = Text(10, data_key="label")


class WithMadeDefault(Input):
    """Has a default that is made for each body."""

    metadata = Metadata(load_default=dict)


@pytest.mark.parametrize("schema", [WithPostLoad, WithValidator, WithOtherName, WithMadeDefault])
def test_schema_that_does_more_is_refused_at_start(schema: type[Input]) -> None:
    with pytest.raises(TypeError, match=schema.__name__):
        clean_loader(schema())
