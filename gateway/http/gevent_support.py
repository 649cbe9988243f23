"""Keeps gevent's event loop free: it waits for PostgreSQL cooperatively, and long computations run in threads."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from gevent.socket import wait_read, wait_write
from gevent.threadpool import ThreadPool
from psycopg2.extensions import get_wait_callback

from models import client_timeout

T = TypeVar("T")

THREADS_MAX = 2
"""Computations of a process at once: a password hash takes 19 MiB and a core, and the event loop needs one too."""


def install() -> None:
    """Make every database connection of this process wait in gevent's event loop."""
    client_timeout.install(wait)


def wait(descriptor: int, reads: bool, seconds: float) -> bool:
    """Wait until the descriptor is readable, or else writable; returns False after that many seconds."""
    try:
        (wait_read if reads else wait_write)(descriptor, seconds, TimeoutError())
    except TimeoutError:
        return False
    return True


def run_in_thread(function: Callable[..., T], *args: object) -> T:
    """The result of the function, run in a thread beside gevent's event loop if there is one."""
    return _threads().apply(function, args) if _is_installed() else function(*args)


def _is_installed() -> bool:
    """True after `install`: nothing else in a gateway gives psycopg2 a way to wait."""
    return get_wait_callback() is not None


@cache
def _threads() -> ThreadPool:
    return ThreadPool(THREADS_MAX)
