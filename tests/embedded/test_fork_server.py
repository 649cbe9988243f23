"""A forked process is what an executed one is, but for the time that its imports take."""

import json
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import fork_server
from embedded.home import CHECKOUT
from embedded.process import Process
from tests.faults.inject import is_running
from tests.support import eventually

ASKED = """
import importlib, os
asked = []
for name in ("getuid", "geteuid", "getgid", "getegid"):
    setattr(os, name, lambda name=name, real=getattr(os, name): asked.append(name) or real())
from embedded.fork_server import LIBRARIES
del asked[:]
for library in LIBRARIES:
    importlib.import_module(library)
    assert not asked, (library, asked)
"""

UNWANTED = """
import sys
from embedded import fork_server
fork_server.load()
assert {name.partition(".")[0] for name in sys.modules} & {*fork_server.UNWANTED} == set()
import rich.console
import click_repl
assert click_repl.__file__
"""

ABOUT_ITSELF = """
import ctypes, json, os, sys
number = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(number))
environ = {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}
shown = open("/proc/self/cmdline", "rb").read(100).decode()
streams = [os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) for fd in range(3)]
others = [int(fd) for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and os.path.lexists(f"/proc/self/fd/{fd}")]
print(json.dumps([environ, os.getcwd(), os.getsid(0) == os.getpid(), number.value, shown, streams, others]))
"""


def python(tmp_path: Path, code: str, **options) -> Process:
    """A process that runs this code by a module of the standard library."""
    argv = [sys.executable, "-m", "timeit", "-n", "1", "-r", "1", code]
    return Process(argv, log=tmp_path / "log", cwd=tmp_path, **options)


def test_it_is_as_one_that_is_executed(tmp_path: Path):
    told = []
    with (tmp_path / "inherited").open("w") as inherited:
        number = inherited.fileno()
        for forked in (False, True):
            process = python(
                tmp_path,
                ABOUT_ITSELF,
                environ={"PATH": "/bin", "WORD": "ä b"},
                inherits=(number,),
                death_signal=signal.SIGINT,
                forked=forked,
            )
            process.start()
            eventually(lambda process=process: not process.is_alive, message="it ends")
            assert process.status == 0, process.log.read_text()
            told.append(json.loads(process.log.read_text().splitlines()[0]))
            process.log.unlink()
    assert told[0] == told[1]
    assert told[1][-1] == [number]


@pytest.mark.parametrize(
    ("code", "status"), [("import os; os._exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_its_exit_status_is_known(tmp_path: Path, code: str, status: int):
    process = python(tmp_path, code, forked=True)
    process.start()
    eventually(lambda: not process.is_alive, message="it ends")
    assert (process.status, process.status) == (status, status)


def test_no_library_asks_as_which_user_it_is_imported():
    """Its answer would be the server's: gunicorn could not start under root, where a fork runs as another user."""
    subprocess.run([sys.executable, "-c", ASKED], check=True, cwd=CHECKOUT)


def test_what_is_unwanted_is_not_loaded_but_can_be():
    done = subprocess.run(
        [sys.executable, "-c", UNWANTED], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_new_server_follows_one_that_was_killed_with_its_forks(tmp_path: Path):
    process = python(tmp_path, "import time; time.sleep(600)", forked=True)
    process.start()
    before, pid = fork_server.running().pid, process.pid
    subprocess.run(["kill", "-KILL", str(before)], check=True)
    eventually(lambda: not process.is_alive, message="the fork is seen to have ended")
    eventually(lambda: not is_running(pid), message="it has ended")
    process.start()
    assert fork_server.running().pid != before
    assert process.is_alive
    process.stop()
    assert process.status == -signal.SIGTERM


def test_it_dies_with_a_killed_supervisor(tmp_path: Path):
    program = (
        "import sys, time, pathlib; from embedded.process import Process\n"
        "argv = [sys.executable, '-m', 'timeit', '-n1', '-r1', 'import time; time.sleep(600)']\n"
        "child = Process(argv, log=pathlib.Path(sys.argv[1]), cwd=pathlib.Path('/'), forked=True)\n"
        "child.start(); print(child.pid, flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", program, tmp_path / "log"]
    with subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    eventually(lambda: not is_running(child), message="the child ends")


def test_no_secret_of_a_fork_is_in_the_memory_of_the_next(tmp_path: Path):
    secret = secrets.token_hex(20)
    process = python(tmp_path, "import time; time.sleep(600)", environ={"SECRET": secret}, forked=True)
    process.start()
    server = fork_server.running().pid
    assert secret in memory_of(process.pid or 0)
    assert secret not in memory_of(server)
    process.stop()


def memory_of(pid: int) -> str:
    """What a process may write to."""
    text = ""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if match := re.match(r"(\w+)-(\w+) rw", line):
                start, end = (int(number, 16) for number in match.groups())
                memory.seek(start)
                text += memory.read(end - start).decode("latin-1")
    return text
