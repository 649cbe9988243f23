"""GET /v1/payments/{id}/events and /socket, and the events of bulks: what happens, told while it happens."""

from collections.abc import Generator
from typing import Any

from flask import Response, g, request

from gateway.auth.tokens import requires
from gateway.events import subscription, websocket
from gateway.events.subscription import EVENT_STREAM, SCOPE, Fits, StreamUpdate, Subject
from gateway.http.blueprint import Blueprint, no_content
from gateway.http.errors import ApiError
from gateway.http.media_types import best
from gateway.services import services
from models.bulk import Bulk, BulkKind
from models.payment_view import PaymentView

streams = Blueprint(
    "streams", __name__, url_prefix="/v1", description="Events while they happen, by Server-Sent Events or WebSocket."
)

LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "description": "The id of the newest event that is known already: those after it are told.",
    "schema": {"type": "string"},
    "example": "42",
}

STREAMED: dict[str, Any] = {
    "parameters": [LAST_EVENT_ID],
    "responses": {
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string", "description": "Server-Sent Events."}}}},
        204: {"description": "Every event was sent; do not connect again."},
    },
}

SOCKET_PATH = "/payments/<id>/socket"

NEVER_BUFFERED = {"X-Accel-Buffering": "no"}
"""nginx would keep a stream back until it is worth a packet."""


@streams.route("/payments/<id>/events")
@requires(SCOPE, others=(EVENT_STREAM,))
@streams.doc(**STREAMED)
@streams.response(200)
def payment_events(id: str) -> Response:
    """The events of a payment, first those that were, then as they happen; ends with the final one."""
    return _streamed(id, _is_payment)


@streams.route("/bulk-transfers/<id>/events")
@requires(SCOPE, others=(EVENT_STREAM,))
@streams.doc(**STREAMED)
@streams.response(200)
def bulk_transfer_events(id: str) -> Response:
    """The event of the end of a bulk transfer, when it comes."""
    return _streamed(id, _is_bulk(BulkKind.TRANSFERS))


@streams.route("/bulk-charges/<id>/events")
@requires(SCOPE, others=(EVENT_STREAM,))
@streams.doc(**STREAMED)
@streams.response(200)
def bulk_charge_events(id: str) -> Response:
    """The event of the end of a bulk charge, when it comes."""
    return _streamed(id, _is_bulk(BulkKind.CHARGES))


@streams.route(SOCKET_PATH)
@websocket.takes_token_of_page
@requires(SCOPE)
@streams.response(101, description="A WebSocket: the payment as it is, then its events; closes with the final one.")
def socket(id: str) -> Response:
    """The payment and then its events, by WebSocket; pages send the token as second subprotocol."""
    ours = services()
    websocket.refuse_strange_origin(ours.settings.allowed_origins)
    subscription.read(ours, id, _is_payment, g.caller)
    websocket.refuse_other_than_upgrade()
    return websocket.WebSocketResponse("payment", *_begun(id, _is_payment))


streams.record(lambda state: state.add_url_rule(SOCKET_PATH, "socket", socket, websocket=True))


def _streamed(id: str, fits: Fits) -> Response:
    """The stream of events; it holds its place among the waiters until it ends or its reader is gone."""
    if best(request.environ.get("HTTP_ACCEPT"), EVENT_STREAM) is None:
        raise ApiError("not_acceptable", f"Accept {EVENT_STREAM}.")
    after = subscription.sequence_of(request.headers.get("Last-Event-ID", ""))
    first, told = _begun(id, fits)
    if first.subject.finalized_at is not None and all(one.sequence <= after for one in first.events):
        told.close()
        return no_content()
    lines = subscription.lines(first, told, after)
    answer = Response(lines, headers=NEVER_BUFFERED, content_type=f"{EVENT_STREAM}; charset=utf-8")
    answer.call_on_close(told.close)
    return answer


def _begun(id: str, fits: Fits) -> tuple[StreamUpdate, Generator[StreamUpdate]]:
    """What is asked for as it is now, and what will be told of it; raises ApiError."""
    told = subscription.subscribe(services(), id, fits, request.environ)
    return next(told), told


def _is_payment(subject: Subject) -> bool:
    return isinstance(subject, PaymentView)


def _is_bulk(kind: BulkKind) -> Fits:
    return lambda subject: isinstance(subject, Bulk) and subject.kind == kind
