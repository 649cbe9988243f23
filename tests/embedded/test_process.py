"""A process of the stack: gone with its parent, whole group and all, and telling why it ended."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from embedded import process as processes
from embedded.home import CHECKOUT, StackError
from embedded.process import Process, rotate
from tests.support import eventually


def process(tmp_path: Path, script: str, **options) -> Process:
    return Process(["/bin/sh", "-c", script], log=tmp_path / "log", cwd=tmp_path, **options)


def lives(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_it_dies_with_a_killed_parent(tmp_path: Path):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib; from embedded.process import Process\n"
            "child = Process(['/bin/sleep', '600'], log=pathlib.Path(sys.argv[1]), cwd=pathlib.Path('/'))\n"
            "child.start(); print(child.pid, flush=True); time.sleep(600)",
            str(tmp_path / "log"),
        ],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        child = int(parent.stdout.readline())
        assert lives(child)
        parent.kill()
    eventually(lambda: not lives(child), message="the child ends")


def test_start_removes_leftovers_of_a_killed_process(tmp_path: Path):
    family = process(tmp_path, "sleep 600 & echo $!; wait")
    family.start()
    grandchild = int(eventually(family.log.read_text, message="the grandchild's pid"))
    family.kill()
    assert lives(grandchild)
    family.start()
    eventually(lambda: not lives(grandchild), message="the grandchild ends")
    family.stop()


def test_one_that_does_not_heed_the_signal_is_killed(tmp_path: Path):
    deaf = process(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    deaf.start()
    eventually(deaf.log.read_text, message="it listens")
    deaf.stop(seconds=0.2)
    assert not deaf.is_alive


def test_one_that_ends_too_early_tells_its_last_words(tmp_path: Path):
    broken = process(tmp_path, "echo no such luck; exit 3")
    broken.start()
    with pytest.raises(StackError, match=r"(?s)ended \(3\).*no such luck"):
        broken.wait_until(lambda: False, 10)


def test_stopped_and_continued_it_is_the_same_process(tmp_path: Path):
    sleeper = process(tmp_path, "exec sleep 600")
    sleeper.start()
    pid = sleeper.pid
    sleeper.send(signal.SIGSTOP)
    eventually(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text(), message="it is stopped")
    sleeper.send(signal.SIGCONT)
    sleeper.start()
    assert sleeper.pid == pid
    sleeper.stop()
    assert not lives(pid)


def test_it_is_told_only_what_it_is_given(tmp_path: Path):
    printing = process(tmp_path, "exec env", environ={"ONLY": "this"})
    printing.start()
    eventually(lambda: not printing.is_alive, message="env ends")
    assert "ONLY=this" in printing.log.read_text()
    assert not set(os.environ) & {line.partition("=")[0] for line in printing.log.read_text().splitlines()} - {"PWD"}


def test_log_too_long_is_rotated_while_process_appends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 100)
    talking = process(tmp_path, "n=0; while read line; do echo $line; done < pipe")
    os.mkfifo(tmp_path / "pipe")
    talking.log = tmp_path / "talk.log"
    talking.start()
    with (tmp_path / "pipe").open("w", buffering=1) as pipe:
        for number in range(30):
            pipe.write(f"line {number}\n")
        eventually(lambda: "line 29\n" in talking.log.read_text())
        rotate(talking.log)
        assert talking.log.read_text() == ""
        pipe.write("and on\n")
        eventually(lambda: talking.log.read_text() == "and on\n")
        rotate(talking.log)
        assert talking.log.read_text() == "and on\n", "short enough"
    talking.stop()
    before = tmp_path / "talk.log.1"
    assert before.read_text() == "".join(f"line {number}\n" for number in range(30))
    assert before.stat().st_mode & 0o777 == 0o600
