"""The package as its users have it: built, and installed into an environment of its own."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

from tests.source_files import CHECKOUT, CLIENT

PROJECT = CHECKOUT / "clients" / "python"
SECONDS_MAX = 300
PINNED = CHECKOUT / "requirements-dev.txt"

BUILD = "import sys; from flit_core import buildapi; print(getattr(buildapi, sys.argv[1])(sys.argv[2]))"


def build(kind: str, project: Path, folder: Path) -> Path:
    """Build the wheel or sdist of a project into the folder."""
    name = run(sys.executable, "-c", BUILD, f"build_{kind}", folder, cwd=project)
    return folder / name.strip()


def built(folder: Path) -> Path:
    """The wheel that is built from the sdist, which has every module of the package."""
    sdist = build("sdist", PROJECT, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    wheel = build("wheel", folder / sdist.name.removesuffix(".tar.gz"), folder)
    modules = {path.relative_to(CLIENT.parent).as_posix() for path in CLIENT.rglob("*.py")}
    assert {"payments_client/py.typed", *modules} <= set(ZipFile(wheel).namelist())
    return wheel


def install(folder: Path, *packages: str | Path) -> Path:
    """The Python of a new environment that has these packages, and what they need as we have pinned it."""
    pins = folder / "pins.txt"
    pins.write_text("\n".join(line.partition(" ;")[0] for line in PINNED.read_text().splitlines() if "==" in line))
    run(sys.executable, "-m", "virtualenv", "--quiet", folder / "env")
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", pins, *packages)
    return python


def run(*command: str | Path, cwd: Path | None = None, stdin: str = "", **environ: str) -> str:
    """The output of the command; fails with all of it."""
    whole = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environ
    done = subprocess.run(
        command, check=False, cwd=cwd, env=whole, input=stdin, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
