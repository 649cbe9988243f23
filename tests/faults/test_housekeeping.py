"""The compact stack: the worker that does all, and posts beside the first poster, is killed, hangs, and is alone."""

import sys
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from celery_config import MAIL, QUEUE_OF_KIND
from embedded.stack import Stack
from tests.e2e.state_machine.audit import scalar
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import assert_heartbeats, catch_a_poster, is_running, kill_the_parent, logged
from tests.support import eventually
from workers.task_loop import STUCK_STATUS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KILLS = 6
PAYMENTS = 400
CUT_OFF = "unexpected EOF on client connection with an open transaction"
STUCK = "stuck in a task, ending this process"
LOOKS_MAX = 15
ONLY_UPKEEP_STANDS = """
SELECT min(seen_at) FILTER (WHERE split_part(name, '@', 1) IN ('rails', 'webhooks'))
     > max(seen_at) FILTER (WHERE split_part(name, '@', 1) = 'upkeep') + interval '6 seconds'
FROM worker_heartbeats
"""
HANGS_IN_MAIL = """
import sys, threading
from pathlib import Path
sys.argv[0] = "celery"
import celery_config
from celery.__main__ import main
from workers import mail, task_loop
task_loop._watch.__defaults__ = ({looks},)
deliver = mail.MailSender.deliver
mail.MailSender.deliver = lambda self: threading.Event().wait() if Path({flag!r}).exists() else deliver(self)
main()
"""
"""The worker as it is started always, but mail hangs while there is a file, and seconds in a task are a minute."""


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    return {"STACK_SHAPE": "compact"}


@contextmanager
def able_to_hang(stack: Stack, flag: Path) -> Iterator[None]:
    process = stack.processes["housekeeping"]
    argv, process.argv = (
        process.argv,
        [
            *(sys.executable, "-c", HANGS_IN_MAIL.format(looks=LOOKS_MAX, flag=str(flag))),
            *process.argv[process.argv.index("celery") + 1 :],
        ],
    )
    process.forked = False
    process.stop()
    process.start()
    try:
        yield
    finally:
        process.argv, process.forked = argv, True
        process.stop()
        process.start()


def test_both_posters_are_killed_in_turns(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    killed, cut_off = [], logged(stack, "postgres", CUT_OFF)
    with users.submitting(users.mixed(PAYMENTS * times), per_second=40) as submitted:
        for number in range(KILLS * times):
            name = ("posting", "housekeeping")[number % 2]
            catch_a_poster(stack, name)
            killed.append(kill_the_parent(stack, name))
    answers = [answer.result() for answer in submitted]
    assert len(set(killed)) == KILLS * times
    assert not any(map(is_running, killed))
    eventually(lambda: logged(stack, "postgres", CUT_OFF) - cut_off >= KILLS * times, message="within transactions")
    assert {answer.status for answer in answers} == {ACCEPTED}
    reckoned(answers)


def test_one_poster_goes_on_without_the_other(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    posting, housekeeping = stack.processes["posting"], stack.processes["housekeeping"]
    posting.kill()
    answers = users.submit(users.mixed(50))
    for answer in answers:
        assert users.final(answer, seconds=60), "the second poster posts"
    with users.submitting(users.mixed(PAYMENTS), per_second=200) as submitted:
        wait(submitted[:50])
        housekeeping.kill()
    answers += [answer.result() for answer in submitted]
    housekeeping.start()
    reckoned(answers)
    housekeeping.kill()
    posting.start()
    answers = users.submit(users.mixed(50))
    for answer in answers:
        assert users.final(answer, seconds=60), "the first poster posts"
    housekeeping.start()
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")


def test_a_task_that_hangs_holds_up_no_other_and_ends(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    housekeeping, flag = stack.processes["housekeeping"], stack.home.path / "mail hangs"
    with able_to_hang(stack, flag):
        assert_heartbeats(stack, QUEUE_OF_KIND)
        flag.touch()
        eventually(lambda: scalar(stack, ONLY_UPKEEP_STANDS), seconds=60, message="other tasks go on")
        answers = users.submit([*users.mixed(50), users.withdrawal(users.clients[0], "6660.01")])
        eventually(lambda: not housekeeping.is_alive, seconds=10 * LOOKS_MAX, message="the watchdog ends it")
        assert housekeeping.status == STUCK_STATUS
        assert logged(stack, "housekeeping", STUCK) == 1
        assert logged(stack, "housekeeping", f'"task": "{MAIL}"') >= 1
        more = users.submit(users.mixed(20))
        for answer in more:
            assert users.final(answer, seconds=60), "the first poster goes on"
        flag.unlink()
        housekeeping.start()
        reckoned(answers + more)
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")
