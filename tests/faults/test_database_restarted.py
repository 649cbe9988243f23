"""PostgreSQL crashes and comes back while payments are submitted: callers are asked to try again, nothing is lost."""

from concurrent.futures import wait

import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.users import ACCEPTED, Answer, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import as_superuser, kill, logged
from tests.support import eventually

pytestmark = pytest.mark.slow
PAYMENTS = 400
RESTARTS = 2
AWAY = 503
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE usename IN ('payments_worker', 'payments_gateway')
"""
SOME_BACKEND = "SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE usename = 'payments_worker'"
TERMINATING = "terminating any other active server processes"
RECOVERED = "database system was not properly shut down; automatic recovery in progress"


def test_restarted_immediately(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    pids = {name: process.pid for name, process in stack.processes.items()}
    recoveries = logged(stack, "postgres", RECOVERED)
    rounds: list[Answer] = []
    for _ in range(RESTARTS * times):
        with users.submitting(users.mixed(PAYMENTS // RESTARTS), per_second=250) as answers:
            wait(answers[:50])
            stack.postgres.stop("immediate")
            rounds.append(users.connection.submit(users.transfer(*users.clients[:2], "1.00")))
            wait(answers[:150])
            stack.postgres.start()
        rounds += [answer.result() for answer in answers]
    assert logged(stack, "postgres", RECOVERED) - recoveries == RESTARTS * times
    assert {answer.status for answer in rounds} == {ACCEPTED, AWAY}
    refused = [answer for answer in rounds if answer.status == AWAY]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert {answer.headers["Content-Type"] for answer in refused} == {"application/problem+json"}
    again = users.submit_until_accepted([answer.order for answer in refused])
    everything = [answer for answer in rounds if answer.status == ACCEPTED] + again
    assert len({answer.payment_id for answer in everything}) == len(rounds), "one payment for each key"
    reckoning = reckoned(everything)
    assert reckoning.accepted == len(rounds)
    assert {name: process.pid for name, process in stack.processes.items()} == pids
    assert all(process.is_alive for process in stack.processes.values()), "nothing of ours was started again"


def test_an_answer_lost_with_the_server_is_found_under_its_key(
    stack: Stack, users: StackUsers, reckoned: Reckon
) -> None:
    """Whatever was answered before the crash stands afterwards, and is replayed rather than repeated."""
    orders = users.mixed(100)
    answers = users.submit(orders)
    stack.postgres.stop("immediate")
    stack.postgres.start()
    again = users.submit_until_accepted(orders)
    assert [answer.payment_id for answer in again] == [answer.payment_id for answer in answers]
    assert {answer.headers.get("Idempotent-Replayed") for answer in again} == {"true"}
    reckoned(again)


def test_every_backend_terminated_again_and_again(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    """As an operator or a failover would: only 202 and 503 come of it."""
    terminated = 0
    with users.submitting(users.mixed(200), per_second=250) as answers:
        while not all(answer.done() for answer in answers):
            terminated += as_superuser(stack, TERMINATE)
            wait(answers, timeout=0.25)
    assert terminated > 0
    results = [answer.result() for answer in answers]
    assert {answer.status for answer in results} <= {ACCEPTED, AWAY}
    again = users.submit_until_accepted([answer.order for answer in results if answer.status == AWAY])
    reckoned([answer for answer in results if answer.status == ACCEPTED] + again)


def test_a_killed_backend_takes_all_others_with_it(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    """kill -9 of one backend makes the postmaster end them all and recover."""
    recoveries = logged(stack, "postgres", TERMINATING)
    with users.submitting(users.mixed(200), per_second=250) as answers:
        wait(answers[:100])
        kill(eventually(lambda: as_superuser(stack, SOME_BACKEND), message="a worker is there"))
    eventually(lambda: logged(stack, "postgres", TERMINATING) == recoveries + 1)
    results = [answer.result() for answer in answers]
    assert {answer.status for answer in results} <= {ACCEPTED, AWAY}
    again = users.submit_until_accepted([answer.order for answer in results if answer.status == AWAY])
    reckoned([answer for answer in results if answer.status == ACCEPTED] + again)
