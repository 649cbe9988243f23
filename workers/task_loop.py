"""Runs one task at a time in each worker process: started by a bell or, when none comes, by the process itself.

So without beat and without a broker all work goes on, only later; a process that is stuck in a task ends itself.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog

LOOK_SECONDS = 1.0

STUCK_SECONDS = 60.0
"""Twice Celery's hard limit of a task, which a solo worker does not enforce: a task that takes longer does not return.
Every wait in a task, for the database, the bank or the mail server, has a shorter limit of its own."""

STUCK_STATUS = 70
"""Exit status of a process that ends itself, to be restarted by its supervisor."""

SAY_SECONDS = 1.0
"""Time for the last log entry: the task may be stuck in logging itself, if the log's reader is gone or stopped."""

log = structlog.get_logger("worker")


class TaskLock:
    """Lock that admits one task at a time, and the monotonic time at which each task last ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._ended: dict[str, float] = {}
        self._number = 0
        self._task: str | None = None

    @contextmanager
    def hold(self, task: str) -> Iterator[None]:
        """Wait until no other task runs in this process, and run the block as this one."""
        with self._lock:
            self._number += 1
            self._task = task
            try:
                yield
            finally:
                self._task = None
                self._ended[task] = time.monotonic()

    def idle_seconds(self, task: str) -> float:
        """Seconds since that task last ended in this process."""
        return time.monotonic() - self._ended.get(task, self._began)

    def under_way(self) -> tuple[int, str | None]:
        """The number of the newest task run, and its task while it runs."""
        return self._number, self._task


task_lock = TaskLock()


def run_overdue_tasks(tasks: Mapping[str, tuple[Callable[[], object], float]]) -> None:
    """Run each task that has been idle for its number of seconds, and end this process when it is stuck in one."""
    global task_lock  # noqa: PLW0603 - a forked process starts with its own lock
    task_lock = TaskLock()
    threading.Thread(target=_serve, args=(task_lock, tasks), name="own clock", daemon=True).start()
    threading.Thread(target=_watch, args=(task_lock,), name="watchdog", daemon=True).start()


def _serve(lock: TaskLock, tasks: Mapping[str, tuple[Callable[[], object], float]]) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        for task, (run, silence_seconds) in tasks.items():
            if lock.idle_seconds(task) > silence_seconds:
                try:
                    run()
                except Exception:  # a worker outlives a task that raises
                    log.exception("task failed", task=task)


def _watch(lock: TaskLock, looks_max: int = round(STUCK_SECONDS / LOOK_SECONDS)) -> None:
    """Count checks, not time: a process that was stopped (SIGSTOP) for a while is not stuck."""
    before, looks = lock.under_way(), 0
    while looks < looks_max:
        time.sleep(LOOK_SECONDS)
        now = lock.under_way()
        looks = looks + 1 if now == before and now[1] else 0
        before = now
    fields = {"task": before[1], "seconds": STUCK_SECONDS}
    last = threading.Thread(
        target=log.error, args=("stuck in a task, ending this process",), kwargs=fields, daemon=True
    )
    last.start()
    last.join(SAY_SECONDS)
    os._exit(STUCK_STATUS)
