"""GET /v1/events: all events that concern the caller, in one order, read in pages by cursor or followed as a stream."""

from functools import partial
from typing import Any

from flask import Response, g, request

from gateway.auth.guards import requires
from gateway.auth.tokens import Caller
from gateway.events import feed_stream
from gateway.events.feed_stream import FeedPage, Place
from gateway.events.schemas import NEWEST, EventPageSchema, EventQuery
from gateway.events.subscription import EVENT_STREAM, LAST_EVENT_ID, STREAM_CONTENT
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.cursors import CursorSigner
from gateway.http.errors import ApiError
from gateway.http.media_types import JSON, best_match
from gateway.services import services
from models import bulk, event, payment, payment_view, webhook_endpoint
from models.event import Event
from models.payment_list import Viewer
from models.representations import bulk_body, endpoint_body, event_body, payment_body
from models.session import Connection, Engine, statements

events = Blueprint(
    "events",
    __name__,
    url_prefix="/v1/events",
    description="All events that concern you, in one order, read in pages by cursor, or followed.",
)

SCANNED_MAX = 1_000
"""Events that one page scans for those of the requested types."""


@events.route("")
@requires("payments:read", others=(EVENT_STREAM,))
@events.doc(parameters=[LAST_EVENT_ID], responses={200: {"content": STREAM_CONTENT}})
@events.arguments(EventQuery, location="query")
@events.response(200, EventPageSchema)
def list_events(query: dict[str, Any]) -> JsonAnswer | Response:
    """List events of payments, bulks and webhook endpoints that concern you, oldest first; or follow them as they come.

    Every page has a next_cursor, also the last: continue from it, today or in a year, and no event is missed. `data` is
    the current state of what the event is about; the `version` orders several events of one payment. A page filtered
    by type scans a limited number of events: it may be short, or empty, although `has_more` is true. `payment_type` is
    about events of payments alone.

    With `Accept: text/event-stream` the events after `after` are sent as they happen, within two seconds, for an hour;
    the id of each is its cursor, from which a browser that reconnects goes on.
    """
    is_stream = best_match(request.environ.get("HTTP_ACCEPT"), JSON, EVENT_STREAM) == EVENT_STREAM
    cursor = (request.headers.get("Last-Event-ID") if is_stream else None) or query.get("after")
    read = partial(_read, services().engine, _signer(), query)
    with statements(services().engine) as connection:
        after = _place(connection, cursor, g.caller)
    if is_stream:
        return feed_stream.answer(read, after)
    page = read(g.caller, after)
    following = _signer().encode(g.caller.id, *page.place)
    return {"data": [body for _, body in page.events], "has_more": page.has_more, "next_cursor": following}, {}


def _read(engine: Engine, signer: CursorSigner, query: dict[str, Any], caller: Caller, after: Place) -> FeedPage:
    """The events after the place that suit the query."""
    limit, names, payment_types = query["limit"], query.get("type"), query.get("payment_type")
    scanned_max = SCANNED_MAX if names or payment_types else limit + 1
    with statements(engine) as connection:
        rows = event.page(connection, Viewer(caller.id, caller.reads_all), after, scanned_max)
        matching = [row for row in rows if names is None or row.name in names]
        if payment_types:
            matching = _of_types(connection, matching, payment_types)
        shown = matching[:limit]
        events = _bodies(connection, shown, caller)
    is_cut = len(matching) > limit
    last = (shown if is_cut else rows)[-1:]
    place = (last[0].xact, last[0].sequence) if last else after
    told = [(signer.encode(caller.id, row.xact, row.sequence), body) for row, body in events]
    return FeedPage(told, place, is_cut or len(rows) == scanned_max)


def _of_types(connection: Connection, rows: list[Event], payment_types: list[str]) -> list[Event]:
    """The events without those of payments of other types."""
    types = payment.types(connection, {row.subject_id for row in rows if row.name.startswith("payment.")})
    return [row for row in rows if not row.name.startswith("payment.") or types.get(row.subject_id) in payment_types]


def _bodies(connection: Connection, rows: list[Event], caller: Caller) -> list[tuple[Event, dict[str, Any]]]:
    """The events with their bodies, one query per kind of subject; an endpoint needs the scope that GET needs."""
    ids: dict[str, set[str]] = {}
    for row in rows:
        ids.setdefault(row.name.partition(".")[0], set()).add(row.subject_id)
    payments = payment_view.by_ids(connection, list(ids.get("payment", ())))
    bulks = bulk.by_ids(connection, list(ids.get("bulk", ())))
    endpoints = webhook_endpoint.by_ids(connection, list(ids.get("webhook_endpoint", ())))
    shown = {id: payment_body(view, caller) for id, view in payments.items()}
    shown |= {id: bulk_body(view) for id, view in bulks.items()}
    if "webhooks:read" in caller.scopes:
        shown |= {id: endpoint_body(view) for id, view in endpoints.items() if view.user_id == caller.id}
    return [(row, event_body(row, shown[row.subject_id])) for row in rows if row.subject_id in shown]


def _signer() -> CursorSigner:
    return CursorSigner(services().settings.secret_key, "event")


def _place(connection: Connection, cursor: str | None, caller: Caller) -> Place:
    """The position to start after; raises ApiError for a cursor of another user."""
    if cursor is None:
        return event.START
    if cursor == NEWEST:
        return event.newest(connection)
    user_id, xact, sequence = _signer().decode(cursor)
    if user_id != caller.id:
        raise ApiError("bad_cursor", "This cursor belongs to another user.")
    return xact, sequence
