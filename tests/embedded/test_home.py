"""Where a stack lives: closed directories, secrets that stay, and nobody else's place taken."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import home as homes
from embedded import identity
from embedded.home import Home, StackError
from embedded.identity import Identity


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


def test_where_the_servers_cannot_go_the_home_lies_elsewhere_by_the_checkouts_path(
    place: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Identity, "can_enter", lambda *_: False)
    one, other = place / "one", place / "other"
    one.mkdir()
    other.mkdir()
    assert Home.of_checkout(one).path.parent == place
    assert Home.of_checkout(one).path == Home.of_checkout(one).path != Home.of_checkout(other).path


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
