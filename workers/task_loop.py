"""Runs one task of a queue at a time in each process: started by a bell or, when none comes, by the process itself.

So without beat and without a broker all work goes on, only later; a process that is stuck in a task ends itself.
"""

import os
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import structlog

LOOK_SECONDS = 1.0

STUCK_SECONDS = 60.0
"""Twice Celery's hard limit of a task, which only forked pools enforce: a task that takes longer does not return.
Every wait in a task, for the database, the bank or the mail server, has a shorter limit of its own."""

STUCK_STATUS = 70
"""Exit status of a process that ends itself, to be restarted by its supervisor."""

SAY_SECONDS = 1.0
"""Time for the last log entry: the task may be stuck in logging itself, if the log's reader is gone or stopped."""

log = structlog.get_logger("worker")

Task = tuple[Callable[[], object], float]
"""What runs it, and after how many seconds without a bell the process does so by itself."""


class TaskLock:
    """Lock that admits one task at a time, and the monotonic time at which each task last ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, object] = {}
        self._began = time.monotonic()
        self._ended: dict[str, float] = {}
        self._number = 0
        self._task: str | None = None
        self._thread: int | None = None

    @contextmanager
    def hold(self, task: str) -> Iterator[bool]:
        """Wait until no other task holds the lock, and run the block as this one.

        False at once if another thread waits with the same task: that one will see all that this one would. So tasks
        that are long take no more threads than there are tasks.
        """
        turn = object()
        if self._waiting.setdefault(task, turn) is not turn:
            yield False
            return
        with self._lock:
            del self._waiting[task]
            self._number += 1
            self._task, self._thread = task, threading.get_ident()
            try:
                yield True
            finally:
                self._task = None
                self._ended[task] = time.monotonic()

    def idle_seconds(self, task: str) -> float:
        """Seconds since that task last ended in this process."""
        return time.monotonic() - self._ended.get(task, self._began)

    def under_way(self) -> tuple[int, str | None]:
        """The number of the newest task run, and its task while it runs."""
        return self._number, self._task

    def stack(self) -> str:
        """Where the thread stands that runs a task."""
        frame = sys._current_frames().get(self._thread or 0)
        return "".join(traceback.format_stack(frame)) if frame else ""


locks: defaultdict[str, TaskLock] = defaultdict(TaskLock)
"""Of this process, by queue: tasks of different queues run beside each other, where a process serves several."""


def run_overdue_tasks(queues: Mapping[str, Mapping[str, Task]]) -> None:
    """Run each task that has been idle for its number of seconds, and end this process when it is stuck in one."""
    locks.clear()  # a forked process starts with its own
    for queue, tasks in queues.items():
        threading.Thread(target=_serve, args=(locks[queue], tasks), name=f"clock of {queue}", daemon=True).start()
    threading.Thread(target=_watch, args=([*locks.values()],), name="watchdog", daemon=True).start()


def _serve(lock: TaskLock, tasks: Mapping[str, Task]) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        for task, (run, silence_seconds) in tasks.items():
            if lock.idle_seconds(task) > silence_seconds:
                try:
                    run()
                except Exception:  # a worker outlives a task that raises
                    log.exception("task failed", task=task)


def _watch(watched: Collection[TaskLock], looks_max: int = round(STUCK_SECONDS / LOOK_SECONDS)) -> None:
    """Count checks, not time: a process that was stopped (SIGSTOP) for a while is not stuck."""
    seen = [(lock, lock.under_way(), 0) for lock in watched]
    while not (stuck := [lock for lock, _, looks in seen if looks >= looks_max]):
        time.sleep(LOOK_SECONDS)
        seen = [
            (lock, now := lock.under_way(), looks + 1 if now == before and now[1] else 0)
            for lock, before, looks in seen
        ]
    fields = {"task": stuck[0].under_way()[1], "seconds": STUCK_SECONDS, "stack": stuck[0].stack()}
    last = threading.Thread(
        target=log.error, args=("stuck in a task, ending this process",), kwargs=fields, daemon=True
    )
    last.start()
    last.join(SAY_SECONDS)
    os._exit(STUCK_STATUS)
