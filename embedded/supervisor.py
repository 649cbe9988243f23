"""Keeps a stack running: one supervisor per home, a crashed part started again, all ended in good order."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from embedded import demo
from embedded.home import CHECKOUT, Home, StackError, write_private
from embedded.process import tail
from embedded.stack import Stack

STACK_FILE = CHECKOUT / ".run" / "stack.json"
"""What a running stack tells those who may read it (0600): URLs, tokens, pids."""

WATCH_SECONDS = 0.2
BACKOFF_SECONDS_MIN = 0.5
BACKOFF_SECONDS_MAX = 15.0
HEALTHY_SECONDS = 60
"""A part that ran for so long starts with the shortest delay again."""
UP_SECONDS_MAX = 180
DOWN_SECONDS_MAX = 120

say = Console(highlight=False, soft_wrap=True)


def run(shows_demo: bool = True) -> None:
    """Start the stack, demonstrate a payment, and stay until a signal ends it; raises StackError."""
    home = Home.of_checkout()
    with _only_supervisor(home), _signals_interrupt():
        stack = from_environment(home)
        try:
            _start(stack)
            if shows_demo:
                demo.show(told(), say)
                demo.show_next_steps(told(), say)
                say.print("[dim]Ctrl-C ends it; the data stays.[/]")
            _watch(stack)
        except KeyboardInterrupt:
            say.print("\nending: workers finish what they hold")
        finally:
            _ignore_signals()
            STACK_FILE.unlink(missing_ok=True)
            stack.stop()
    say.print("ended")


def up() -> None:
    """Start the stack in the background, and return when it is ready; raises StackError."""
    home = Home.of_checkout()
    if supervisor_pid(home) is None:
        log = home.log("supervisor")
        with log.open("wb") as output:
            background = subprocess.Popen(
                [sys.executable, "-m", "embedded", "run", "--background"],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        has_ended = lambda: background.poll() is not None  # noqa: E731
    else:
        has_ended = lambda: supervisor_pid(home) is None  # noqa: E731
    _wait(lambda: told() is not None or has_ended(), UP_SECONDS_MAX)
