"""The shapes of wallets, of what merchants may take out of them, and of who did."""

from collections.abc import Sequence
from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import (
    ActiveFilter,
    Amount,
    ChangeInput,
    CurrencyCode,
    Id,
    Input,
    StrictField,
    Text,
    TrueOrFalse,
)
from gateway.http.schemas import NestedInput, Output, PageQuery, amount_text

LABEL_LENGTH_MAX = 100

CHARGE_LIMITS_MAX = 100
"""Merchants whom a client knows one by one; the rest are under the limit of any."""

BLOCKED_MERCHANTS_MAX = 1_000


class BoundedList(ma.fields.List):
    """A JSON list of at most so many values."""

    make_error = StrictField.make_error

    def __init__(self, inner: ma.fields.Field, most: int, **kwargs: Any) -> None:
        super().__init__(inner, metadata={"maxItems": most}, **kwargs)
        self.most = most

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise ma.ValidationError([FieldError("invalid_type", "A list is expected.")])
        if len(value) > self.most:
            raise ma.ValidationError([FieldError("invalid_value", f"At most {self.most}.")])
        return super()._deserialize(value, *args, **kwargs)


class WalletInput(Input):
    """A wallet to be opened."""

    currency = CurrencyCode(required=True)
    label = Text(LABEL_LENGTH_MAX)


class LimitInput(Input):
    """The most that a merchant, or with null any, may take; null is no limit."""

    merchant = Id(load_default=None)
    per_charge = Amount(load_default=None)
    per_day = Amount(load_default=None)

    @ma.validates_schema
    def _limits_something(self, given: dict[str, Any], **_: Any) -> None:
        if given["per_charge"] is given["per_day"] is None:
            raise ma.ValidationError([FieldError("required", "Give per_charge, per_day or both.")])


class WalletChange(ChangeInput):
    """What its owner changes of a wallet; what is null, or an empty list, is taken away."""

    label = Text(LABEL_LENGTH_MAX, allow_none=True)
    is_active = TrueOrFalse()
    charge_limits = BoundedList(NestedInput(LimitInput), CHARGE_LIMITS_MAX, allow_none=True)
    blocked_merchants = BoundedList(Id(), BLOCKED_MERCHANTS_MAX, allow_none=True)

    @ma.validates_schema
    def _names_each_merchant_once(self, given: dict[str, Any], **_: Any) -> None:
        limited = [limit["merchant"] for limit in given.get("charge_limits") or ()]
        flaws = {
            "charge_limits": {place: {"merchant": flaw} for place, flaw in _repeated(limited).items()},
            "blocked_merchants": _repeated(given.get("blocked_merchants") or ()),
        }
        if any(flaws.values()):
            raise ma.ValidationError({name: found for name, found in flaws.items() if found})


def _repeated(merchants: Sequence[str | None]) -> dict[int, list[FieldError]]:
    """A flaw for each that stands there before, by its place."""
    seen: set[str | None] = set()
    flaws = {}
    for place, merchant in enumerate(merchants):
        if merchant in seen:
            flaws[place] = [FieldError("invalid_value", "It is named twice.")]
        seen.add(merchant)
    return flaws


class RotationInput(Input):
    """Nothing is to be said."""


class WalletQuery(PageQuery):
    """Which wallets."""

    is_active = ActiveFilter()
    currency = CurrencyCode()


class LimitSchema(Output):
    """The most that a merchant, or with null any, may take by one charge, and all in all in a day (UTC)."""

    merchant = ma.fields.UUID(allow_none=True)
    per_charge = amount_text(allow_none=True)
    per_day = amount_text(allow_none=True)


class HoldingSchema(Output):
    """What a wallet holds, and what merchants may take of it."""

    label = ma.fields.String(allow_none=True)
    currency = ma.fields.String()
    balance = amount_text()
    held = amount_text()
    available = amount_text()
    is_active = ma.fields.Boolean()
    charge_limits = ma.fields.List(ma.fields.Nested(LimitSchema))
    blocked_merchants = ma.fields.List(ma.fields.UUID())
    created_at = ma.fields.DateTime()


class WalletSchema(HoldingSchema):
    """A wallet, as its owner sees it."""

    token = ma.fields.String()


class AccountSchema(HoldingSchema):
    """A wallet as ops see it: without the token, by which any merchant may charge it."""

    id = ma.fields.UUID()
    owner = ma.fields.UUID()
    last4 = ma.fields.String()
    is_frozen = ma.fields.Boolean()


class ChargingMerchantSchema(Output):
    """A merchant who charged a wallet; `charges` and `total` are of those that took money, or hold it."""

    merchant = ma.fields.UUID()
    name = ma.fields.String()
    charges = ma.fields.Integer()
    total = amount_text()
    last_charged_at = ma.fields.DateTime()
    is_blocked = ma.fields.Boolean()
