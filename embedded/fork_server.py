"""Starts gateway and workers as forks of a process that has imported their libraries, which takes a second each time.

Of the project itself it imports nothing: a process that is started again runs the code as it is now.
"""

import ctypes
import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from embedded.identity import Identity

LIBRARIES = (
    *("anyio", "argon2", "celery.app.amqp", "celery.app.log", "celery.app.trace", "celery.apps.beat"),
    *("celery.apps.worker", "celery.bin.beat", "celery.bin.celery", "celery.bin.worker"),
    *("celery.concurrency.solo", "celery.concurrency.thread", "cryptography.fernet"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "defusedxml.ElementTree", "email.policy"),
    *("email_validator", "environs", "flask_cors", "flask_smorest", "greenlet", "gzip", "httpcore", "httptools"),
    *("httpx", "kombu.transport.redis", "limits.storage", "phonenumbers", "psycopg2.errors", "psycopg2.extras"),
    *("pyotp", "schwifty", "segno", "simple_websocket", "smtplib", "sqlalchemy.dialects.postgresql.psycopg2"),
    *("standardwebhooks", "structlog", "uuid_utils.compat", "uvloop", "wsgiref.simple_server"),
)
"""What gateway and workers import: what both need is in memory once. Not prometheus_client, whose import reads the
environment, nor gunicorn, whose import keeps the user that its workers are to run as: here root, there another. Nor
alembic, sepaxml and text_unidecode, megabytes that are needed for a moment or never."""

UNWANTED = ("click_repl", "opentelemetry", "psutil", "pygments", "rich")
"""What libraries import if it is installed, and no server needs: megabytes, too. A process that does need it
imports it by itself."""

INHERITED = ("PYTHON", "LC_", "LANG", "MALLOC_")
ALLOCATION = {"MALLOC_ARENA_MAX": "1"}
"""Of glibc: one heap for all threads, which allocate one after the other anyway, and not one for each."""

TITLE_BYTES = 400
"""Room for the command line of a fork, which `ps` shows."""
REQUEST_BYTES_MAX = 64
DESCRIPTORS_MAX = 8
POLL_SECONDS = 0.02
PR_SET_PDEATHSIG = 1

_server: "ForkServer | None" = None


def running() -> "ForkServer":
    """This process's fork server, started if it does not run.

    From the main thread: with that it ends.
    """
    global _server  # noqa: PLW0603 - one a process
    if _server is not None and not _server.is_alive:
        end()
    if _server is None:
        _server = ForkServer()
    return _server


def end() -> None:
    """End the fork server of this process, and its forks."""
    global _server  # noqa: PLW0603 - as above
    if _server is not None:
        _server.end()
        _server = None


class ForkServer:
    """A process that forks on request; it ends with its parent, and its forks with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-m", "embedded.fork_server"),
                    *(str(theirs.fileno()), str(os.getpid()), " " * TITLE_BYTES),
                ],
                cwd=Path(__file__).parent.parent,
                env=ALLOCATION | {name: value for name, value in os.environ.items() if name.startswith(INHERITED)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def end(self) -> None:
        self._control.close()
        self._popen.wait()

    def start(self, wanted: dict[str, Any], descriptors: dict[int, int]) -> "Fork":
        """Fork a process that is `wanted`, with these open files, each under the number that it shall have.

        The process itself reads what is wanted: no secret of one is left in the memory of the next.
        """
        request = os.memfd_create("wanted")
        try:
            with os.fdopen(os.dup(request), "w") as file:
                json.dump(wanted | {"numbers": list(descriptors)}, file)
            return Fork(self, self._ask("start", [request, *descriptors.values()]))
        finally:
            os.close(request)

    def run(self, wanted: dict[str, Any], text: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a module to its end with this text as its input; raises TimeoutExpired after killing it."""
        streams = [os.memfd_create(name) for name in ("input", "output", "errors")]
        files = [os.fdopen(stream, "r+") for stream in streams]
        with files[0], files[1], files[2]:
            files[0].write(text)
            files[0].seek(0)
            fork = self.start(wanted, dict(enumerate(streams)))
            try:
                status = fork.wait(seconds)
            finally:
                fork.send_signal(signal.SIGKILL)
            for file in files[1:]:
                file.seek(0)
            return subprocess.CompletedProcess(wanted["argv"], status, files[1].read(), files[2].read())

    def status(self, pid: int) -> int | None:
        """The exit status of that fork, negative if by a signal; None while it runs. It is told once."""
        try:
            return self._ask(str(pid))
        except OSError:
            return -signal.SIGTERM

    def _ask(self, text: str, descriptors: Sequence[int] = ()) -> Any:
        with self._lock:
            socket.send_fds(self._control, [text.encode()], descriptors)
            answer = self._control.recv(REQUEST_BYTES_MAX)
        if not answer:
            raise ConnectionError("the fork server ended")
        return json.loads(answer)


