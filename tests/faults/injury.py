"""What is done to the stack's processes, and how it shows afterwards that it was done."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from embedded.stack import Stack
from tests.support import eventually


def children(stack: Stack, name: str) -> list[int]:
    """The pids of the process's own children: pool processes of a worker, workers of the gateway."""
    return [child.pid for child in psutil.Process(stack.processes[name].pid).children()]


def kill(pid: int) -> None:
    """SIGKILL, and see it gone."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid), message=f"process {pid} is gone")


def kill_a_child(stack: Stack, name: str, which: int = 0) -> int:
    """Kill one of the process's children, and see another take its place; returns its pid."""
    before = eventually(lambda: children(stack, name))
    pid = before[which % len(before)]
    kill(pid)
    eventually(lambda: len(set(children(stack, name)) - set(before)) > 0, message=f"{name} has a new child")
    return pid


def kill_the_parent(stack: Stack, name: str) -> int:
    """Kill the process itself and start it again, as its supervisor would; returns its pid."""
    pid = stack.processes[name].pid
    stack.processes[name].kill()
    stack.processes[name].start()
    return pid


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
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


def logged(stack: Stack, name: str, words: str) -> int:
    """How many lines of the process's log contain the words."""
    return stack.home.log(name).read_text(errors="replace").count(words)
