"""Webhook endpoints, and what is sent to them: kept for the test, which hands it to its receiver."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from payments_client.model import time_of
from payments_client.testing.books import Books, FakeEvent
from payments_client.testing.payment import FakePayment
from payments_client.testing.payment_routes import fits_any
from payments_client.testing.people import User, new_id, now
from payments_client.testing.problems import Refused
from payments_client.testing.queries import listed
from payments_client.testing.routing import Asked, answers
from payments_client.testing.signing import sign
from payments_client.testing.views import concerns, event_json
from payments_client.testing.wallet_routes import require_version

CHANGEABLE = ("url", "event_types", "payment_types", "description", "is_active")
STATES = {
    "payment": ("initiated", "authorized", "completed", "failed", "parked"),
    "bulk": ("completed", "partially_completed", "failed"),
    "webhook_endpoint": ("disabled",),
}
EVENT_TYPES = {"*"} | {f"{of}.{state}" for of, states in STATES.items() for state in (*states, "*")}
"""What an endpoint may ask for."""

ENDPOINTS_MAX = 20
RECEIVED = 204
"""What each receiver answers."""


class Webhook(NamedTuple):
    """What was sent: where to, the body as it was signed, and its headers."""

    url: str
    body: bytes
    headers: dict[str, str]


def new_secret() -> str:
    """A new secret of an endpoint."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@dataclass(eq=False)
class FakeDelivery:
    """An event that was sent to an endpoint, once or again."""

    endpoint: FakeEndpoint
    event: dict[str, Any]
    subject: str
    tries: list[datetime] = field(default_factory=list)
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)

    def body(self) -> dict[str, Any]:
        """Its JSON."""
        return {
            "id": self.id,
            "endpoint": self.endpoint.id,
            "event": self.event["id"],
            "type": self.event["type"],
            "subject": self.subject,
            "version": self.event["version"],
            "occurred_at": self.event["timestamp"],
            "state": "delivered",
            "attempts": len(self.tries),
            "next_attempt_at": None,
            "last_status": RECEIVED,
            "last_error": None,
            "last_reason": None,
            "last_milliseconds": 0,
            "last_answer": None,
            "finished_at": self.tries[-1].isoformat(),
            "created_at": self.created_at.isoformat(),
        }

    def try_bodies(self) -> list[dict[str, Any]]:
        """The JSON of its attempts."""
        answer = {"status": RECEIVED, "error": None, "reason": None, "milliseconds": 0, "answer": None}
        return [{"attempt": n, **answer, "created_at": at.isoformat()} for n, at in enumerate(self.tries, 1)]


@dataclass(eq=False)
class FakeEndpoint:
    """Where events are sent to."""

    user: User
    url: str
    event_types: list[str]
    sent: list[Webhook]
    payment_types: list[str] | None = None
    description: str | None = None
    is_active: bool = True
    secret: str = field(default_factory=new_secret)
    deliveries: list[FakeDelivery] = field(default_factory=list)
    version: int = 1
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)

    def body(self) -> dict[str, Any]:
        """Its JSON, without its secret."""
        given = {name: getattr(self, name) for name in CHANGEABLE}
        automatic = {"disabled_reason": None, "failing_since": None}
        return {"id": self.id, **given, **automatic, "created_at": self.created_at.isoformat()}

    def send(self, event: FakeEvent) -> None:
        """Send the event, if it is one of those wanted and about something of the user."""
        subject, types = event.subject, self.payment_types
        is_wanted = not types or not isinstance(subject, FakePayment) or subject.type in types
        if self.is_active and is_wanted and concerns(event, self.user) and fits_any(event.type, self.event_types):
            self.deliver(FakeDelivery(self, event_json(event, self.user), subject.id))

    def deliver(self, delivery: FakeDelivery) -> None:
        """Send it, for the first time or again."""
        if delivery not in self.deliveries:
            self.deliveries.append(delivery)
        delivery.tries.append(now())
        body = json.dumps(delivery.event, separators=(",", ":")).encode()
        self.sent.append(Webhook(self.url, *sign(body, self.secret, id=delivery.id)))


@answers("create_webhook_endpoint")
def create(books: Books, asked: Asked) -> httpx.Response:
    """A new endpoint, with its secret."""
    if sum(endpoint.user is asked.user for endpoint in books.endpoints.values()) >= ENDPOINTS_MAX:
        raise Refused(409, "too_many_webhook_endpoints")
    _refuse_unknown(asked)
    given = {name: asked.body[name] for name in CHANGEABLE if name in asked.body}
    endpoint = FakeEndpoint(asked.user, sent=books.sent, **given)
    books.endpoints[endpoint.id] = endpoint
    return _shown(endpoint, 201, with_secret=True)


