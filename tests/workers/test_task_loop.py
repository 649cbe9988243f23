"""A worker's own clock: tasks go on without bells, one at a time, and a process that is stuck in one ends."""

import subprocess
import sys
import threading

import pytest

from celery_config import DISPATCH, ENSURE_PARTITIONS, INSTRUCT, POST, TIMETABLE
from embedded.home import CHECKOUT
from tests.support import PATIENCE_SECONDS, eventually
from workers import task_loop
from workers.signals import silence_seconds
from workers.task_loop import STUCK_STATUS, TaskLock


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_loop, "LOOK_SECONDS", 0.01)


class Served:
    """A task that notes its turns; `_serve` of it goes on until the test ends it by raising out of its thread."""

    class Over(BaseException):
        """Ends the thread: it outlives every Exception."""

    def __init__(self) -> None:
        self.lock = TaskLock()
        self.done = 0
        self.is_over = False
        self.fails = 0

    def __call__(self) -> None:
        if self.is_over:
            raise Served.Over
        with self.lock.hold("task"):
            self.done += 1
        if self.fails:
            self.fails -= 1
            raise LookupError

    def serve(self, silence_seconds: float) -> threading.Thread:
        thread = threading.Thread(target=self._serve, args=(silence_seconds,))
        thread.start()
        return thread

    def _serve(self, silence_seconds: float) -> None:
        try:
            task_loop._serve(self.lock, {"task": (self, silence_seconds)})
        except Served.Over:
            return


def test_task_without_bells_is_run_repeatedly() -> None:
    task = Served()
    thread = task.serve(silence_seconds=0)
    eventually(lambda: task.done >= 3)
    task.is_over = True
    thread.join(PATIENCE_SECONDS)


def test_loop_survives_a_task_that_raises() -> None:
    task = Served()
    task.fails = 2
    thread = task.serve(silence_seconds=0)
    eventually(lambda: task.done >= 4)
    task.is_over = True
    thread.join(PATIENCE_SECONDS)


def test_task_with_timely_bells_is_left_to_them() -> None:
    lock = TaskLock()
    with lock.hold("task"):
        pass
    assert lock.idle_seconds("task") <= lock.idle_seconds("another")


def test_tasks_run_one_at_a_time() -> None:
    lock, order = TaskLock(), []
    is_inside, may_go = threading.Event(), threading.Event()

    def first() -> None:
        with lock.hold("first"):
            is_inside.set()
            may_go.wait(PATIENCE_SECONDS)
            order.append("first")

    def second() -> None:
        is_inside.wait(PATIENCE_SECONDS)
        with lock.hold("second"):
            order.append("second")

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    is_inside.wait(PATIENCE_SECONDS)
    assert lock.under_way() == (1, "first")
    may_go.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert order == ["first", "second"]
    assert lock.under_way() == (2, None)


def test_task_that_waits_already_is_not_waited_for_twice() -> None:
    """A thread runs a task, one waits with it: of others that come, only those with another task wait."""
    lock, may_go, ran = TaskLock(), threading.Event(), []

    def run(task: str) -> None:
        with lock.hold(task) as has_turn:
            may_go.wait(PATIENCE_SECONDS)
            if has_turn:
                ran.append(task)

    threads = [threading.Thread(target=run, args=(task,)) for task in ("first", "first", "second")]
    for thread in threads:
        thread.start()
    eventually(lambda: lock._waiting.keys() == {"first", "second"})
    for task in ("first", "second"):
        with lock.hold(task) as has_turn:
            assert not has_turn
    may_go.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert sorted(ran) == ["first", "first", "second"]
    with lock.hold("first") as has_turn:
        assert has_turn


STUCK = """
import threading
from workers import task_loop
task_loop.LOOK_SECONDS, task_loop.STUCK_SECONDS = 0.01, 0.1
lock = task_loop.TaskLock()
threading.Thread(target=task_loop._watch, args=([lock], 10), daemon=True).start()
with lock.hold("stuck"):
    threading.Event().wait()
"""


def test_process_stuck_in_a_task_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], cwd=CHECKOUT, timeout=PATIENCE_SECONDS * 2, check=False, capture_output=True
    )
    assert done.returncode == STUCK_STATUS
    assert b"threading.Event().wait()" in done.stdout or b"in wait" in done.stdout, "it says where"


BUSY = """
import threading
from workers import task_loop
task_loop.LOOK_SECONDS = 0.001
lock = task_loop.TaskLock()
watch = threading.Thread(target=task_loop._watch, args=([lock], 100), daemon=True)
watch.start()
for _ in range(300):
    with lock.hold("short"):
        threading.Event().wait(0.002)
"""


def test_process_that_completes_tasks_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], cwd=CHECKOUT, timeout=PATIENCE_SECONDS * 4, check=False)
    assert done.returncode == 0


def test_frequent_tasks_resume_within_ten_seconds() -> None:
    frequent = {task for task in TIMETABLE if silence_seconds(task) < 10}
    assert frequent == {task for task, seconds in TIMETABLE.items() if seconds < 60}
    assert frequent >= {POST, INSTRUCT, DISPATCH}
    assert silence_seconds(ENSURE_PARTITIONS) == 3 * TIMETABLE[ENSURE_PARTITIONS]
