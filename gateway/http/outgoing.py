"""An answer as it is sent."""

import time
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple

from gateway.http.incoming import IncomingRequest

SERVER = "payments"

WITHOUT_BODY = ("1", "204", "304")
"""How statuses begin that have no body."""

Headers = list[tuple[str, str]]


class Response(NamedTuple):
    """The status line, headers and body of an answer."""

    status: str
    headers: Headers
    body: bytes


def has_body(request: IncomingRequest, status: str) -> bool:
    """True if the answer to the request has a body, be it an empty one."""
    return request.environ["REQUEST_METHOD"] != "HEAD" and not status.startswith(WITHOUT_BODY)


def head(status: str, headers: Headers, *, keeps_alive: bool) -> bytes:
    """The head of an answer, with the headers that the server adds."""
    lines = [f"HTTP/1.1 {status}\r\nServer: {SERVER}\r\nDate: {_date(int(time.monotonic()))}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers if name != "Connection"]
    lines.append("Connection: keep-alive\r\n\r\n" if keeps_alive else "Connection: close\r\n\r\n")
    return "".join(lines).encode("latin-1")


@lru_cache(1)
def _date(_second: int) -> str:
    return formatdate(usegmt=True)
