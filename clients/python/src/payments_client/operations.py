"""How each kind of operation is done, as a flow for either client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from payments_client._routes import ROUTES
from payments_client.core import ClientCore
from payments_client.flows import Flow, Item, ServerEvent, rows, send, stream
from payments_client.model import NOWHERE, Model, Origin, closest
from payments_client.models import Event
from payments_client.requests import EVENT_STREAM, JSON_LINES, SocketAddress

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """A page of a list, and the cursors by which its list is read on."""

    data: list[M]
    has_more: bool = False
    next_cursor: str | None = None
    prev_cursor: str | None = None
    origin: Origin = NOWHERE


def call(client: ClientCore, kinds: tuple[type[M], ...], id: str, given: Mapping[str, Any]) -> Flow[M]:
    """The object that an operation answers with, of one of these kinds."""
    request = client.request(id, given)
    response = yield from send(request, client.policy)
    raw = response.json()
    return closest(kinds, raw)(raw, client.origin(request, response))


def content(client: ClientCore, id: str, given: Mapping[str, Any]) -> Flow[bytes]:
    """The body that an operation answers with, of whatever kind."""
    response = yield from send(client.request(id, given, accept="*/*"), client.policy)
    return response.body


def page(client: ClientCore, kind: type[M], id: str, given: Mapping[str, Any]) -> Flow[Page[M]]:
    """A page of a list."""
    request = client.request(id, given)
    response = yield from send(request, client.policy)
    raw, origin = response.json(), client.origin(request, response)
    cursors = raw.get("next_cursor"), raw.get("prev_cursor")
    return Page([kind(row, Origin(client)) for row in raw["data"]], raw.get("has_more", False), *cursors, origin)


def pages(client: ClientCore, kind: type[M], id: str, given: Mapping[str, Any]) -> Flow[None]:
    """The rows of a list, page after page."""
    cursor = "after" if "after" in ROUTES[id].query else "cursor"
    found = yield from page(client, kind, id, given)
    while True:
        for row in found.data:
            yield Item(row)
        if not found.has_more or not found.next_cursor:
            return
        found = yield from page(client, kind, id, {**given, cursor: found.next_cursor})


def export(client: ClientCore, kind: type[M] | None, id: str, given: Mapping[str, Any]) -> Flow[None]:
    """The rows of an operation as one file, read while it comes: objects of that kind, or dicts."""
    request = client.request(id, given, accept=JSON_LINES)
    yield from rows(request, client.policy, lambda raw: kind(raw, Origin(client)) if kind else raw)


def events(client: ClientCore, id: str, given: Mapping[str, Any]) -> Flow[None]:
    """The events of something, those that were and then those that come, until its final one."""

    def event(told: ServerEvent) -> Event:
        return Event(told.data, Origin(client))

    yield from stream(client.request(id, given, accept=EVENT_STREAM), client.policy, event)


def socket(client: ClientCore, id: str, given: Mapping[str, Any]) -> SocketAddress:
    """Where a WebSocket library connects to for an operation."""
    request = client.request(id, given)
    headers = {name: value for name, value in request.headers.items() if name != "Accept"}
    return SocketAddress(request.url.replace("http", "ws", 1), headers)
