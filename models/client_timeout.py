"""Client-side time-outs of the database: the server's own time-outs do not end a wait for a server that is silent."""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import psycopg2
from psycopg2.extensions import (
    POLL_OK,
    POLL_READ,
    STATUS_BEGIN,
    STATUS_READY,
    connection,
    get_wait_callback,
    set_wait_callback,
)

STATEMENT_SECONDS_MAX = 12.0
"""Two seconds more than `statement_timeout` of the roles: after a longer silence the connection is closed. It applies
to every statement, COMMIT included."""

CONNECT_SECONDS_MAX = 3.0
"""libpq's own `connect_timeout` has no effect where a wait callback is installed."""

PING_SECONDS_MAX = 2.0

NETWORK = {
    "connect_timeout": round(CONNECT_SECONDS_MAX),
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": round(STATEMENT_SECONDS_MAX * 1000),
}
"""For libpq: on TCP connections the kernel notices a dead peer while idle, or when data is not acknowledged."""

Wait = Callable[[int, bool, float], bool]
"""Waits up to a number of seconds until a descriptor can be read (or else written); returns whether it can."""

_seconds_max: ContextVar[float] = ContextVar("seconds_max", default=STATEMENT_SECONDS_MAX)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Shorten the time-out of statements within the block."""
    token = _seconds_max.set(seconds)
    try:
        yield
    finally:
        _seconds_max.reset(token)


@contextmanager
def installed() -> Iterator[None]:
    """Bound every wait for PostgreSQL within the block, as `install` does permanently."""
    before = get_wait_callback()
    install()
    try:
        yield
    finally:
        set_wait_callback(before)


def install(wait: Wait | None = None) -> None:
    """Bound every wait of this process for PostgreSQL; `wait` is another way to wait than this thread's."""
    set_wait_callback(_bounded(wait or _poll))


def _bounded(wait: Wait) -> Callable[[connection], None]:
    def wait_for_answer(driver: connection) -> None:
        """Raises psycopg2.OperationalError when the server has not answered in time; psycopg2 then closes it."""
        is_open = driver.status in (STATUS_READY, STATUS_BEGIN)
        seconds_max = _seconds_max.get() if is_open else CONNECT_SECONDS_MAX
        deadline = time.monotonic() + seconds_max
        while (state := driver.poll()) != POLL_OK:
            left = deadline - time.monotonic()
            if left <= 0 or not wait(driver.fileno(), state == POLL_READ, left):
                raise psycopg2.OperationalError(f"no answer from the database within {seconds_max:g} s")

    return wait_for_answer


def _poll(descriptor: int, reads: bool, seconds: float) -> bool:
    poll = select.poll()  # select.select fails beyond descriptor 1,024
    poll.register(descriptor, select.POLLIN if reads else select.POLLOUT)
    return bool(poll.poll(seconds * 1000))
