"""embedded/bootstrap.sh: instant when nothing changed, one clear line when it cannot work."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from embedded import home as homes
from embedded.home import CHECKOUT
from embedded.identity import NOBODY_UID

SCRIPT = CHECKOUT / "embedded" / "bootstrap.sh"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with nothing but the script and two requirements files."""
    (tmp_path / "embedded").mkdir()
    shutil.copy(SCRIPT, tmp_path / "embedded")
    for name in ("embedded", "dev"):
        (tmp_path / f"requirements-{name}.txt").write_text(f"# {name}\n")
    return tmp_path


def bootstrap(place: Path, python: str, **options: object) -> subprocess.CompletedProcess:
    command = ["sh", place / "embedded" / "bootstrap.sh", "requirements-embedded.txt"]
    environ = {"PATH": "/usr/bin:/bin", "PYTHON": python}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, **options)


def refusal(place: Path, python: str, **options: object) -> str:
    """The one line with which it refuses."""
    refused = bootstrap(place, python, **options)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    return refused.stderr


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def install(place: Path, name: str) -> None:
    program(place / ".venv" / "bin" / "python", "exit 1")
    digest = hashlib.sha256((place / name).read_bytes()).hexdigest()
    (place / ".venv" / f".installed-{name}").write_text(f"{digest}  {name}\n")


def test_another_python_is_refused_in_one_line(place: Path):
    old = program(place / "old", "echo 3.9.2")
    assert re.search(r"Python 3\.11 is needed, .* is Python 3\.9\.2", refusal(place, old))


@pytest.mark.parametrize("python", ["/nowhere/python", "no-such-python", "/tmp", "/bin/false"])
def test_a_python_that_does_not_run_is_refused_in_one_line(place: Path, python: str):
    assert f"Python 3.11 is needed, and {python} is no Python that runs" in refusal(place, python)


def test_bootstrap_in_read_only_checkout_fails_in_one_line(place: Path):
    nobody = {} if os.geteuid() else {"user": NOBODY_UID, "group": NOBODY_UID, "extra_groups": []}
    with homes.temporary() as home:
        checkout = shutil.copytree(place, home.path / "checkout")
        checkout.chmod(0o555)
        assert "cannot be written to" in refusal(checkout, sys.executable, **nobody)
        checkout.chmod(0o755)


def test_pip_progress_takes_one_line_and_failure_ends_bootstrap(place: Path):
    pip = """[ "$2" = pip ] || exit 0
    [ "$3" = install ] || exit 0
    echo "Collecting flask==3.1 (from -r requirements-embedded.txt (line 1))"
    echo "  Downloading flask-3.1-py3-none-any.whl (103 kB)"
    [ ! -e fails ] || { echo "ERROR: no space left" >&2; exit 7; }
    echo "Installing collected packages: flask" """
    (place / "requirements-embedded.txt").write_text("flask==3.1 --hash=x\n")
    python = program(place / "python", "echo 3.11.9")
    program(place / ".venv" / "bin" / "python", pip)
    screen = subprocess.run(
        ["script", "-qec", f"sh {place}/embedded/bootstrap.sh", "/dev/null"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": python}, capture_output=True, text=True, check=True,
    ).stdout.replace("\x1b[K", "")  # fmt: skip
    assert [part.strip() for part in re.split(r"[\r\n]+", screen) if part] == [
        "installing 1 packages of requirements-embedded.txt into .venv, about 50 MB to download, 280 MB on disk",
        "1 of 1: flask==3.1",
        "1 of 1: flask==3.1 (103 kB)",
        "1 of 1: unpacking them into .venv",
        "installed",
    ]
    (place / ".venv" / ".installed-requirements-embedded.txt").unlink()
    (place / "fails").touch()
    failed = bootstrap(place, python)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[0] == "ERROR: no space left"
    assert not (place / ".venv" / ".installed-requirements-embedded.txt").exists()


@pytest.mark.parametrize("installed", ["requirements-embedded.txt", "requirements-dev.txt"])
def test_what_is_installed_is_not_installed_again(place: Path, installed: str):
    install(place, installed)
    assert bootstrap(place, "/bin/false").returncode == 0
    (place / installed).write_text("# another lock\n")
    assert bootstrap(place, "/bin/false").returncode == 1


def test_the_way_without_venv_pins_all_that_virtualenv_requires():
    pinned = re.search(r'^virtualenv="(.*)"', SCRIPT.read_text(), re.M)[1].split("|")
    needed, left = set(), ["virtualenv"]
    while left:
        name = left.pop()
        needed.add(name)
        wanted = map(Requirement, requires(name) or [])
        left += [
            requirement.name
            for requirement in wanted
            if (not requirement.marker or requirement.marker.evaluate()) and requirement.name not in needed
        ]
    assert needed <= set(pinned)
    locked = (CHECKOUT / "requirements-dev.txt").read_text()
    assert [name for name in pinned if not re.search(rf"^{name}==", locked, re.M)] == []
