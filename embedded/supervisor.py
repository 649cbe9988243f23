"""Keeps the checkout's stack running: restarts crashed parts, and stops all of them in order on a signal."""

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from rich.console import Console

from embedded import api, connection_files, demo
from embedded.home import CHECKOUT, Home, StackError
from embedded.process import rotate, tail
from embedded.stack import Stack

POLL_SECONDS = 0.2
BACKOFF_SECONDS_MIN = 0.5
BACKOFF_SECONDS_MAX = 15.0
HEALTHY_SECONDS = 60.0
"""A part that ran for this time is restarted after the shortest delay."""
LOCK_SECONDS_MAX = 1.0
"""A process that only checks whether a supervisor runs holds the lock for a moment."""
UP_SECONDS_MAX = 180
DOWN_SECONDS_MAX = 150

screen = Console(highlight=False, soft_wrap=True)


def run(with_demo: bool = True) -> None:
    """Start the stack, show a payment, and stay until Ctrl-C or SIGTERM; raises StackError."""
    home = Home.of_checkout()
    with _the_only_supervisor(home), _started(home) as (stack, people):
        try:
            connection_files.write(stack, people)
            if with_demo:
                _show(stack.url, people)
                demo.suggest(stack.url, people, screen)
                screen.print("Ctrl-C ends it; the data stays.")
            _keep_running(stack, people)
        except KeyboardInterrupt:
            screen.print("\nending: the workers finish their tasks")
        finally:
            connection_files.remove()
    screen.print("ended; the data stays")


def up() -> None:
    """Start the stack in the background, unless it runs, and return when it is ready; raises StackError."""
    home = Home.of_checkout()
    log = home.log("supervisor")
    was_running = supervisor_pid(home) is not None
    log.touch()  # what runs in the foreground writes none
    if not was_running:
        log.write_bytes(b"")
        with log.open("ab") as output:  # so that it can be rotated
            subprocess.Popen(
                [sys.executable, "-m", "embedded", "run", "--background"],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait(lambda: supervisor_pid(home), LOCK_SECONDS_MAX * 10)
    with log.open() as lines:
        _wait(lambda: _is_settled(home, None if was_running else lines), UP_SECONDS_MAX)
        _echo(None if was_running else lines)
    ready = running(home)
    if ready is None:
        raise StackError(f"the stack did not start; the end of {log}:\n{tail(log)}")
    if was_running:
        screen.print(f"it is running already, process {ready['pids']['supervisor']}")
    demo.suggest(ready["url"], ready["users"], screen)
    screen.print("make down ends it; the data stays.")


def down() -> None:
    """End the stack, if it runs, and return when it has ended; raises StackError."""
    home = Home.of_checkout()
    pid = supervisor_pid(home)
    if pid is None:
        connection_files.remove()
        screen.print("not running")
        return
    supervisor = os.pidfd_open(pid)  # readable once the process has ended
    signal.pidfd_send_signal(supervisor, signal.SIGTERM)
    if not select.select([supervisor], [], [], DOWN_SECONDS_MAX)[0]:
        raise StackError(f"the stack (process {pid}) has not ended after {DOWN_SECONDS_MAX} s")
    screen.print("ended; the data stays")


def demonstrate() -> None:
    """Show a payment on the running stack, or on one started for this.

    Raises demo.NotCompletedError, or StackError.
    """
    home = Home.of_checkout()
    if ready := running(home):
        demo.show(ready["url"], ready["users"], screen)
        demo.suggest(ready["url"], ready["users"], screen)
        return
    with _the_only_supervisor(home), _started(home) as (stack, people):
        demo.show(stack.url, people, screen)


def status() -> bool:
    """Print where the stack runs, if it does, and its problems."""
    ready = running(Home.of_checkout())
    screen.print(f"running at {ready['url']}, process {ready['pids']['supervisor']}" if ready else "not running")
    for problem in api.problems(ready["url"]) if ready else []:
        screen.print(f"{problem['code']}: {problem['detail']}; {problem['command']}")
    return ready is not None


def running(home: Home) -> dict[str, Any] | None:
    """The content of the ready stack's stack.json, or None; a file of a killed supervisor is ignored."""
    info = connection_files.read()
    return info if info and info["pids"]["supervisor"] == supervisor_pid(home) else None


def supervisor_pid(home: Home) -> int | None:
    """The pid of the supervisor of this home's stack, or None: it holds the lock for its lifetime."""
    with _open_lock(home) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return int(lock.read() or 0) or None
    return None


@contextmanager
def _the_only_supervisor(home: Home) -> Iterator[None]:
    with _open_lock(home) as lock:
        if not _wait(lambda: _is_locked(lock), LOCK_SECONDS_MAX):
            raise StackError("this checkout's stack runs already: make demo shows a payment on it, make down ends it")
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


@contextmanager
def _started(home: Home) -> Iterator[tuple[Stack, demo.People]]:
    """The running stack of this environment, with users; stopped afterwards, also by a signal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    stack = Stack(
        home,
        database_url=os.environ.get("DATABASE_URL"),
        redis_url=os.environ.get("REDIS_URL"),
        broker_url=os.environ.get("BROKER_URL"),
        port=int(os.environ.get("PORT", "0")),
    )
    began = time.monotonic()
    try:
        screen.print(f"starting in {home.path}")
        stack.start(screen.print)
        people = demo.prepare(stack)
        screen.print(f"{', '.join(stack.parts)} are up after {time.monotonic() - began:.1f} s")
        yield stack, people
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stack.stop()


@dataclass
class _Restart:
    """When an ended part may be restarted."""

    delay_seconds: float = BACKOFF_SECONDS_MIN
    started_at: float = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self.started_at + self.delay_seconds

    def note(self) -> None:
        ran_seconds = time.monotonic() - self.started_at
        doubled = min(self.delay_seconds * 2, BACKOFF_SECONDS_MAX)
        self.delay_seconds = BACKOFF_SECONDS_MIN if ran_seconds > HEALTHY_SECONDS else doubled
        self.started_at = time.monotonic()


def _keep_running(stack: Stack, people: demo.People) -> NoReturn:
    restarts = {name: _Restart() for name in stack.parts}
    while True:
        for log in stack.home.directory("logs").glob("*.log"):
            rotate(log)
        for name, part in stack.parts.items():
            if not part.is_alive and restarts[name].is_due():
                screen.print(f"{name} ended; starting it again, see {stack.home.log(name)}")
                restarts[name].note()
                try:
                    part.start()
                except StackError as error:
                    screen.print(error)
                connection_files.write(stack, people)
        time.sleep(POLL_SECONDS)


def _show(url: str, people: demo.People) -> None:
    try:
        demo.show(url, people, screen)
    except demo.NotCompletedError as error:
        screen.print(f"[red]{error}[/]")


def _is_settled(home: Home, lines: TextIO | None) -> bool:
    """Return True if the stack is ready or has ended; shows the new output of its supervisor."""
    _echo(lines)
    return running(home) is not None or supervisor_pid(home) is None


def _echo(lines: TextIO | None) -> None:
    if lines:
        screen.print(lines.read(), end="", markup=False)


def _open_lock(home: Home) -> TextIO:
    path = home.path / "lock"
    path.touch(mode=0o600)
    return path.open("a+")


def _is_locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(condition: Callable[[], Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
