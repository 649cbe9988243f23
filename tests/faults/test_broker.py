"""The broker may stop, freeze, forget and bring nonsense: every POST is still answered, and everything completes."""

import os
import signal
from collections.abc import Collection, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from statistics import median

import pytest

from bell import BREAKER_SECONDS, IMPATIENT
from celery_config import SWEEP_SECONDS
from embedded.home import CHECKOUT
from embedded.process import Process
from embedded.shapes import SHAPES
from embedded.stack import Stack
from embedded.valkey import Valkey
from models import posting_lock
from models.session import transaction
from tests.broker import cut, forget
from tests.cluster.rabbitmq import RabbitMQ
from tests.e2e.state_machine.audit import owner, scalar
from tests.e2e.state_machine.users import ACCEPTED, Answer, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import as_superuser, logged, posters, stopped
from tests.faults.ops import flask
from tests.support import eventually

pytestmark = pytest.mark.slow
PAYMENTS = 200
BEFORE = 50
"""The payments that are answered before the broker is hurt."""

ANSWER_SECONDS_MAX = 10.0
"""Of the slowest, on a machine that does much else meanwhile; the median is held against what the broker would cost."""

UNAVAILABLE = "the broker is unavailable"
NOT_ACKNOWLEDGED = {Valkey: "Couldn't ack", RabbitMQ: "Connection to broker lost"}
"""What a worker logs whose line is gone: an acknowledgement to RabbitMQ waits for no answer."""
WAITING_FOR_THEIR_TURN = """
SELECT count(*) FROM pg_stat_activity
WHERE usename = 'payments_worker' AND wait_event = 'advisory'
"""


def assert_all_accepted_in_time(answers: list[Answer]) -> None:
    assert [answer.status for answer in answers] == [ACCEPTED] * len(answers)
    assert max(answer.seconds for answer in answers) < ANSWER_SECONDS_MAX
    assert median(answer.seconds for answer in answers) < IMPATIENT["socket_timeout"], "nobody waits for the broker"


@contextmanager
def payments(users: StackUsers, count: int) -> Iterator[list]:
    """Orders are being submitted, about 250 a second, and some have been answered."""
    with users.submitting(users.mixed(count), per_second=250) as answers:
        wait(answers[:BEFORE])
        yield answers


def submit_until_a_bell_is_lost(users: StackUsers, lost_before: int) -> list[Answer]:
    """Go on for as long as the circuit breaker, perhaps open from an earlier loss, spares the broker."""
    answers = []

    def is_lost() -> bool:
        answers.append(users.connection.submit(users.transfer(*users.clients[:2], "1.00")))
        return logged(users.stack, "gateway", UNAVAILABLE) > lost_before

    eventually(is_lost, seconds=12 * BREAKER_SECONDS, message="a gateway found the broker unavailable")
    return answers


def test_stopped(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    lost_before = logged(stack, "gateway", UNAVAILABLE)
    with payments(users, PAYMENTS * times) as submitted:
        stack.broker.kill()
    assert not stack.broker.is_alive
    further = submit_until_a_bell_is_lost(users, lost_before)
    stack.broker.start()
    answers = [answer.result() for answer in submitted] + further
    assert_all_accepted_in_time(answers)
    reckoned(answers)


def test_frozen(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    lost_before = logged(stack, "gateway", UNAVAILABLE)
    with payments(users, PAYMENTS * times) as submitted, stopped(stack.broker.pid):
        wait(submitted)
        further = submit_until_a_bell_is_lost(users, lost_before)
    answers = [answer.result() for answer in submitted] + further
    assert_all_accepted_in_time(answers)
    reckoned(answers)


def test_flushed(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    forgotten = []
    with payments(users, PAYMENTS * times) as answers:
        while not all(answer.done() for answer in answers):
            forgotten.append(forget(stack.broker))
            wait(answers, timeout=0.2)
    assert sum(forgotten) > 0
    assert_all_accepted_in_time([answer.result() for answer in answers])
    reckoned([answer.result() for answer in answers])


def test_stopped_with_a_bell_in_the_hand_of_every_poster(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    """A bell that cannot be acknowledged gives its place back; else the posters would listen no more."""
    before = not_acknowledged(stack)
    answers = []

    def caught() -> Collection[int] | None:
        """Stop all posters while they wait: they will not have given up a moment later."""
        answers.append(users.connection.submit(users.transfer(*users.clients[:2], "1.00")))
        pids = posters(stack)
        tell(pids, signal.SIGSTOP)
        if pids and as_superuser(stack, WAITING_FOR_THEIR_TURN) == len(pids):
            return pids
        tell(pids, signal.SIGCONT)
        return None

    with transaction(owner(stack)) as stranger:
        posting_lock.lead(stranger)
        pids = eventually(caught, seconds=60, message="every poster waits for its turn")
        stack.broker.kill()
        tell(pids, signal.SIGCONT)
    eventually(lambda: not_acknowledged(stack) > before, seconds=60)
    stack.broker.start()
    reckoned(answers + users.submit(users.mixed(50)))


def not_acknowledged(stack: Stack) -> int:
    return sum(logged(stack, name, NOT_ACKNOWLEDGED[type(stack.broker)]) for name in stack.doing("posting"))


def tell(pids: Collection[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def test_its_lines_are_cut(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    """And open again at the first try, as where another takes over from it."""
    cut(stack.broker)
    reckoned(users.submit(users.mixed(100)))


def test_after_all_that_a_payment_is_still_posted_at_once(users: StackUsers) -> None:
    """The publishers and consumers have found each other again: it is the bell that brings it, not a sweep."""

    def is_quick() -> bool:
        """True if it did not wait for the next sweep, as an order right after the last one would."""
        answer = users.connection.submit(users.transfer(*users.clients[:2], "1.00"))
        assert answer.status == ACCEPTED
        return bool(users.final(answer, seconds=60)) and _seconds(users, answer) < SWEEP_SECONDS / 2

    eventually(lambda: all(is_quick() for _ in range(5)), seconds=120)


def _seconds(users: StackUsers, answer: Answer) -> float:
    return scalar(
        users.stack,
        f"SELECT extract(epoch FROM finalized_at - created_at)::float FROM payments WHERE id = '{answer.payment_id}'",
    )


def test_without_workers_there_is_a_second_way_to_finish_payments(
    stack: Stack, users: StackUsers, reckoned: Reckon
) -> None:
    workers = stack.doing("posting", "upkeep").values()
    for worker in workers:
        worker.stop()
    try:
        answers = users.submit(users.mixed(50))
        assert {answer.status for answer in answers} == {ACCEPTED}
        assert scalar(stack, "SELECT count(*) FROM payments WHERE state = 'INITIATED'") == 50
        assert "50 payments posted, nothing of what was due is left" in flask(stack, "payments", "sweep")
        reckoned(answers)
    finally:
        for worker in workers:
            worker.start()


def test_two_beats(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    [first] = stack.doing("beat").values()
    environ = (first.environ or {}) | {"LOG_LEVEL": "DEBUG"}
    argv = [*first.argv[:2], *SHAPES["separate"]["beat"]]
    second = Process(argv, log=stack.home.log("second beat"), cwd=CHECKOUT, environ=environ)
    second.start()
    try:
        eventually(lambda: logged(stack, "second beat", '"event": "sent"') > 2, seconds=90)
        reckoned(users.submit(users.mixed(100)))
    finally:
        second.stop()
