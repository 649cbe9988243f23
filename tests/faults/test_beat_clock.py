"""Beat alone, its clock on the wall stepped by hours forth and back: tasks go on being sent, each once a period."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
import redis

from celery_config import DISPATCH, QUEUES, TIMETABLE
from embedded import home as homes
from embedded.stack import Stack
from tests.faults.clocks import Clocks
from tests.support import eventually

pytestmark = pytest.mark.slow
HOURS = 2 * 3600
STEPS = [0, HOURS, 0, -HOURS, HOURS, -HOURS, 0]
SENT_PER_STEP = 2


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Valkey alone, so that no worker takes what beat sends."""
    with homes.temporary() as home:
        stack = Stack(home, environ={"STACK_SHAPE": "separate"})
        try:
            stack.valkey.start()
            yield stack
        finally:
            stack.stop()


def test_a_step_of_hours_neither_silences_beat_nor_makes_it_hurry(stack: Stack) -> None:
    clocks, sent = Clocks(stack), Counter()
    with redis.Redis.from_url(stack.valkey.url()) as broker:

        def take() -> None:
            for queue in QUEUES:
                while message := broker.rpop(queue):
                    sent[next(task for task in TIMETABLE if f'"{task}"'.encode() in message)] += 1

        def goes_on(enough: int) -> bool:
            take()
            return sent[DISPATCH] >= enough

        began = time.monotonic()
        stack.processes["beat"].start()
        for seconds in STEPS:
            clocks.set({"beat": seconds})
            eventually(lambda enough=sent[DISPATCH] + SENT_PER_STEP: goes_on(enough), message=f"silent at {seconds} s")
        took = time.monotonic() - began
    assert stack.processes["beat"].is_alive
    assert set(sent) >= {task for task, period in TIMETABLE.items() if period < SENT_PER_STEP * len(STEPS) / 2}
    for task, period in TIMETABLE.items():
        assert sent[task] <= took / period + 1, f"{task} {sent[task]} times in {took} s"
