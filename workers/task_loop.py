"""One task at a time in each process of a worker: rung for by a bell or, when none comes, begun by the process itself.

So without beat and without a broker all work goes on, only later; and a process that is stuck in a task ends.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog

LOOK_SECONDS = 1.0

STUCK_SECONDS = 60.0
"""Twice Celery's hard limit of a task, which a solo worker does not keep: whoever is in one for longer does not return.
Every wait in a task, for the database, the bank or the mail server, has a shorter end of its own."""

STUCK_STATUS = 70
"""With which such a process ends, to be started again by whoever keeps it."""

SAY_SECONDS = 1.0
"""For the last entry of the log: it may be the log's reader, gone or stopped, on which the task waits."""

log = structlog.get_logger("worker")


class TaskLock:
    """Who may work now, and when each task was last done, in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._ended: dict[str, float] = {}
        self._number = 0
        self._task: str | None = None

    @contextmanager
    def take(self, task: str) -> Iterator[None]:
        """Wait until no other task runs in this process, and be the one that does."""
        with self._lock:
            self._number += 1
            self._task = task
            try:
                yield
            finally:
                self._task = None
                self._ended[task] = time.monotonic()

    def idle_seconds(self, task: str) -> float:
        """For how long nobody has done that task."""
        return time.monotonic() - self._ended.get(task, self._began)

    def under_way(self) -> tuple[int, str | None]:
        """The number of the newest turn, and its task while it lasts."""
        return self._number, self._task


task_lock = TaskLock()


def run_overdue_tasks(tasks: Mapping[str, tuple[Callable[[], object], float]]) -> None:
    """Do in this process each task that nobody has done for so many seconds, and end it when it is stuck in one."""
    global task_lock  # noqa: PLW0603 - a forked process starts with its own lock
    task_lock = TaskLock()
    threading.Thread(target=_serve, args=(task_lock, tasks), name="own clock", daemon=True).start()
    threading.Thread(target=_watch, args=(task_lock,), name="watchdog", daemon=True).start()


def _serve(turns: TaskLock, tasks: Mapping[str, tuple[Callable[[], object], float]]) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        for task, (run, silence_seconds) in tasks.items():
            if turns.idle_seconds(task) > silence_seconds:
                try:
                    run()
                except Exception:  # as a worker outlives a task that raises
                    log.exception("task failed", task=task)


def _watch(turns: TaskLock, looks_max: int = round(STUCK_SECONDS / LOOK_SECONDS)) -> None:
    """Counts looks, not time: a process that was stopped for a while is not stuck."""
    before, looks = turns.under_way(), 0
    while looks < looks_max:
        time.sleep(LOOK_SECONDS)
        now = turns.under_way()
        looks = looks + 1 if now == before and now[1] else 0
        before = now
    said = {"task": before[1], "seconds": STUCK_SECONDS}
    last = threading.Thread(target=log.error, args=("stuck in a task, ending this process",), kwargs=said, daemon=True)
    last.start()
    last.join(SAY_SECONDS)
    os._exit(STUCK_STATUS)
