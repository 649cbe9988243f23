"""Bodies and headers of orders, and the answer of the bank to a withdrawal."""

from datetime import UTC, datetime, timedelta
from typing import Any

from models import payout
from models.payout import FinalAnswer
from models.session import transaction
from tests.gateway.harness import ApiHarness

CANONICAL = {"Content-Encoding": "identity"}
"""Means the same as no header, but the fast path does not read it."""

LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
LONG_AGO = "2001-02-03T04:05:06Z"
IBAN, BIC = "DE89370400440532013000", "COBADEFFXXX"


def deposit_into(wallet: str, amount: str = "1.00") -> dict[str, str]:
    """A deposit in EUR."""
    return {"wallet": wallet, "amount": amount, "currency": "EUR", "source": "wire"}


def withdrawal(wallet: str, amount: str = "4.00", **members: Any) -> dict[str, Any]:
    """A withdrawal to an e-wallet by default, which is posted at once."""
    return {"wallet": wallet, "amount": amount, "currency": "EUR", "target": "wallet", **members}


def wire_withdrawal(wallet: str, amount: str = "4.00", **members: Any) -> dict[str, Any]:
    """A withdrawal by wire, to a bank account."""
    return {"wallet": wallet, "amount": amount, "currency": "EUR", "iban": IBAN, "name": "Bob Example", **members}


def answer_of_the_bank(api: ApiHarness, id: str, *, is_confirmed: bool) -> None:
    """Store the bank's answer as the rails worker does, and post its result."""
    with transaction(api.worker) as connection:
        assert payout.store_answers(connection, [FinalAnswer(id, is_confirmed)]) == {id}
    api.post_payments()
