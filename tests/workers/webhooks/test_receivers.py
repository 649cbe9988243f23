"""Misbehaving receivers: the schedule is kept, nothing is lost, and other receivers are not slowed."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from models import audit
from models.rules.webhook_retry import JITTER, TRIES_MAX, WAITS_SECONDS
from models.session import transaction
from models.webhook_queue import LEASE_SECONDS, Capacity
from tests.webhook_receiver import Answer, Receiver, status
from tests.workers.webhooks.conftest import Delivery, Post, new_sender
from workers.webhooks import dispatcher as dispatching
from workers.webhooks.dispatcher import CAPACITY

pytestmark = pytest.mark.shares_books

MISBEHAVIOURS: dict[str, tuple[Callable[[Receiver], Answer], int | None, str]] = {
    "fails": (lambda _: status(500), 500, "http_status"),
    "says that there is nothing": (lambda _: status(404), 404, "http_status"),
    "redirects inside": (lambda _: status(302, Location="http://127.0.0.1:1/admin"), 302, "http_status"),
    "redirects to itself": (lambda r: status(307, Location=r.url), 307, "http_status"),
    "hangs": (lambda r: r.hang, None, "timed_out"),
    "drops the connection": (lambda _: lambda handler, _: handler.connection.close(), None, "connection_broken"),
    "speaks no HTTP": (lambda _: lambda h, _: h.wfile.write(b"220 smtp.example\r\n\r\n"), None, "connection_broken"),
    "drips its headers for ever": (lambda r: r.drip(b"HTTP/1.1 200 OK\r\nX-Drip: "), None, "timed_out"),
    "goes on and on": (lambda _: forever_continuing, None, "connection_broken"),
    "tells headers without end": (lambda _: forever_telling, None, "connection_broken"),
    "fails and drips for ever": (lambda r: r.drip(b"HTTP/1.1 500 No\r\n\r\n"), 500, "http_status"),
}


def forever_continuing(handler, _) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def forever_telling(handler, _) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-Told: on and on\r\n" * 100)


ANSWERED = {
    "drips its body for ever": lambda r: r.drip(b"HTTP/1.1 200 OK\r\n\r\n"),
    "answers ten megabytes": lambda _: lambda h, _: h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000),
    "answers a bomb": lambda _: (
        lambda h, _: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\nzz")
    ),
    "created something": lambda _: status(201),
}


def first(post: Post, endpoint: str) -> Delivery:
    return post.until(lambda: post.deliveries(endpoint))[0]


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_misbehaving_receiver_is_tried_again_later(post: Post, misbehaviour: str):
    make, code, error = MISBEHAVIOURS[misbehaviour]
    if error == "timed_out":
        post.give_up_soon()
    receiver = post.receiver()
    receiver.answer = make(receiver)
    endpoint, secret = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    delivery = post.tried(first(post, endpoint).id, 1)
    assert (delivery.state, delivery.attempts, delivery.tries_left) == ("pending", 1, TRIES_MAX - 1)
    assert (delivery.status, delivery.error) == (code, error)
    assert delivery.pause == pytest.approx(WAITS_SECONDS[0], rel=JITTER)
    receiver.answer = status(204)
    post.be_patient()
    post.hasten()
    assert post.tried(delivery.id, 2).state == "delivered"
    assert len({heard.id for heard in receiver.heard}) == 1
    assert [heard.verified(secret)["type"] for heard in receiver.heard] == ["payment.completed"] * 2


@pytest.mark.parametrize("behaviour", ANSWERED)
def test_success_status_alone_is_a_delivery(post: Post, behaviour: str):
    receiver = post.receiver()
    receiver.answer = ANSWERED[behaviour](receiver)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    delivery = post.tried(first(post, endpoint).id, 1)
    assert (delivery.state, delivery.error) == ("delivered", None)


def test_unreachable_receiver_is_tried_again_later(post: Post):
    receiver = post.receiver()
    receiver.close()
    post.receivers.remove(receiver)
    endpoint, _ = post.endpoint(receiver.url)
    post.pay()
    assert post.tried(first(post, endpoint).id, 1).error == "not_connected"


@pytest.mark.parametrize(
    ("code", "retry_after", "wait"),
    [
        (429, "600", 600),
        (503, "600", 600),
        (429, "date", 600),
        (429, "999999999", 24 * 3600),
        (429, "1", 5),
        (429, "soon", 5),
        (500, "600", 5),
    ],
)
def test_retry_after_is_followed_for_some_statuses_only(post: Post, code: int, retry_after: str, wait: float):
    receiver = post.receiver()
    in_ten_minutes = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    receiver.answer = status(code, Retry_After=in_ten_minutes if retry_after == "date" else retry_after)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    delivery = post.tried(first(post, endpoint).id, 1)
    assert delivery.pause == pytest.approx(wait, rel=JITTER)


@pytest.mark.own_books
def test_delivery_has_ten_tries_by_the_schedule(post: Post):
    receiver = post.receiver()
    receiver.answer = status(500)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    delivery, waits = first(post, endpoint), []
    for number in range(1, TRIES_MAX + 1):
        tried = post.tried(delivery.id, number)
        waits.append(tried.pause)
        post.hasten()
    assert waits[:-1] == [pytest.approx(planned, rel=JITTER) for planned in WAITS_SECONDS]
    assert (tried.state, waits[-1]) == ("failed", None)
    post.dispatcher.dispatch()
    assert len(receiver.heard) == TRIES_MAX
    assert {heard.id for heard in receiver.heard} == {delivery.id}
    with transaction(post.books.worker) as connection:
        noted = connection.exec_driver_sql("SELECT attempt, status, error FROM webhook_attempts ORDER BY attempt")
        assert [tuple(row) for row in noted] == [(n, 500, "http_status") for n in range(1, TRIES_MAX + 1)]
        left = connection.exec_driver_sql("SELECT is_active, disabled_reason FROM webhook_endpoints").one()
    assert tuple(left) == (True, None), "it has not failed for three days yet"


def test_status_410_disables_the_endpoint_at_once(post: Post):
    receiver, elsewhere = post.receiver(), post.receiver()
    receiver.answer = status(410)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed", "webhook_endpoint.*"))
    _, secret = post.endpoint(elsewhere.url, types=("webhook_endpoint.*",))
    post.pay()
    post.until(lambda: elsewhere.heard)
    event = elsewhere.heard[0].verified(secret)
    assert (event["type"], event["data"]["id"]) == ("webhook_endpoint.disabled", endpoint)
    assert (event["data"]["is_active"], event["data"]["disabled_reason"]) == (False, "gone")
    assert "whsec" not in elsewhere.heard[0].body.decode()
    with transaction(post.books.worker) as connection:
        lines = audit.about(connection, endpoint)
    assert [(line["actor"], line["action"], line["reason"]) for line in lines] == [
        ("worker", "webhook_endpoints.disable", "gone")
    ]
    assert post.states(endpoint) == ["pending"], "it is sent once the endpoint is active again"
    post.pay()
    post.hasten()
    post.until(lambda: len(post.deliveries(endpoint)) == 2)
    assert len(receiver.heard) == 1


def is_active(post: Post, endpoint: str) -> bool:
    with transaction(post.books.worker) as connection:
        return connection.exec_driver_sql(
            "SELECT is_active FROM webhook_endpoints WHERE id = %s", (endpoint,)
        ).scalar_one()


@pytest.mark.own_books
@pytest.mark.parametrize(("hours", "still_active"), [(71, True), (73, False)])
def test_three_days_without_success_disable_the_endpoint(post: Post, hours: int, still_active: bool):
    receiver, elsewhere = post.receiver(), post.receiver()
    receiver.answer = status(500)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.endpoint(elsewhere.url, types=("webhook_endpoint.disabled",))
    post.pay()
    delivery = post.tried(first(post, endpoint).id, 1)
    post.execute("UPDATE webhook_endpoints SET failing_since = failing_since - make_interval(hours => %s)", hours)
    post.execute("UPDATE webhook_deliveries SET tries_left = 1, next_attempt_at = now()")
    assert post.tried(delivery.id, 2).state == "failed"
    assert is_active(post, endpoint) is still_active
    if still_active:
        post.dispatcher.dispatch()
        assert elsewhere.heard == []
    else:
        post.until(lambda: elsewhere.heard)
        assert json.loads(elsewhere.heard[0].body)["data"]["disabled_reason"] == "failing"


def test_success_clears_the_failing_mark(post: Post):
    receiver = post.receiver()
    receiver.answer = status(500)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    delivery = post.tried(first(post, endpoint).id, 1)
    post.execute("UPDATE webhook_endpoints SET failing_since = failing_since - interval '73 hours'")
    receiver.answer = status(204)
    post.hasten()
    assert post.tried(delivery.id, 2).state == "delivered"
    receiver.answer = status(500)
    post.pay()
    post.execute("SELECT 1")
    last = post.until(lambda: len(post.deliveries(endpoint)) == 2 and post.deliveries(endpoint)[-1])
    post.tried(last.id, 1)
    post.execute("UPDATE webhook_deliveries SET tries_left = 1, next_attempt_at = now() WHERE id = %s", last.id)
    assert post.tried(last.id, 2).state == "failed"
    assert is_active(post, endpoint)


@pytest.mark.own_books
def test_hanging_receivers_do_not_slow_others(post: Post):
    """Forty endpoints hang, eight times each: the one that works has all of its own before any of theirs ends."""
    payments = 30
    hanging, working = post.receiver(), post.receiver()
    hanging.answer = hanging.hang
    bad = [post.endpoint(f"{hanging.url}/{number}", post.books.user())[0] for number in range(40)]
    copy = "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at)"
    post.execute(
        f"{copy} SELECT gen_random_uuid(), e.id, n, 'ping', gen_random_uuid(), 1, now()"
        " FROM webhook_endpoints e, generate_series(1, 10) AS n"
    )
    dispatcher = post.another_dispatcher(new_sender(connect_seconds=LEASE_SECONDS - 5, total_seconds=LEASE_SECONDS - 5))
    post.until(lambda: len(hanging.heard) == len(bad) + CAPACITY.further, dispatcher=dispatcher)
    good, _ = post.endpoint(working.url)
    post.pay(payments)
    post.until(lambda: post.states(good).count("delivered") == 2 * payments, dispatcher=dispatcher)
    assert [delivery for endpoint in bad for delivery in post.deliveries(endpoint) if delivery.error] == []
    hanging.over.set()


def test_slow_receiver_takes_no_capacity_of_others(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatching, "CAPACITY", Capacity(1, 1, 1))
    monkeypatch.setattr(dispatching, "SLOW_SECONDS", -1.0)
    slow, working = post.receiver(), post.receiver()
    endpoint, _ = post.endpoint(slow.url, types=("payment.completed",))
    post.pay()
    post.until(lambda: post.states(endpoint) == ["delivered"])
    slow.answer = slow.hang
    post.pay()
    post.until(lambda: len(slow.heard) == 2)
    good, _ = post.endpoint(working.url, types=("payment.completed",))
    post.pay()
    post.until(lambda: post.states(good) == ["delivered"])
    assert post.states(endpoint) == ["delivered", "pending", "pending"]
    slow.answer = status(204)
    slow.over.set()


def test_number_of_remembered_slow_endpoints_is_bounded(post: Post, monkeypatch: pytest.MonkeyPatch):
    """Otherwise every claim would look at all endpoints that were made and deleted."""
    monkeypatch.setattr(dispatching, "SLOW_MAX", 2)
    monkeypatch.setattr(dispatching, "SLOW_SECONDS", -1.0)
    receiver = post.receiver()
    endpoints = [post.endpoint(f"{receiver.url}/{n}", types=("payment.completed",))[0] for n in range(3)]
    for endpoint in endpoints:
        post.execute("UPDATE webhook_endpoints SET is_active = id = %s", endpoint)
        post.pay()
        post.until(lambda endpoint=endpoint: set(post.states(endpoint)) == {"delivered"})
    post.dispatcher.dispatch()
    assert list(post.dispatcher._slow) == endpoints[1:]


def test_hanging_receiver_does_not_hold_the_task(post: Post):
    """With its call under way, many tasks end before it does."""
    receiver = post.receiver()
    receiver.answer = receiver.hang
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    post.until(lambda: receiver.heard)
    for _ in range(5):
        post.dispatcher.dispatch()
    assert post.deliveries(endpoint)[0].error is None, "the call is still under way"
    receiver.over.set()
    assert post.tried(post.deliveries(endpoint)[0].id, 1).error == "connection_broken"


def test_failing_endpoint_gets_one_call_and_working_one_eight(post: Post):
    receiver, first_over = post.receiver(), threading.Event()
    receiver.answer = lambda *_: first_over.wait()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay(20)
    post.until(lambda: len(receiver.heard) == 8)
    post.dispatcher.dispatch()
    assert len(receiver.heard) == 8
    receiver.answer = receiver.hang
    first_over.set()
    post.until(lambda: sum(delivery.error is not None for delivery in post.deliveries(endpoint)) >= 8)
    post.until(lambda: len(receiver.heard) == 9)
    for _ in range(3):
        post.dispatcher.dispatch()
    assert len(receiver.heard) == 9