class Fork:
    """A forked process, with what subprocess.Popen has."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or float("inf"))
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(POLL_SECONDS)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def wanted(
    argv: list[str], cwd: Path, environ: dict[str, str], identity: Identity, death_signal: int = signal.SIGTERM
) -> dict[str, Any]:
    """What a fork is to be: the module in `argv` with its arguments, and where, with what and as whom it runs."""
    drops_to = None if identity.is_ours else (identity.uid, identity.gid)
    return {
        "argv": argv, "cwd": str(cwd), "environ": environ, "identity": drops_to, "death_signal": int(death_signal)
    }  # fmt: skip


def serve(control: socket.socket) -> list[int]:
    """Answer requests until the parent ends; in each fork, return the open files of its request."""
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES_MAX, DESCRIPTORS_MAX)
        if not text:
            raise SystemExit
        answer: int | None
        if text == b"start":
            if not (answer := os.fork()):
                return descriptors
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            pid, status = os.waitpid(int(text), os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        control.send(json.dumps(answer).encode())


def become(request: int, descriptors: list[int], server: int) -> list[str]:
    """Be the process that is `wanted`, as long as the server runs; returns its argv."""
    os.lseek(request, 0, os.SEEK_SET)
    with os.fdopen(request) as file:
        wanted = json.load(file)
    os.setsid()
    _show(wanted["argv"])
    above = max(wanted["numbers"]) + 1
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, above) for descriptor in descriptors]
    os.closerange(3, above)
    for descriptor, number in zip(moved, wanted["numbers"], strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["environ"])
    if wanted["identity"]:
        uid, gid = wanted["identity"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    die_with(server, wanted["death_signal"])
    return wanted["argv"]


def die_with(parent: int, number: int) -> None:
    """Let the kernel send this process the signal when its parent dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os._exit(1)


def _show(argv: list[str]) -> None:
    """Write the command over that of this process, as setproctitle does, within the room that it has."""
    start, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
    title = "\0".join([sys.executable, "-m", *argv]).encode()[: end - start - 1]
    ctypes.memmove(start, title.ljust(end - start, b"\0"), end - start)


def load() -> None:
    """Import the libraries, as if what is unwanted were not installed."""
    sys.modules |= dict.fromkeys(UNWANTED)  # type: ignore[arg-type]  # None: it cannot be imported
    sys.modules["click_repl"] = repl = ModuleType("click_repl")  # Celery insists
    repl.register_repl = lambda *_: None  # type: ignore[attr-defined]
    for library in LIBRARIES:
        import_module(library)
    for name in UNWANTED:
        del sys.modules[name]


def main(descriptor: str, parent: str) -> None:
    """Import the libraries, serve, and in each fork run the module that is wanted."""
    die_with(int(parent), signal.SIGKILL)
    server = os.getpid()  # which a fork must not ask for: the server may have ended by then
    with socket.socket(fileno=int(descriptor)) as control:
        load()
        gc.freeze()  # a collection would copy the memory that is shared
        request, *descriptors = serve(control)
    sys.argv = become(request, descriptors, server)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
