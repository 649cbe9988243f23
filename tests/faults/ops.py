"""The commands for ops, run on the stack as they are run anywhere."""

import subprocess
import sys

from embedded.home import CHECKOUT
from embedded.stack import Stack


def flask(stack: Stack, *words: str) -> str:
    """What `flask --app wsgi WORDS...` prints in the worker's role; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=CHECKOUT,
        env=stack.processes["posting"].environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
