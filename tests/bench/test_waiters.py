"""Waiters are held until their payments end, learn of it then, and report an error when they cannot wait."""

import time

import pytest

from bench.load import LoadError
from bench.waiters import KINDS, held
from tests.bench.conftest import Gateway

PAYMENTS = [(f"payment-{n}", "token") for n in range(5)]


@pytest.mark.parametrize("kind", KINDS)
def test_all_are_held_until_the_end_and_know_it_then(gateway: Gateway, kind: str) -> None:
    with held(gateway.server_address, kind, PAYMENTS) as waiters:
        waiters.wait_open()
        assert waiters.are_held()
        at = time.time()
        gateway.ended.set()
        ended = waiters.ended()
    assert set(ended) == {id for id, _ in PAYMENTS}
    assert all(at <= moment < at + 30 for moment in ended.values())


def test_a_poll_that_comes_back_without_the_end_is_sent_again(gateway: Gateway) -> None:
    with held(gateway.server_address, "polls", PAYMENTS) as waiters:
        waiters.wait_open()
        gateway.ended.set()
        waiters.ended()
    assert {gateway.requests[f"/v1/payments/{id}"] for id, _ in PAYMENTS} <= {1, 2}
    assert sum(gateway.requests.values()) >= len(PAYMENTS)


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_not_wait_is_told(gateway: Gateway, kind: str) -> None:
    gateway.unknown = PAYMENTS[2][0]
    with held(gateway.server_address, kind, PAYMENTS) as waiters, pytest.raises(LoadError, match="404"):
        waiters.wait_open()
        gateway.ended.set()
        waiters.ended()
