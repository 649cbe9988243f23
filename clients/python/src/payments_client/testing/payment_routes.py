"""Payments: ordered, ended, read, listed and followed."""

from __future__ import annotations

import re
from typing import Any

import httpx

from payments_client.requests import EVENT_STREAM
from payments_client.testing.books import Books, FakeEvent
from payments_client.testing.orders import created, ended
from payments_client.testing.payment import FINAL, FakePayment
from payments_client.testing.problems import Refused
from payments_client.testing.queries import listed, only_page, stream
from payments_client.testing.routing import Asked, answers
from payments_client.testing.views import (
    concerns,
    event_json,
    is_visible,
    operations_json,
    payment_json,
    timeline_json,
    visible_payments,
)

MEMBERS = ("wallet", "idempotency_key")
EVENTS_MAX = 100


@answers(
    *("create_deposit", "create_withdrawal", "create_transfer", "create_exchange", "create_charge", "create_refund")
)
def order(books: Books, asked: Asked) -> httpx.Response:
    """A new payment, or that of the same key."""
    path = f"{asked.id.removeprefix('create_')}s"
    payment, is_new = created(books, asked.user, path, asked.body, asked.headers.get("Idempotency-Key"))
    if is_new:
        books.keep(payment)
    return _ordered(books, payment, asked, 201, is_new)


@answers("capture_charge", "void_charge", "cancel_payment")
def end(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A payment whose end is ordered."""
    action, key = asked.id.partition("_")[0], asked.headers.get("Idempotency-Key")
    payment, is_new = ended(books, asked.user, books.payments.get(id), action, asked.body, key)
    return _ordered(books, payment, asked, 200, is_new)


def _ordered(books: Books, payment: FakePayment, asked: Asked, final: int, is_new: bool) -> httpx.Response:
    """202 and the payment, or its outcome if that is waited for."""
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    if "Prefer" in asked.headers and books.is_posting:
        books.post()
        headers["Preference-Applied"] = asked.headers["Prefer"]
    status = final if payment.state in FINAL and "Prefer" in asked.headers else 202
    return _shown(payment, asked, status, headers)


def _shown(payment: FakePayment, asked: Asked, status: int, headers: dict[str, str]) -> httpx.Response:
    headers = {"ETag": _etag(payment), "Location": f"/v1/payments/{payment.id}", **headers}
    return httpx.Response(status, json=payment_json(payment, asked.user), headers=headers)


def _etag(payment: FakePayment) -> str:
    return f'W/"{payment.version}"'


def _visible(books: Books, asked: Asked, id: str) -> FakePayment:
    payment = books.payments.get(id)
    if payment is None or not is_visible(payment, asked.user):
        raise Refused(404, "not_found")
    return payment


@answers("get_payment")
def get(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A payment, or 304 if that version is known."""
    payment = _visible(books, asked, id)
    if asked.headers.get("If-None-Match") == _etag(payment):
        return httpx.Response(304, headers={"ETag": _etag(payment)})
    return _shown(payment, asked, 200, {})


@answers("list_payments")
def list_payments(books: Books, asked: Asked) -> httpx.Response:
    """The payments that one sees, the newest first."""
    found, query = visible_payments(books, asked.user), asked.query
    if "wallet" in query:
        found = [payment for payment in found if books.wallets.get(query["wallet"]) in payment.wallets]
    if "idempotency_key" in query:
        made = books.by_key.get((asked.user.id, query["idempotency_key"]), (None, None))[1]
        found = [payment for payment in found if payment is made]
    return listed(asked, [payment_json(payment, asked.user) for payment in found], MEMBERS)


@answers("list_payment_operations")
def list_operations(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The double entry of a payment."""
    return only_page(operations_json(_visible(books, asked, id), asked.user))


@answers("get_payment_timeline")
def get_timeline(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The steps of a payment."""
    return only_page(timeline_json(_visible(books, asked, id), asked.user))


@answers("get_payment_request")
def get_request(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The request that ordered a payment, for who ordered it."""
    payment = _visible(books, asked, id)
    if payment.user is not asked.user:
        raise Refused(404, "not_found")
    key, quote = payment.key, payment.quote.id if payment.quote else None
    return httpx.Response(200, json={"idempotency_key": key, "request_id": payment.id if key else None, "quote": quote})


@answers("stream_payment_events")
def stream_events(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The events of a payment after the last one heard, with those that posting makes; 204 after the final one."""
    payment = _visible(books, asked, id)
    return subject_stream(books, asked, payment)


def subject_stream(books: Books, asked: Asked, subject: Any) -> httpx.Response:
    """The events of a payment or bulk."""
    after = int(asked.headers.get("Last-Event-ID", "0"))
    if books.is_posting:
        books.post()
    events = [event for event in books.events if event.subject is subject and event.sequence > after]
    if subject.finalized_at and not events:
        return httpx.Response(204)
    return stream([(str(event.sequence), event_json(event, asked.user)) for event in events])


@answers("list_events")
def list_events(books: Books, asked: Asked) -> httpx.Response:
    """The feed: a page of it, or followed."""
    after = asked.headers.get("Last-Event-ID") or asked.query.get("after", "0")
    if after != "now" and not after.isdecimal():
        raise Refused(400, "bad_cursor")
    place = len(books.events) if after == "now" else int(after)
    found = [event for event in books.events[place:] if concerns(event, asked.user) and _fits(event, asked.query)]
    if asked.accepts(EVENT_STREAM):
        return stream([(str(event.sequence), event_json(event, asked.user)) for event in found])
    limit = int(asked.query.get("limit", EVENTS_MAX))
    shown, has_more = found[:limit], len(found) > limit
    following = shown[-1].sequence if has_more else len(books.events)
    rows = [event_json(event, asked.user) for event in shown]
    return httpx.Response(200, json={"data": rows, "has_more": has_more, "next_cursor": str(following)})


def _fits(event: FakeEvent, query: httpx.QueryParams) -> bool:
    """Whether an event is one of those that are asked for."""
    types = query.get("payment_type")
    if types and isinstance(event.subject, FakePayment) and event.subject.type not in types.split(","):
        return False
    return fits_any(event.type, query.get("type", "*").split(","))


def fits_any(type: str, wanted: list[str]) -> bool:
    """Whether an event of this type is one of those wanted, such as `payment.*`."""
    patterns = [re.escape(one).replace(r"\*", ".*") for one in wanted]
    return any(re.fullmatch(pattern, type) for pattern in patterns)
