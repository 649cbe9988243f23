"""What a user writes and lists, and where the gateway reads it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import metrics
from tests.gateway.harness import ApiUser

HEADER = "Consistency-Token"


def count(place: str, reason: str) -> float:
    return metrics.READS.labels(place, reason)._value.get()


@contextmanager
def counted(place: str, reason: str) -> Iterator[None]:
    """Within the block a read went there for this reason."""
    before = count(place, reason)
    yield
    assert count(place, reason) > before


def deposit(user: ApiUser, wallet: str) -> tuple[str, str]:
    """The id of a new payment, and the token of the answer."""
    body = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"}
    answer = user.order("/v1/deposits", body)
    assert answer.status_code == 202
    return answer.get_json()["id"], answer.headers[HEADER]


def listed(user: ApiUser, token: str = "") -> list[str]:
    headers = {HEADER: token} if token else {}
    answer = user.get("/v1/payments", **headers)
    assert answer.status_code == 200
    assert HEADER not in answer.headers
    return [payment["id"] for payment in answer.get_json()["data"]]


def is_answered_by_replica(read: Callable[[], object]) -> bool:
    before = count("replica", "fresh") + count("replica", "waited")
    read()
    return count("replica", "fresh") + count("replica", "waited") > before
