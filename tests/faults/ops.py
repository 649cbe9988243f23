"""The commands for ops, run on the stack as they are run anywhere."""

import subprocess
import sys

from embedded.home import CHECKOUT
from embedded.stack import Stack


def flask(stack: Stack, *words: str) -> str:
    """What `flask --app wsgi WORDS...` prints in the worker's role; it must succeed."""
    done = _run(stack, words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def flask_fails(stack: Stack, *words: str) -> str:
    """What it prints as it fails, which it must."""
    done = _run(stack, words)
    assert done.returncode == 1, done.stdout
    return done.stderr


def _run(stack: Stack, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=CHECKOUT,
        env=stack.processes["posting"].environ,
        capture_output=True,
        text=True,
        check=False,
    )
