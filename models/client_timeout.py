"""How long the database may be silent, on the client's side: the server's own time-outs end no wait for a mute one."""

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
"""Two seconds more than `statement_timeout` of the roles: a server silent for longer is mute, and the connection is
given up. It goes for whatever is asked, COMMIT too."""

CONNECT_SECONDS_MAX = 3.0
"""libpq's own `connect_timeout` does not hold where a wait callback is installed."""

PING_SECONDS_MAX = 2.0

NETWORK = {
    "connect_timeout": round(CONNECT_SECONDS_MAX),
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": round(STATEMENT_SECONDS_MAX * 1000),
}
"""For libpq: what is idle or was sent to nobody is noticed by the kernel, where the connection is one of TCP."""

Wait = Callable[[int, bool, float], bool]
"""Waits until a descriptor can be read, or else written, for so many seconds; returns whether it can."""

_seconds_max: ContextVar[float] = ContextVar("seconds_max", default=STATEMENT_SECONDS_MAX)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is asked within the block is to be answered sooner than usually."""
    token = _seconds_max.set(seconds)
    try:
        yield
    finally:
        _seconds_max.reset(token)


@contextmanager
def installed() -> Iterator[None]:
    """Bound every wait for PostgreSQL within the block, as `install` does for good."""
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
    def answered(asked: connection) -> None:
        """Raises psycopg2.OperationalError when the server has not answered in time; psycopg2 then closes it."""
        is_open = asked.status in (STATUS_READY, STATUS_BEGIN)
        seconds_max = _seconds_max.get() if is_open else CONNECT_SECONDS_MAX
        deadline = time.monotonic() + seconds_max
        while (state := asked.poll()) != POLL_OK:
            left = deadline - time.monotonic()
            if left <= 0 or not wait(asked.fileno(), state == POLL_READ, left):
                raise psycopg2.OperationalError(f"no answer from the database within {seconds_max:g} s")

    return answered


def _poll(descriptor: int, reads: bool, seconds: float) -> bool:
    sight = select.poll()  # select.select sees no further than the 1,024th descriptor of a process
    sight.register(descriptor, select.POLLIN if reads else select.POLLOUT)
    return bool(sight.poll(seconds * 1000))
