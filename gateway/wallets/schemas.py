"""Schemas of wallets, charge limits and charging merchants."""

from collections.abc import Sequence
from typing import Any

import marshmallow as ma

from gateway.http.calendar_day import Month
from gateway.http.errors import FieldError
from gateway.http.fields import (
    ActiveFilter,
    Amount,
    ChangeInput,
    ChoiceList,
    CurrencyCode,
    Id,
    Text,
    Timestamp,
    TrueOrFalse,
)
from gateway.http.schemas import (
    BoundedList,
    CounterpartySchema,
    FailureSchema,
    Input,
    NestedInput,
    Output,
    PageQuery,
    amount_text,
    one_of,
)
from gateway.lists.filters import query_parameters
from models import account_history
from models.rules.types import PaymentType

LABEL_LENGTH_MAX = 100

CHARGE_LIMITS_MAX = 100
"""Limits for merchants by name; the limit without a merchant covers all others."""

BLOCKED_MERCHANTS_MAX = 1_000


class WalletInput(Input):
    """A new wallet."""

    currency = CurrencyCode(required=True)
    label = Text(LABEL_LENGTH_MAX)


class LimitInput(Input):
    """The maximum that a merchant may take, or any merchant if `merchant` is null; a null amount is no limit."""

    merchant = Id(load_default=None)
    per_charge = Amount(load_default=None)
    per_day = Amount(load_default=None)

    @ma.validates_schema
    def _limits_something(self, data: dict[str, Any], **_: Any) -> None:
        if data["per_charge"] is data["per_day"] is None:
            raise ma.ValidationError([FieldError("required", "Give per_charge, per_day or both.")])


class WalletChange(ChangeInput):
    """A change of a wallet by its owner; null or an empty list removes the value."""

    label = Text(LABEL_LENGTH_MAX, allow_none=True)
    is_active = TrueOrFalse()
    charge_limits = BoundedList(NestedInput(LimitInput), CHARGE_LIMITS_MAX, allow_none=True)
    blocked_merchants = BoundedList(Id(), BLOCKED_MERCHANTS_MAX, allow_none=True)

    @ma.validates_schema
    def _names_each_merchant_once(self, data: dict[str, Any], **_: Any) -> None:
        limited = [limit["merchant"] for limit in data.get("charge_limits") or ()]
        errors = {
            "charge_limits": {index: {"merchant": error} for index, error in _repeated(limited).items()},
            "blocked_merchants": _repeated(data.get("blocked_merchants") or ()),
        }
        if any(errors.values()):
            raise ma.ValidationError({name: repeated for name, repeated in errors.items() if repeated})


def _repeated(merchants: Sequence[str | None]) -> dict[int, list[FieldError]]:
    """An error for each merchant that is in the list before, by its index."""
    seen: set[str | None] = set()
    errors = {}
    for index, merchant in enumerate(merchants):
        if merchant in seen:
            errors[index] = [FieldError("invalid_value", "It is named twice.")]
        seen.add(merchant)
    return errors


class RotationInput(Input):
    """An empty body."""


class WalletQuery(PageQuery):
    """Filters of the list of wallets."""

    is_active = ActiveFilter()
    currency = CurrencyCode()


class LimitSchema(Output):
    """The maximum per charge and per day (UTC) of a merchant, or of any merchant if `merchant` is null."""

    merchant = ma.fields.UUID(allow_none=True)
    per_charge = amount_text(allow_none=True)
    per_day = amount_text(allow_none=True)


class HoldingSchema(Output):
    """The balance of a wallet and its charge limits."""

    label = ma.fields.String(allow_none=True)
    currency = ma.fields.String()
    balance = amount_text()
    held = amount_text()
    available = amount_text()
    is_active = ma.fields.Boolean()
    is_frozen = ma.fields.Boolean()
    charge_limits = ma.fields.List(ma.fields.Nested(LimitSchema))
    blocked_merchants = ma.fields.List(ma.fields.UUID())
    created_at = ma.fields.DateTime()


class WalletSchema(HoldingSchema):
    """A wallet, as its owner sees it."""

    token = ma.fields.String()


class ChargingMerchantSchema(Output):
    """A merchant that charged a wallet; `charges` and `total` count charges that took money or hold it."""

    merchant = ma.fields.UUID()
    name = ma.fields.String()
    charges = ma.fields.Integer()
    total = amount_text()
    last_charged_at = ma.fields.DateTime()
    is_blocked = ma.fields.Boolean()


_HistoryParameters: Any = query_parameters(account_history.COLUMNS, direction=ChoiceList(("in", "out")))


class HistoryQuery(_HistoryParameters):
    """Filters and order of the history of a wallet; amounts are compared without their sign."""


class BalanceQuery(Input):
    """The time of the balance."""

    at = Timestamp(required=True)


class HistoryRowSchema(Output):
    """The effect of a decided payment on the wallet, commission included; of a failed one, what it would have been."""

    payment = ma.fields.UUID()
    type = one_of(PaymentType)
    success = ma.fields.Boolean()
    amount = amount_text()
    currency = ma.fields.String()
    commission = amount_text(allow_none=True)
    balance_after = amount_text(allow_none=True)
    counterparty = ma.fields.Nested(CounterpartySchema)
    summary = ma.fields.String(allow_none=True)
    reference = ma.fields.String(allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    created_at = ma.fields.DateTime()
    finalized_at = ma.fields.DateTime()


class BalanceSchema(Output):
    """The balance of a wallet at a time."""

    wallet = ma.fields.String()
    balance = amount_text()
    currency = ma.fields.String()
    at = ma.fields.DateTime()


class StatementQuery(Input):
    """The month of the statement."""

    month = Month(required=True)


class StatementTotalsSchema(Output):
    """The sums of a statement's lines: opening plus received less paid is closing."""

    lines = ma.fields.Integer()
    received = amount_text()
    paid = amount_text()


class StatementSchema(Output):
    """The statement of a month: the opening balance and the lines, oldest first, add up to the closing balance."""

    wallet = ma.fields.String()
    currency = ma.fields.String()
    month = ma.fields.String()
    opening = amount_text()
    totals = ma.fields.Nested(StatementTotalsSchema)
    is_complete = ma.fields.Boolean()
    lines = ma.fields.List(ma.fields.Nested(HistoryRowSchema))
    closing = amount_text()
