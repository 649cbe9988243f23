"""embedded/bootstrap.sh: instant when nothing changed, one clear line when it cannot work."""

import hashlib
import re
import shutil
import subprocess
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from embedded.home import CHECKOUT

SCRIPT = CHECKOUT / "embedded" / "bootstrap.sh"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with nothing but the script and two requirements files."""
    (tmp_path / "embedded").mkdir()
    shutil.copy(SCRIPT, tmp_path / "embedded")
    for name in ("embedded", "dev"):
        (tmp_path / f"requirements-{name}.txt").write_text(f"# {name}\n")
    return tmp_path


def bootstrap(place: Path, python: str) -> subprocess.CompletedProcess:
    command = ["sh", place / "embedded" / "bootstrap.sh", "requirements-embedded.txt"]
    environ = {"PATH": "/usr/bin:/bin", "PYTHON": python}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


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
    old = program(place / "old", '[ "$1" = -V ] && echo Python 3.9.2; exit 1')
    refused = bootstrap(place, old)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert re.search(r"Python 3\.11 is needed, .* is Python 3\.9\.2", refused.stderr)


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
        left += [one.name for one in wanted if (not one.marker or one.marker.evaluate()) and one.name not in needed]
    assert needed <= set(pinned)
    locked = (CHECKOUT / "requirements-dev.txt").read_text()
    assert [name for name in pinned if not re.search(rf"^{name}==", locked, re.M)] == []
