"""Detection of clients that disconnected while they waited for a response."""

import select
from collections.abc import Iterable
from typing import Protocol

from gevent.monkey import get_original

from gateway.http.access_log import Environ

SOCKETS = ("gunicorn.socket", "werkzeug.socket")
"""Keys of the WSGI environment under which servers provide the client's socket."""

GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL
"""A client that has closed only its sending half counts as gone too: the two look alike until data is sent."""

_poll = get_original("select", "poll")  # gevent's own poll would wait, and only knows readable and writable


class Socket(Protocol):
    """A socket, as far as `poll` needs it."""

    def fileno(self) -> int:
        """The file descriptor, -1 once it is closed."""


def socket_of(environ: Environ) -> Socket | None:
    """The socket of the request, None if the server does not provide it."""
    return next((environ[name] for name in SOCKETS if name in environ), None)


def disconnected(sockets: Iterable[Socket]) -> list[bool]:
    """True for each socket that its client has closed; one system call that does not block."""
    files = [socket.fileno() for socket in sockets]
    poll = _poll()
    for file in files:
        if file >= 0:
            poll.register(file, GONE)
    closed = {-1, *(file for file, _ in poll.poll(0))}
    return [file in closed for file in files]
