"""Faults injected into the stack's processes, and the proof afterwards that they were."""

import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil

from embedded.postgres import SUPERUSER
from embedded.stack import Stack
from tests.e2e.state_machine.audit import scalar
from tests.support import eventually, kept_engine

CATCH_SECONDS_MAX = 300
LOOK_SECONDS = 0.15
PAUSE_SECONDS_MAX = 0.06
STANDSTILL_SECONDS = 1.0
"""A transaction that paused so long goes on only after its process does; the server ends it after five."""
PAUSED_SECONDS = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0)::float FROM pg_stat_activity
WHERE usename = 'payments_worker' AND state = 'idle in transaction'
  AND application_name LIKE 'payments-worker {name}@%%' AND query NOT LIKE '%%virtualtransaction FROM pg_locks%%'
"""
"""Of the worker of that name; who leads lanes pauses always."""


NOW = "SELECT extract(epoch FROM clock_timestamp())::float"
HEARTBEATS = """
SELECT coalesce(array_agg(split_part(name, '@', 1)), '{{}}') FROM worker_heartbeats
WHERE name <> 'beat' AND {column} > to_timestamp({since})
"""


def assert_heartbeats(stack: Stack, workers: Collection[str], column: str = "seen_at") -> None:
    """Each of the workers ends a task from now on; with the column `heard_at`, one that a message started."""
    query = HEARTBEATS.format(column=column, since=scalar(stack, NOW))
    eventually(lambda: set(scalar(stack, query)) == set(workers), seconds=300, message=f"heartbeats of {workers}")


def children(stack: Stack, name: str) -> list[int]:
    """The pids of the process's own living children: pool processes of a worker, workers of the gateway."""
    return [child.pid for child in psutil.Process(stack.processes[name].pid).children() if is_running(child.pid)]


def posters(stack: Stack, *names: str) -> dict[int, str]:
    """The processes that post, or those of these names: their pids, and the name of each."""
    found: dict[int, str] = {}
    for name, process in stack.doing("posting").items():
        if name in (names or stack.processes):
            pids = [process.pid] if "--pool" in process.argv else children(stack, name)
            found |= dict.fromkeys(pids, name)
    return found


def kill(pid: int) -> None:
    """SIGKILL, and see it gone."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid), message=f"process {pid} is gone")


def kill_a_child(stack: Stack, name: str, pid: int) -> int:
    """Kill this child of the process, and see another take its place; returns its pid."""
    before = children(stack, name)
    kill(pid)
    eventually(lambda: set(children(stack, name)) - set(before), message=f"{name} has a new child")
    return pid


def kill_the_parent(stack: Stack, name: str) -> int:
    """Kill the process itself and start it again, as its supervisor would; returns its pid."""
    pid = stack.processes[name].pid
    stack.processes[name].kill()
    stack.processes[name].start()
    return pid


def catch_a_poster(stack: Stack, *names: str) -> int:
    """Stop one of the processes that post, or of those of these names, within a transaction; returns its pid."""

    def caught() -> int | None:
        for pid, name in posters(stack, *names).items():
            with suppress(ProcessLookupError):  # a starting worker has children that end at once
                os.kill(pid, signal.SIGSTOP)
                if _is_in_a_transaction(stack, name):
                    return pid
                os.kill(pid, signal.SIGCONT)
        return None

    return eventually(caught, CATCH_SECONDS_MAX, message="a poster stands still within its transaction")


def _is_in_a_transaction(stack: Stack, name: str) -> bool:
    """True if a transaction of this worker stands still; one that goes on leaves this state sooner."""
    deadline = time.monotonic() + LOOK_SECONDS
    while (paused := as_superuser(stack, PAUSED_SECONDS.format(name=name))) < STANDSTILL_SECONDS:
        if paused < PAUSE_SECONDS_MAX and time.monotonic() > deadline:
            return False
    return True


def is_running(pid: int) -> bool:
    """True if there is such a process, and it is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process is frozen meanwhile: it holds its connections and answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def as_superuser(stack: Stack, query: str) -> float:
    """One number, from who sees and may end every session."""
    with kept_engine(stack.postgres.url(role=SUPERUSER)).connect() as connection:
        return connection.exec_driver_sql(query).scalar_one()


def logged(stack: Stack, name: str, text: str) -> int:
    """The number of times that the process's log contains the text."""
    return stack.home.log(name).read_text(errors="replace").count(text)
