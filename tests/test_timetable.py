"""Beat's clock: monotonic, without a file; and queues that do not grow while no worker serves them."""

from collections import Counter

import pytest
import redis

import timetable
from bell import BrokerUnavailable
from celery_config import DISPATCH, ENSURE_PARTITIONS, FORGET, QUEUE_OF, QUEUES, TIMETABLE, app
from timetable import MonotonicScheduler

START = 1_000.0


class Clock:
    """Stands still until a test moves it."""

    now = START

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timetable, "time", clock)
    return clock


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were sent, in order, to a broker that takes every one."""
    sent: list[str] = []
    monkeypatch.setattr(timetable, "publish", lambda _, task: sent.append(task))
    return sent


def run(scheduler: MonotonicScheduler, clock: Clock, seconds: float) -> None:
    """Let it tick as beat does, for so long."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += scheduler.tick() or 0


def test_each_task_is_sent_at_the_start_and_once_a_period(clock: Clock, sent: list[str]) -> None:
    scheduler = MonotonicScheduler(app)
    while not scheduler.tick():
        pass
    assert sorted(sent) == sorted(TIMETABLE)
    sent.clear()
    run(scheduler, clock, 60)
    seen = Counter(sent)
    for task, seconds in TIMETABLE.items():
        assert seen[task] in ((0,) if seconds > 60 else range(int(55 / seconds), int(61 / seconds) + 2)), task


def test_the_clock_on_the_wall_is_not_asked(clock: Clock, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It may stand, or step by hours forth and back."""
    monkeypatch.setattr(app, "now", lambda: pytest.fail("the wall clock was asked"))
    run(MonotonicScheduler(app), clock, 30)
    assert Counter(sent)[DISPATCH] >= 29


def test_a_restart_remembers_nothing_and_sends_the_rare_ones_too(clock: Clock, sent: list[str]) -> None:
    for _ in range(2):
        sent.clear()
        run(MonotonicScheduler(app, schedule_filename="/nowhere/beat-schedule"), clock, 2)
        assert {ENSURE_PARTITIONS, FORGET} <= set(sent)


def test_no_queue_grows_while_its_worker_is_away(clock: Clock, bells: redis.Redis) -> None:
    run(MonotonicScheduler(app), clock, 200)
    waiting = {queue: bells.llen(queue) for queue in QUEUES}
    assert waiting == Counter(QUEUE_OF[task] for task in TIMETABLE), "one bell a task"


def test_an_unavailable_broker_costs_a_turn_each_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def away(_: str, task: str) -> None:
        tried.append(task)
        raise BrokerUnavailable

    monkeypatch.setattr(timetable, "publish", away)
    run(MonotonicScheduler(app), clock, 10)
    assert Counter(tried)[DISPATCH] >= 9
