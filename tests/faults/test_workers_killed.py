"""Posting workers killed at work: each payment is still posted, once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.users import ACCEPTED, Answer, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import catch_a_poster, is_running, kill_a_child, kill_the_parent, logged
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PAYMENTS = 500
"""At least; they come in for as long as workers are killed, about forty a second."""
THREADS = 8
PAUSE_SECONDS = 0.2
KILLS = 10
CUT_OFF = "unexpected EOF on client connection with an open transaction"
"""The message of PostgreSQL when a client dies within a transaction."""


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    return {"STACK_SHAPE": "separate"}


def pay(users: StackUsers, enough: threading.Event) -> list[Answer]:
    """One order after the other until it is enough."""
    answers: list[Answer] = []
    while not enough.is_set():
        for order in users.mixed(20):
            answers.append(users.connection.submit(order))
            enough.wait(PAUSE_SECONDS)
    return answers


def test_killed_ten_times(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    killed: list[int] = []
    cut_off, enough = logged(stack, "postgres", CUT_OFF), threading.Event()
    with ThreadPoolExecutor(THREADS) as pool:
        paying = [pool.submit(pay, users, enough) for _ in range(THREADS)]
        try:
            for number in range(KILLS * times):
                poster = catch_a_poster(stack)
                is_child = number % 2 == 0
                killed.append(kill_a_child(stack, "posting", poster) if is_child else kill_the_parent(stack, "posting"))
        finally:
            enough.set()
    results = [answer for answers in paying for answer in answers.result()]
    results += users.submit(users.mixed(max(0, PAYMENTS * times - len(results))))
    assert len(set(killed)) == KILLS * times
    assert not any(map(is_running, killed))
    eventually(
        lambda: logged(stack, "postgres", CUT_OFF) - cut_off >= KILLS * times,
        message="each died within its transaction",
    )
    assert {answer.status for answer in results} == {ACCEPTED}
    reckoned(results)