def _refuse_unknown(asked: Asked) -> None:
    if not EVENT_TYPES.issuperset(asked.body.get("event_types", ())):
        raise Refused(422, "invalid_value", "/event_types")


def _shown(endpoint: FakeEndpoint, status: int = 200, *, with_secret: bool = False) -> httpx.Response:
    secret = {"secret": endpoint.secret} if with_secret else {}
    return httpx.Response(status, json=endpoint.body() | secret, headers={"ETag": f'W/"{endpoint.version}"'})


def _own(books: Books, asked: Asked, id: str) -> FakeEndpoint:
    endpoint = books.endpoints.get(id)
    if endpoint is None or endpoint.user is not asked.user:
        raise Refused(404, "not_found")
    return endpoint


@answers("get_webhook_endpoint")
def get(books: Books, asked: Asked, id: str) -> httpx.Response:
    """One of the caller's endpoints."""
    return _shown(_own(books, asked, id))


@answers("list_webhook_endpoints")
def list_endpoints(books: Books, asked: Asked) -> httpx.Response:
    """The caller's endpoints, the newest first."""
    return listed(asked, [e.body() for e in reversed(books.endpoints.values()) if e.user is asked.user])


@answers("update_webhook_endpoint")
def update(books: Books, asked: Asked, id: str) -> httpx.Response:
    """An endpoint that was changed."""
    endpoint = _own(books, asked, id)
    require_version(asked, endpoint.version)
    _refuse_unknown(asked)
    for name in CHANGEABLE:
        setattr(endpoint, name, asked.body.get(name, getattr(endpoint, name)))
    endpoint.version += 1
    return _shown(endpoint)


@answers("delete_webhook_endpoint")
def delete(books: Books, asked: Asked, id: str) -> httpx.Response:
    """An endpoint that is no more."""
    endpoint = _own(books, asked, id)
    require_version(asked, endpoint.version)
    del books.endpoints[id]
    return httpx.Response(204)


@answers("rotate_webhook_endpoint_secret")
def rotate(books: Books, asked: Asked, id: str) -> httpx.Response:
    """An endpoint with a new secret, by which alone the fake signs from now on."""
    endpoint = _own(books, asked, id)
    endpoint.secret = new_secret()
    return _shown(endpoint, with_secret=True)


@answers("test_webhook_endpoint")
def test(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A ping to an endpoint."""
    endpoint = _own(books, asked, id)
    if not endpoint.is_active:
        raise Refused(409, "webhook_endpoint_inactive")
    event = {"id": str(len(books.events)), "type": "ping", "timestamp": now().isoformat(), "version": endpoint.version}
    endpoint.deliver(FakeDelivery(endpoint, {**event, "data": endpoint.body()}, id))
    deliveries = f"/v1/webhook-endpoints/{id}/deliveries?type=ping"
    return httpx.Response(202, json={"type": "ping", "endpoint": id, "deliveries": deliveries})


@answers("list_webhook_endpoint_deliveries")
def list_deliveries(books: Books, asked: Asked, id: str) -> httpx.Response:
    """What was sent to an endpoint, the newest first."""
    return listed(asked, [delivery.body() for delivery in reversed(_own(books, asked, id).deliveries)])


@answers("redeliver_webhook_endpoint")
def redeliver_range(books: Books, asked: Asked, id: str) -> httpx.Response:
    """What happened in a range of time is sent again."""
    endpoint, since, until = _own(books, asked, id), time_of(asked.body["from"]), time_of(asked.body["to"])
    again = [d for d in endpoint.deliveries if since <= time_of(d.event["timestamp"]) < until]
    again = [d for d in again if "delivered" in asked.body.get("states", ["failed"])]
    for delivery in again:
        endpoint.deliver(delivery)
    return httpx.Response(202, json={"redelivered": len(again), "has_more": False})


def _delivery(books: Books, asked: Asked, id: str) -> FakeDelivery:
    own = [endpoint for endpoint in books.endpoints.values() if endpoint.user is asked.user]
    for delivery in (delivery for endpoint in own for delivery in endpoint.deliveries):
        if delivery.id == id:
            return delivery
    raise Refused(404, "not_found")


@answers("get_webhook_delivery")
def get_delivery(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A delivery, with its attempts."""
    delivery = _delivery(books, asked, id)
    return httpx.Response(200, json={**delivery.body(), "tries": delivery.try_bodies()})


@answers("redeliver_webhook_delivery")
def redeliver(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A delivery that is sent again."""
    delivery = _delivery(books, asked, id)
    delivery.endpoint.deliver(delivery)
    return httpx.Response(202, json=delivery.body())
