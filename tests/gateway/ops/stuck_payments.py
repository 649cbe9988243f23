"""Deposits that are stuck or parked."""

from models import payment
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into

REASON = {"reason": "the disk is back"}


def order(person: ApiUser, wallet: str, amount: str = "1.00") -> str:
    """The id of a deposit that is accepted but not posted."""
    deposit = deposit_into(wallet, amount)
    return person.order("/v1/deposits", deposit).get_json()["id"]


def park(api: ApiHarness, id: str) -> None:
    """Park a due payment, as a worker does."""
    with transaction(api.worker) as connection:
        attempts = payment.attempts(connection, id) + 1
        assert payment.postpone(connection, id, attempts, "no luck", 0.0, park=True)
