"""The objects inside of bodies. Written by the generator from docs/openapi.json."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from payments_client.encoding import Amount

if TYPE_CHECKING:
    from typing_extensions import NotRequired


class TransferLine(TypedDict):
    """Transfer line."""

    amount: Amount
    currency: NotRequired[str]
    counterparty_name: str
    counterparty_iban: str
    counterparty_bic: NotRequired[str]
    description: NotRequired[str]
    creditor_reference: NotRequired[str]
    reference: NotRequired[str]
    instruction_id: NotRequired[str]
    end_to_end_id: NotRequired[str]
    scheduled_at: NotRequired[datetime]


class ChargeLine(TypedDict):
    """Charge line."""

    wallet: str
    amount: Amount
    currency: NotRequired[str]
    summary: NotRequired[str]
    reference: NotRequired[str]


class LimitInput(TypedDict):
    """Limit input."""

    merchant: NotRequired[str | None]
    per_charge: NotRequired[Amount | None]
    per_day: NotRequired[Amount | None]


class RetryFilter(TypedDict):
    """Retry filter."""

    type: NotRequired[str]
    state: NotRequired[str]
    currency: NotRequired[str]
    created_from: NotRequired[datetime]
    created_before: NotRequired[datetime]
    error_prefix: NotRequired[str]
    error_contains: NotRequired[str]
    user: NotRequired[str]
    merchant: NotRequired[str]
    account: NotRequired[str]
    wallet: NotRequired[str]
    bulk: NotRequired[str]
    batch: NotRequired[str]
    stuck: NotRequired[int]
    parked: NotRequired[bool]
    attempts_min: NotRequired[int]
    attempts_max: NotRequired[int]
    ids: NotRequired[Sequence[str]]
    limit: NotRequired[int]
