"""One long-running process of the stack: started with its log and identity, and ended with its parent."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from embedded import fork_server
from embedded.fork_server import Fork, die_with
from embedded.home import StackError
from embedded.identity import Identity, invoker

LOG_BYTES_MAX = 16 * 1024 * 1024
"""Size at which a log is rotated, with one older file; all logs of a stack together stay below some 300 MB."""
LOG_TAIL_LINES = 12
POLL_SECONDS = 0.02


class Process:
    """A program and how to start it.

    `death_signal` is what the kernel sends it when the parent dies, `inherits` the file descriptors it is given.
    A Python module (`python -m`) may be `forked` by the fork server.
    """

    def __init__(
        self,
        argv: list[str | Path],
        *,
        log: Path,
        cwd: Path,
        environ: dict[str, str] | None = None,
        identity: Identity | None = None,
        death_signal: signal.Signals = signal.SIGTERM,
        inherits: tuple[int, ...] = (),
        forked: bool = False,
    ) -> None:
        self.argv = argv
        self.log = log
        self.cwd = cwd
        self.environ = environ
        self.identity = identity or invoker()
        self.death_signal = death_signal
        self.inherits = inherits
        self.forked = forked
        self._popen: subprocess.Popen | Fork | None = None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def is_alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def status(self) -> int | None:
        """Its exit status, negative if by a signal; None while it runs."""
        return self._popen.poll() if self._popen else None

    def start(self) -> None:
        """Start it; from the main thread, because the death signal follows the thread that started it."""
        if self.is_alive:
            return
        self._end_group()
        rotate(self.log)
        with self.log.open("ab") as output:
            self._popen = self._fork(output.fileno()) if self.forked else self._execute(output.fileno())

    def _execute(self, output: int) -> subprocess.Popen:
        return subprocess.Popen(
            self.argv,
            cwd=self.cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=self.inherits,
            preexec_fn=partial(die_with, os.getpid(), self.death_signal),  # noqa: PLW1509  one thread
            **self.identity.popen_options(),
        )

    def _fork(self, output: int) -> Fork:
        argv = [str(word) for word in self.argv[2:]]
        wanted = fork_server.wanted(argv, self.cwd, self.environ or dict(os.environ), self.identity, self.death_signal)
        inherited = {number: number for number in self.inherits}
        return fork_server.running().start(wanted, {1: output, 2: output, **inherited})

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._popen and self.is_alive:
            self._popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> None:
        """Send this signal and wait; after `seconds` it is killed with all its children."""
        if self._popen is None:
            return
        self.send(number)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self._end_group()

    def kill(self) -> None:
        """Simulate a crash: SIGKILL to this process alone."""
        self.send(signal.SIGKILL)
        if self._popen:
            self._popen.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready; raises StackError with the end of its log if it ends or is too slow."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_alive or time.monotonic() > deadline:
                how = (
                    f"not ready after {seconds:g} s"
                    if self.is_alive
                    else f"ended ({self._popen and self._popen.poll()})"
                )
                raise StackError(f"{Path(self.argv[0]).name} {how}; the end of {self.log}:\n{tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def _end_group(self) -> None:
        """Kill processes left over from the last run: grandchildren would hold its port."""
        if self._popen:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()


def rotate(log: Path) -> None:
    """Truncate a log that is too long, after copying it; processes go on appending to the same file."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES_MAX:
            before = log.with_suffix(".log.1")
            shutil.copyfile(log, before)
            before.chmod(0o600)
            os.truncate(log, 0)


def tail(log: Path) -> str:
    """The last lines of a log, empty if there is none."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]) if log.exists() else ""


def wait_until_left(directory: Path, seconds: float) -> None:
    """Wait for the last run's server to release its data; raises StackError if it is still in use.

    A pid file cannot tell, its number may be another program's by now; but a server works in its data.
    """
    deadline = time.monotonic() + seconds
    while pids := list(_pids_in(directory)):
        if time.monotonic() > deadline:
            raise StackError(f"{directory} is still in use by process {pids[0]}: end it first")
        time.sleep(POLL_SECONDS)


def _pids_in(directory: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # ended meanwhile, or another user's
                if (entry / "cwd").readlink() == directory:
                    yield int(entry.name)
