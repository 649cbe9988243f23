"""GET /v1/payments/{id}/events and /socket, and the events of bulks: live updates."""

from collections.abc import Generator
from typing import Any

from flask import Response, g, request

from gateway.auth.guards import requires
from gateway.events import subscription, websocket
from gateway.events.subscription import (
    EVENT_STREAM,
    LAST_EVENT_ID,
    SCOPE,
    STREAM_CONTENT,
    UNBUFFERED,
    Fits,
    StreamUpdate,
    Subject,
)
from gateway.http.blueprint import Blueprint, no_content
from gateway.http.errors import ApiError
from gateway.http.media_types import best_match
from gateway.services import services
from models.bulk import Bulk, BulkKind
from models.payment_view import PaymentView

streams = Blueprint(
    "streams", __name__, url_prefix="/v1", description="Live events by Server-Sent Events or WebSocket."
)

STREAMED: dict[str, Any] = {
    "parameters": [LAST_EVENT_ID],
    "responses": {
        200: {"content": STREAM_CONTENT},
        204: {"description": "Every event was sent; do not connect again."},
    },
}

SOCKET_PATH = "/payments/<id>/socket"


@streams.route("/payments/<id>/events")
@requires(SCOPE, others=(EVENT_STREAM,))
@streams.doc(**STREAMED)
@streams.response(200)
def payment_events(id: str) -> Response:
    """Stream the events of a payment, past ones first, until the final one."""
    return _event_stream(id, _is_payment)


@streams.route("/bulk-transfers/<id>/events")
@requires(SCOPE, others=(EVENT_STREAM,))
@streams.doc(**STREAMED)
@streams.response(200)
def bulk_transfer_events(id: str) -> Response:
    """Stream the final event of a bulk transfer."""
    return _event_stream(id, _is_bulk(BulkKind.TRANSFERS))


@streams.route("/bulk-charges/<id>/events")
@requires(SCOPE, others=(EVENT_STREAM,))
@streams.doc(**STREAMED)
@streams.response(200)
def bulk_charge_events(id: str) -> Response:
    """Stream the final event of a bulk charge."""
    return _event_stream(id, _is_bulk(BulkKind.CHARGES))


@streams.route(SOCKET_PATH)
@websocket.accepts_token_subprotocol
@requires(SCOPE)
@streams.response(101, description="A WebSocket: the current payment, then its events; closed after the final one.")
def socket(id: str) -> Response:
    """Open a WebSocket with a payment and then its events; browsers send the token as second subprotocol."""
    websocket.require_allowed_origin(services().settings.allowed_origins)
    subscription.read(services(), id, _is_payment, g.caller)
    websocket.require_upgrade()
    return websocket.WebSocketResponse("payment", *_subscribe(id, _is_payment))


streams.record(lambda state: state.add_url_rule(SOCKET_PATH, "socket", socket, websocket=True))


def _event_stream(id: str, fits: Fits) -> Response:
    """The event stream; it holds its place among the waiters until it ends or the client disconnects."""
    if best_match(request.environ.get("HTTP_ACCEPT"), EVENT_STREAM) is None:
        raise ApiError("not_acceptable", f"Accept {EVENT_STREAM}.")
    after = subscription.sequence_of(request.headers.get("Last-Event-ID", ""))
    first, updates = _subscribe(id, fits)
    if first.subject.finalized_at is not None and all(event.sequence <= after for event in first.events):
        updates.close()
        return no_content()
    lines = subscription.lines(first, updates, after)
    answer = Response(lines, headers=UNBUFFERED, content_type=f"{EVENT_STREAM}; charset=utf-8")
    answer.call_on_close(updates.close)
    return answer


def _subscribe(id: str, fits: Fits) -> tuple[StreamUpdate, Generator[StreamUpdate]]:
    """The current state of the subject, and the updates that follow; raises ApiError."""
    updates = subscription.subscribe(services(), id, fits, request.environ)
    return next(updates), updates


def _is_payment(subject: Subject) -> bool:
    return isinstance(subject, PaymentView)


def _is_bulk(kind: BulkKind) -> Fits:
    return lambda subject: isinstance(subject, Bulk) and subject.kind == kind
