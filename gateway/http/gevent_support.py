"""psycopg2 under gevent: while a query runs, the other requests of the process go on; so too while a hash is made."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from gevent.socket import wait_read, wait_write
from gevent.threadpool import ThreadPool
from psycopg2.extensions import get_wait_callback

from models import client_timeout

T = TypeVar("T")

THREADS_MAX = 2
"""Hashes that a process makes at once: each takes 19 MiB and a core, and the loop needs one too."""


def install() -> None:
    """Let every connection of this process wait in gevent's loop."""
    client_timeout.install(wait)


def wait(descriptor: int, reads: bool, seconds: float) -> bool:
    """Wait until it can be read, or else written, for so long; returns whether it can."""
    try:
        (wait_read if reads else wait_write)(descriptor, seconds, TimeoutError())
    except TimeoutError:
        return False
    return True


def run_in_thread(function: Callable[..., T], *args: object) -> T:
    """What the function returns: run in a thread beside gevent's loop, if there is one."""
    if get_wait_callback() is None:
        return function(*args)
    return _threads().apply(function, args)


@cache
def _threads() -> ThreadPool:
    return ThreadPool(THREADS_MAX)
