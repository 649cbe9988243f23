"""A process that is stuck in a task, because its log is no longer read, ends itself; the next one works."""

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded import home as homes
from embedded.stack import Stack
from tests.faults.inject import assert_heartbeats, children
from tests.stacks import UNLIMITED
from tests.support import begin_with, eventually
from workers.task_loop import STUCK_STATUS

pytestmark = pytest.mark.slow

WORKERS = ("posting", "webhooks")
PATIENCE_LOOKS = 5
SHORT_OF_PATIENCE = (
    "import sys; from celery.__main__ import main; from workers import task_loop;"
    f" task_loop._watch.__defaults__ = ({PATIENCE_LOOKS},); sys.argv[0] = 'celery'; main()"
)
"""The worker as it is started always, but five seconds in a task are a minute to it."""


class Reader:
    """Reads what a process logs into a pipe, until a test stops it."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o666)
        path.chmod(0o666)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._reads, self._is_over = threading.Event(), threading.Event()
        self._reads.set()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_over.is_set():
            if self._reads.wait(0.02) and select.select([self._pipe], [], [], 0.02)[0]:
                os.read(self._pipe, 65_536)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """As if its disk hung: the pipe is full."""
        self._reads.clear()
        try:
            while not self._is_full():
                pass
            yield
        finally:
            self._reads.set()

    def _is_full(self) -> bool:
        try:
            os.write(self._pipe, b"x")
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        os.close(self._pipe)


@pytest.fixture
def readers() -> dict[str, Reader]:
    """Of the logs, by the name of the process."""
    return {}


@pytest.fixture
def stack(migrated: Path, readers: dict[str, Reader]) -> Iterator[Stack]:
    """Workers that log into pipes."""
    with homes.temporary() as home:
        begin_with(migrated, home.path)
        stack = Stack(home, environ=UNLIMITED | {"STACK_SHAPE": "separate"})
        try:
            stack.start_servers()
            for name in WORKERS:
                readers[name] = Reader(home.log(name))
                process = stack.processes[name]
                arguments = process.argv[process.argv.index("celery") + 1 :]
                process.argv = [sys.executable, "-c", SHORT_OF_PATIENCE, *arguments]
                process.forked = False
                process.start()
            yield stack
        finally:
            stack.stop()
            for reader in readers.values():
                reader.close()


def test_a_worker_whose_log_is_read_by_nobody_ends_itself(stack: Stack, readers: dict[str, Reader]) -> None:
    assert_heartbeats(stack, WORKERS)
    webhooks, posters = stack.processes["webhooks"], children(stack, "posting")
    with readers["webhooks"].stopped(), readers["posting"].stopped():
        stack.postgres.stop("immediate")  # so that each task has a word to say
        eventually(lambda: not webhooks.is_alive, message="the solo worker ends")
        eventually(lambda: not set(children(stack, "posting")) & set(posters), message="the posters end")
    assert webhooks.status == STUCK_STATUS
    assert stack.processes["posting"].is_alive
    stack.postgres.start()
    webhooks.start()  # as its supervisor would
    assert_heartbeats(stack, WORKERS)
