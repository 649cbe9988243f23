"""psycopg2 under gevent: while a query runs, the other requests of the process go on; so too while a hash is made."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import psycopg2
from gevent.socket import wait_read, wait_write
from gevent.threadpool import ThreadPool
from psycopg2.extensions import POLL_OK, POLL_READ, connection, get_wait_callback, set_wait_callback

T = TypeVar("T")

ANSWER_SECONDS_MAX = 15.0
"""Longer than the role's statement_timeout: a server silent for so long is frozen, and the line is given up."""

THREADS_MAX = 2
"""Hashes that a process makes at once: each takes 19 MiB and a core, and the loop needs one too."""


def install() -> None:
    """Let every connection of this process wait in gevent's loop."""
    set_wait_callback(wait)


def wait(line: connection) -> None:
    """Wait until the server has answered; raises psycopg2.OperationalError when it does not in time."""
    silence = psycopg2.OperationalError(f"no answer from the database within {ANSWER_SECONDS_MAX:.0f} s")
    while (state := line.poll()) != POLL_OK:
        (wait_read if state == POLL_READ else wait_write)(line.fileno(), ANSWER_SECONDS_MAX, silence)


def aside(function: Callable[..., T], *args: object) -> T:
    """What the function returns: run in a thread beside gevent's loop, if there is one."""
    if get_wait_callback() is not wait:
        return function(*args)
    return _threads().apply(function, args)


@cache
def _threads() -> ThreadPool:
    return ThreadPool(THREADS_MAX)
