"""Parked and stuck payments of one client, and the requests that select and retry them."""

from typing import Any

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.stuck_payments import REASON, order, park
from workers.posting import batches

PARKED = {"parked": True}

WORKER_SECONDS = 60.0
"""More than any batch here takes."""


def select(person: ApiUser, filter: Any, **rest: Any) -> Any:
    return person.call("POST", "/v1/ops/payments/retry", json={"filter": filter, **rest})


def retry(person: ApiUser, selection: Any, **rest: Any) -> Any:
    return person.call("POST", "/v1/ops/payments/retry", json={"selection": selection, **REASON, **rest})


class WaitingPayments:
    """Five parked payments and three stuck ones, oldest first, with an ops user."""

    def __init__(self, api: ApiHarness) -> None:
        self.api = api
        self.ops = api.person("ops")
        self.client = api.person()
        self.wallet = self.client.wallet()
        self.parked = [order(self.client, self.wallet) for _ in range(5)]
        for id in self.parked:
            park(api, id)
        self.stuck = [order(self.client, self.wallet) for _ in range(3)]

    @property
    def mine(self) -> dict[str, Any]:
        """The filter of the parked payments of this client."""
        return {**PARKED, "user": self.client.id}

    def selection(self, **rest: Any) -> str:
        """The selection of the parked payments."""
        return select(self.ops, {**self.mine, **rest}).get_json()["selection"]

    def batch(self, **rest: Any) -> str:
        """The id of a batch of the parked payments."""
        answer = retry(self.ops, self.selection(**rest))
        assert answer.status_code == 202, answer.get_json()
        return answer.get_json()["id"]

    def carry_out(self) -> None:
        """Do what the workers do."""
        batches.carry_out(self.api.worker, lambda: None, WORKER_SECONDS)
        self.api.post_payments()


def ids(answer: Any) -> list[str]:
    return [row["id"] for row in answer.get_json()["payments"]]
