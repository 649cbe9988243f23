"""The home of a stack: closed directories, secrets that stay, and no other stack's place taken."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded import home as homes
from embedded import identity
from embedded.home import CHECKOUT, IN_USE, Home, StackError
from embedded.identity import Identity
from tests.support import eventually, heeding_signals


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with homes.temporary() as home:
        monkeypatch.setattr(homes, "SHARED", home.path)
        yield home.path


def test_a_secret_stays_the_same_and_is_its_owners_alone():
    with homes.temporary() as home:
        secret = home.secret("postgres")
        assert len(secret) >= 32
        assert Home.at(home.path).secret("postgres") == secret
        assert home.secret("another") != secret
        assert (home.path / "secrets" / "postgres").stat().st_mode & 0o777 == 0o600
        assert (home.path / "secrets").stat().st_mode & 0o777 == 0o700


def test_a_checkout_keeps_its_home_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(identity, "of_servers", identity.invoker)
    assert Home.of_checkout(tmp_path).path == tmp_path / ".run"


def test_home_unreachable_for_servers_is_placed_elsewhere(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Identity, "can_enter", lambda *_: False)
    first, second = place / "one", place / "other"
    first.mkdir()
    second.mkdir()
    assert Home.of_checkout(first).path.parent == place
    assert Home.of_checkout(first).path == Home.of_checkout(first).path != Home.of_checkout(second).path


@pytest.mark.parametrize("trap", ["writable by all", "a link"])
def test_a_place_that_others_can_change_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch, trap: str):
    monkeypatch.setattr(Identity, "can_enter", lambda *_: False)
    found = Home.of_checkout(place).path
    for directory in (found / "sockets", found):
        directory.rmdir()
    if trap == "a link":
        found.symlink_to(place)
    else:
        found.mkdir()
        found.chmod(0o777)
    with pytest.raises(StackError, match="remove it"):
        Home.of_checkout(place)


def test_a_directory_of_somebody_else_is_refused():
    with homes.temporary() as home:
        stranger = Identity(os.geteuid() + 1, os.getegid())
        home.directory("data")
        with pytest.raises(StackError, match=f"belongs to uid {os.geteuid()}, not {stranger.uid}"):
            home.directory("data", stranger)


def test_a_program_the_servers_cannot_reach_is_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "tree" / "bin" / "server"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    program.parent.chmod(0o700)
    with homes.temporary() as home:
        monkeypatch.setattr(Identity, "can_run", lambda *_: False)
        copy = home.executable(program, tmp_path / "tree")
        assert copy == home.path / "programs" / "tree" / "bin" / "server"
        assert copy.read_text() == "#!/bin/sh\n"
        assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o755, 0o755)
        made = copy.stat().st_ino
        assert home.executable(program, tmp_path / "tree").stat().st_ino == made


SERVER = """
import sys, pathlib, threading
from embedded import home as homes
from embedded.valkey import Valkey
with homes.temporary(pathlib.Path(sys.argv[1])) as home:
    server = Valkey(home)
    try:
        server.start()
        print(home.path, server.pid, flush=True)
        threading.Event().wait()
    finally:
        server.stop()
"""
BENCH = """
import threading
from bench import stack
with stack.running() as running:
    print(running.home.path, running.postgres.pid, flush=True)
    threading.Event().wait()
"""
TEST = """
import threading
def test_it(valkey, capfd):
    with capfd.disabled():
        print(valkey.home.path, valkey.pid, flush=True)
    threading.Event().wait()
"""


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen, Path, int]]:
    """A program that has made a directory and started a server: the program, the directory, and the server's pid."""
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
        preexec_fn=heeding_signals,  # noqa: PLW1509 - one thread, and then exec
    ) as program:  # fmt: skip
        try:
            line = next(line for line in program.stdout if "payments-" in line)
            path, pid = line.removeprefix(".").split()
            assert Path(path).is_dir()
            yield program, Path(path), int(pid)
        finally:
            program.kill()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_by_a_signal_leaves_nothing_behind(place: Path, number: signal.Signals):
    with running("-c", SERVER, place) as (program, path, pid):
        program.send_signal(number)
        assert program.wait(60) == 128 + number
        assert is_gone(pid)
        assert not path.exists()
    assert not list(place.glob("payments-*"))


def test_a_bench_that_ends_by_a_signal_leaves_nothing_behind():
    with running("-c", BENCH) as (program, path, pid):
        program.terminate()
        assert program.wait(120) == 128 + signal.SIGTERM
        assert is_gone(pid)
        assert not path.exists()


def test_tests_that_end_by_a_signal_leave_nothing_behind(tmp_path: Path):
    file = tmp_path / "test_it.py"
    file.write_text(TEST)
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", tmp_path, "-c", os.devnull, "-q")
    with running("-m", "pytest", *options, file) as (program, path, pid):
        program.terminate()
        assert program.wait(60) == pytest.ExitCode.INTERRUPTED
        assert is_gone(pid)
        assert not path.exists()


def test_what_a_killed_run_left_is_removed_by_the_next(place: Path):
    with running("-c", SERVER, place) as (killed, left, pid), running("-c", SERVER, place) as (_, living, _):
        killed.kill()
        killed.wait()
        eventually(lambda: is_gone(pid))
        assert (left / IN_USE).exists()
        stranger = place / "payments-of-others"
        stranger.mkdir()
        with homes.temporary(place) as home:
            assert not left.exists()
            assert living.exists()
            assert stranger.exists()
            homes.remove_abandoned(place)
            assert home.path.exists()
        assert not home.path.exists()


def test_a_directory_is_in_use_until_it_is_gone(place: Path, monkeypatch: pytest.MonkeyPatch):
    removed: list[Path] = []
    rmtree = homes.shutil.rmtree

    def remove(path: Path) -> None:
        removed.append(path)
        if len(removed) == 1:
            homes.remove_abandoned(place)  # as another process that starts at this moment
        rmtree(path)

    monkeypatch.setattr(homes.shutil, "rmtree", remove)
    with homes.temporary(place) as home:
        pass
    assert removed == [home.path]
