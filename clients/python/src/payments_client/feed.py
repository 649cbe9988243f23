"""The feed of events, followed for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments_client.core import ClientCore
from payments_client.flows import FOR_EVER, Flow, ServerEvent, send, stream
from payments_client.model import NOWHERE, Origin
from payments_client.models import Event
from payments_client.requests import EVENT_STREAM


class FeedEvent(Event):
    """An event of the feed, and the cursor from which to read on after it."""

    __slots__ = ("cursor",)

    def __init__(self, raw: dict[str, Any], origin: Origin = NOWHERE, cursor: str = "") -> None:
        super().__init__(raw, origin)
        self.cursor = cursor


def follow(client: ClientCore, after: str | None, filters: Mapping[str, Any]) -> Flow[None]:
    """The events after the cursor, or from now on; nothing is missed while the stream is opened again."""
    if after is None:
        now = yield from send(client.request("list_events", {"after": "now", "limit": 1}), client.policy)
        after = now.json()["next_cursor"]

    def event(told: ServerEvent) -> FeedEvent:
        return FeedEvent(told.data, Origin(client), told.id)

    request = client.request("list_events", {**filters, "after": after}, accept=EVENT_STREAM)
    yield from stream(request, FOR_EVER, event)
