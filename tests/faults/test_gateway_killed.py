"""The gateway killed while orders are submitted: exactly those that were answered 202 are stored."""

from concurrent.futures import wait

import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.users import ACCEPTED, Answer, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import children, is_running, kill_a_child, kill_the_parent

pytestmark = pytest.mark.slow
PAYMENTS = 500
NO_ANSWER = 0
ROUNDS = 4


def test_killed_while_payments_are_submitted(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    killed: list[int] = []
    results: list[Answer] = []
    for number in range(ROUNDS * times):
        with users.submitting(users.mixed(PAYMENTS // ROUNDS), per_second=250) as answers:
            wait(answers[:80])
            is_child = number % 2 == 0
            if is_child:
                killed.append(kill_a_child(stack, "gateway", children(stack, "gateway")[0]))
            else:
                killed.append(kill_the_parent(stack, "gateway"))
            stack.wait_ready()
        results += [answer.result() for answer in answers]
    assert len(set(killed)) == ROUNDS * times
    assert not any(map(is_running, killed))
    assert {answer.status for answer in results} == {ACCEPTED, NO_ANSWER}
    first = {answer.order.key: answer.payment_id for answer in results if answer.status == ACCEPTED}
    again = users.submit_until_accepted([answer.order for answer in results])
    everything = {answer.order.key: answer.payment_id for answer in again}
    assert len(everything) == len(set(everything.values())) == len(results), "one payment for each key"
    assert everything.items() >= first.items(), "each first answer stands"
    assert reckoned(again).accepted == len(results)
