"""Schemas of freezes and pauses."""

from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import Choice, CurrencyCode, Id, Input, StrictField, Text, Timestamp, WalletToken
from gateway.http.schemas import Output, PageQuery
from models.audit import REASON_LENGTH_MAX
from models.rules.types import PaymentType

RAIL_LENGTH_MAX = 30
"""Length of the name of a rail."""


def _names_one(data: dict[str, Any], *names: str) -> None:
    """Raise ValidationError unless exactly one of these members is there."""
    given = [name for name in names if name in data]
    if not given:
        raise ma.ValidationError({names[0]: [FieldError("required", f"Send one of: {', '.join(names)}.")]})
    if len(given) > 1:
        error = FieldError("invalid_value", f"Send only one of: {', '.join(names)}.")
        raise ma.ValidationError({name: [error] for name in given[1:]})


class FreezeInput(Input):
    """A wallet, by its token or the id of its account, or a user, and the reason to freeze it."""

    account = Id()
    wallet = WalletToken()
    user = Id()
    reason = Text(REASON_LENGTH_MAX, required=True)

    @ma.validates_schema
    def _names_one_thing(self, data: dict[str, Any], **_: Any) -> None:
        _names_one(data, "account", "wallet", "user")


class ThawInput(Input):
    """The reason to thaw."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class InForceFilter(StrictField):
    """Whether it is in force, as a query parameter."""

    words = Choice(["true", "false"])

    def __init__(self) -> None:
        super().__init__(metadata=self.words.metadata)

    def read(self, text: str) -> bool:
        return self.words.read(text) == "true"


class FreezeQuery(PageQuery):
    """Page and filters of freezes."""

    account = Id()
    user = Id()
    in_force = InForceFilter()


class FreezeSchema(Output):
    """A freeze of a wallet or a user, and how it was thawed."""

    id = ma.fields.UUID()
    account = ma.fields.UUID(allow_none=True)
    user = ma.fields.UUID(allow_none=True)
    in_force = ma.fields.Boolean()
    reason = ma.fields.String()
    frozen_by = ma.fields.UUID(allow_none=True)
    frozen_at = ma.fields.DateTime()
    thaw_reason = ma.fields.String(allow_none=True)
    thawed_by = ma.fields.UUID(allow_none=True)
    thawed_at = ma.fields.DateTime(allow_none=True)
    breach = ma.fields.String(allow_none=True)


class PauseInput(Input):
    """What is to be paused, why, and until when."""

    type = Choice(PaymentType)
    merchant = Id()
    currency = CurrencyCode()
    rail = Text(RAIL_LENGTH_MAX)
    reason = Text(REASON_LENGTH_MAX, required=True)
    until = Timestamp()

    @ma.validates_schema
    def _names_one_thing(self, data: dict[str, Any], **_: Any) -> None:
        _names_one(data, "type", "merchant", "currency", "rail")


class ResumeInput(Input):
    """The reason to resume."""

    reason = Text(REASON_LENGTH_MAX, required=True)


class PauseQuery(PageQuery):
    """Page and filter of pauses."""

    in_force = InForceFilter()


class PauseSchema(Output):
    """A pause of posting, and its end."""

    id = ma.fields.UUID()
    type = ma.fields.String(allow_none=True, metadata={"enum": [*PaymentType, None]})
    merchant = ma.fields.UUID(allow_none=True)
    currency = ma.fields.String(allow_none=True)
    rail = ma.fields.String(allow_none=True)
    in_force = ma.fields.Boolean()
    reason = ma.fields.String()
    paused_by = ma.fields.UUID(allow_none=True)
    paused_at = ma.fields.DateTime()
    until = ma.fields.DateTime(allow_none=True)
    resume_reason = ma.fields.String(allow_none=True)
    resumed_by = ma.fields.UUID(allow_none=True)
    resumed_at = ma.fields.DateTime(allow_none=True)
