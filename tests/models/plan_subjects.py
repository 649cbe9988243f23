"""What the questions of the tests of plans are about."""

from models.account import Party
from models.payment import NewPayment
from models.rules.types import ClaimedPayment
from tests.builders import new_id

NO_WALLET = "wal_" + "0" * 32
"""A token of no wallet."""


def a_party(account_id: str) -> Party:
    """The account as a side of a payment."""
    return Party(account_id, None, None, "EUR", "")


def a_transfer(user_id: str) -> NewPayment:
    """A transfer that is to be accepted, between wallets that are named by token."""
    return NewPayment(new_id(), "transfer", user_id, "", "", 1, "EUR", new_id(), bytes(32))


def a_claimed_transfer(account_id: str) -> ClaimedPayment:
    """A transfer from the account to one that does not exist."""
    return ClaimedPayment(new_id(), "transfer", "INITIATED", new_id(), account_id, new_id(), 1, "EUR")


def a_claimed_refund(charge_id: str) -> ClaimedPayment:
    """A refund of the charge."""
    return a_claimed_transfer(new_id())._replace(type="refund", parent_id=charge_id)
