"""Which clients have hung up while they waited for an answer."""

import select
from collections.abc import Iterable
from typing import Protocol

from gevent.monkey import get_original

from gateway.http.access_log import Environ

SOCKETS = ("gunicorn.socket", "werkzeug.socket")
"""Where servers leave the client's socket, each in its place."""

GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL
"""Who has closed his half alone counts as gone, too: from here it looks the same until something is sent."""

_poll = get_original("select", "poll")  # gevent's own would wait, and knows only what can be read or written


class Socket(Protocol):
    """A socket."""

    def fileno(self) -> int:
        """The number of the open file, -1 once it is closed."""


def socket_of(environ: Environ) -> Socket | None:
    """The line on which the request came, None if the server does not tell."""
    return next((environ[name] for name in SOCKETS if name in environ), None)


def disconnected(lines: Iterable[Socket]) -> list[bool]:
    """Whether its client has closed it, of each line; one call of the system, which waits for nothing."""
    files = [line.fileno() for line in lines]
    poll = _poll()
    for file in files:
        if file >= 0:
            poll.register(file, GONE)
    closed = {-1, *(file for file, _ in poll.poll(0))}
    return [file in closed for file in files]
