"""Posting workers killed amid their work: each payment is still posted, once."""

import threading

import pytest

from embedded.stack import Stack
from tests.e2e.crowd import ACCEPTED, Crowd
from tests.faults.conftest import Reckon
from tests.faults.injury import catch_a_poster, is_running, kill_a_child, kill_the_parent, logged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PAYMENTS = 2_000
KILLS = 10
CUT_OFF = "unexpected EOF on client connection with an open transaction"
"""What PostgreSQL says when a client dies within a transaction."""


def test_killed_ten_times(stack: Stack, crowd: Crowd, reckoned: Reckon, times: int) -> None:
    killed: list[int] = []
    cut_off, enough = logged(stack, "postgres", CUT_OFF), threading.Event()
    with crowd.submitting(crowd.mixed(PAYMENTS * times), per_second=40, hurry=enough) as answers:
        for number in range(KILLS * times):
            poster = catch_a_poster(stack)
            is_child = number % 2 == 0
            killed.append(kill_a_child(stack, "posting", poster) if is_child else kill_the_parent(stack, "posting"))
        was_under_load = not all(answer.done() for answer in answers)
        enough.set()
    assert was_under_load, "the last kill came while payments still came in"
    assert len(set(killed)) == KILLS * times
    assert not any(map(is_running, killed))
    assert logged(stack, "postgres", CUT_OFF) - cut_off >= KILLS * times, "each died within its transaction"
    results = [answer.result() for answer in answers]
    assert {answer.status for answer in results} == {ACCEPTED}
    reckoned(results)
