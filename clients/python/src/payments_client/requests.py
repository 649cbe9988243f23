"""Requests and responses as values: what is sent for an operation, without sending it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from payments_client.encoding import Unset, json_bytes, query_pairs
from payments_client.errors import response_error

JSON, JSON_LINES, EVENT_STREAM = "application/json", "application/x-ndjson", "text/event-stream"
IDEMPOTENT = ("GET", "PUT", "DELETE")
BODILESS = ("GET", "DELETE")
WAIT_SECONDS_MAX = 30
"""The API waits no longer for an outcome."""

OK_MAX = 399


class Route(NamedTuple):
    """An operation: its method and path, which arguments are its query, and which of them may be null."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()
    is_keyed: bool = False
    """Whether it takes an idempotency key."""

    scopes: tuple[str, ...] = ()
    """One of which its caller needs; none if it needs no token."""


class SocketAddress(NamedTuple):
    """Where a WebSocket library of your choice connects to, and the headers that it sends."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Request:
    """A request, ready to be sent as often as it takes."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes = b""
    idempotency_key: str | None = None
    wait: float = 0.0
    """How many seconds the server is asked to wait for an outcome."""

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in IDEMPOTENT or self.idempotency_key is not None


@dataclass(frozen=True)
class Response:
    """A response whose body was read; that of a stream which is still to be read is empty."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The value of the body."""
        return json.loads(self.body)

    def checked(self, request: Request) -> Response:
        """Itself; raises ResponseError if it is no success."""
        if self.status > OK_MAX:
            raise response_error(self.status, self.headers, self.body, request.idempotency_key)
        return self


def build(
    route: Route, base_url: str, given: Mapping[str, Any], headers: Mapping[str, str], *, accept: str = JSON
) -> Request:
    """The request for an operation with the arguments of its method; makes the idempotency key if none is given."""
    arguments = {
        name.removesuffix("_"): value
        for name, value in given.items()
        if name != "self"
        and not isinstance(value, Unset)
        and (value is not None or name.removesuffix("_") in route.nullable)
    }
    key = arguments.pop("idempotency_key", None) or str(uuid.uuid4()) if route.is_keyed else None
    wait, content = arguments.pop("wait", None), arguments.pop("content", None)
    content_type = arguments.pop("content_type", JSON)
    sent = {"Accept": accept, **headers}
    if key is not None:
        sent["Idempotency-Key"] = key
    if wait:
        wait = min(int(wait), WAIT_SECONDS_MAX)
        sent["Prefer"] = f"wait={wait}"
    if "if_match" in arguments:
        sent["If-Match"] = arguments.pop("if_match")
    names = [part.partition("}")[0] for part in route.path.split("{")[1:]]
    places = {name: quote(str(arguments.pop(name)), safe="") for name in names}
    query = {name: arguments.pop(name) for name in route.query if name in arguments}
    url = base_url + route.path.format(**places) + (f"?{urlencode(query_pairs(query))}" if query else "")
    if route.method not in BODILESS:
        sent["Content-Type"] = content_type
        content = json_bytes(arguments) if content is None else content
    return Request(route.method, url, sent, content or b"", key, wait or 0.0)
