"""A hostile merchant or an internal error delays at most their own webhooks."""

import asyncio
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from models import user, webhook_delivery, webhook_endpoint, webhook_queue
from models.rules.webhook_retry import AttemptOutcome
from models.rules.webhook_url import UrlPolicy
from models.session import transaction
from models.webhook_endpoint import new_secret
from models.webhook_queue import Capacity, ClaimedDelivery, EndedAttempt
from tests.webhook_receiver import status
from tests.workers.webhooks.conftest import Post, new_sender
from workers.webhooks import dispatcher
from workers.webhooks.sender import RESOLVERS_MAX, Clock, WebhookCall

PLENTY = Capacity(100, 100, 100)
NOWHERE = "http://127.0.0.1:9/"
FAILED = AttemptOutcome(500, "http_status")


def rows(post: Post, query: str, *parameters: object) -> list[tuple]:
    with transaction(post.books.worker) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query, parameters)]


def fan_out(post: Post) -> None:
    with transaction(post.books.worker) as connection:
        webhook_queue.fan_out(connection, 1_000)


def claim(post: Post) -> list[ClaimedDelivery]:
    with transaction(post.books.worker) as connection:
        return webhook_queue.claim(connection, {}, (), PLENTY)


def note(post: Post, claimed: ClaimedDelivery, outcome: AttemptOutcome, wait: float | None) -> None:
    with transaction(post.books.worker) as connection:
        webhook_queue.note(connection, [EndedAttempt(claimed, outcome, wait)])


def redeliver(post: Post, id: str) -> None:
    with transaction(post.books.gateway) as connection:
        assert webhook_delivery.redeliver(connection, id)


def ping(post: Post, endpoint: str) -> None:
    with transaction(post.books.gateway) as connection:
        assert webhook_endpoint.ping(connection, endpoint)


PINGS = "SELECT ctid::text, xmin::text FROM webhook_deliveries WHERE attempts = 0 ORDER BY id"


@pytest.mark.parametrize(
    ("outcome", "wait"), [(FAILED, 5.0), (AttemptOutcome(204, None), None)], ids=["fails", "arrives"]
)
def test_many_pings_do_not_delay_deliveries(post: Post, outcome: AttemptOutcome, wait: float | None):
    """Otherwise each end of a ping would touch all behind it, and enough pings would stop all webhooks."""
    endpoint, _ = post.endpoint(NOWHERE)
    for _ in range(20):
        ping(post, endpoint)
    fan_out(post)
    claimed = claim(post)
    assert len(claimed) == webhook_queue.CALLS_OF_ENDPOINT_MAX
    waiting = rows(post, PINGS)
    note(post, claimed[0], outcome, wait)
    assert rows(post, PINGS) == waiting
    ping(post, endpoint)
    fan_out(post)
    assert post.deliveries(endpoint)[-1].wait <= 0


def test_redelivery_requested_during_failing_last_try_is_kept(post: Post):
    endpoint, _ = post.endpoint(NOWHERE, types=("payment.completed",))
    post.pay()
    fan_out(post)
    post.execute("UPDATE webhook_deliveries SET tries_left = 1")
    [last] = claim(post)
    redeliver(post, last.id)
    note(post, last, FAILED, None)
    [delivery] = post.deliveries(endpoint)
    assert (delivery.state, delivery.tries_left, delivery.wait <= 0) == ("pending", 10, True)
    assert rows(post, "SELECT attempt, status FROM webhook_attempts") == [(1, 500)]
    [again] = claim(post)
    assert again.attempt == 2


def test_redelivery_requested_during_successful_try_is_done(post: Post):
    endpoint, _ = post.endpoint(NOWHERE, types=("payment.completed",))
    post.pay()
    fan_out(post)
    [claimed] = claim(post)
    redeliver(post, claimed.id)
    note(post, claimed, AttemptOutcome(204, None), None)
    assert post.states(endpoint) == ["delivered"]


def test_redelivery_behind_another_is_due_with_it(post: Post):
    endpoint, _ = post.endpoint(NOWHERE)
    post.pay()
    fan_out(post)
    for _ in range(2):
        [claimed] = claim(post)
        note(post, claimed, AttemptOutcome(204, None), None)
    for delivery in post.deliveries(endpoint):
        redeliver(post, delivery.id)
    [first] = claim(post)
    note(post, first, FAILED, 300.0)
    assert [delivery.wait > 200 for delivery in post.deliveries(endpoint)] == [True, True]


def test_deliveries_of_a_deleted_endpoint_are_removed(post: Post):
    """Else endpoints made, pinged and deleted, again and again, would be passed in every search for a month."""
    endpoint, _ = post.endpoint(NOWHERE, types=("payment.completed",))
    post.pay(2)
    fan_out(post)
    note(post, claim(post)[0], AttemptOutcome(204, None), None)
    with transaction(post.books.gateway) as connection:
        assert webhook_endpoint.delete(connection, endpoint, 1)
    assert post.states(endpoint) == ["delivered"]
    post.execute(
        "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at)"
        " VALUES (%s, %s, 0, 'ping', %s, 1, now())",
        *(str(uuid7()), endpoint, endpoint),
    )
    with transaction(post.books.worker) as connection:
        webhook_queue.forget_old(connection)
    assert post.states(endpoint) == ["delivered"]


def test_deactivated_user_gets_no_webhooks_until_active(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    post.pay()
    with transaction(post.books.worker) as connection:
        user.set_active(connection, post.user, False)
    post.until(lambda: len(post.deliveries(endpoint)) == 2)
    post.dispatcher.dispatch()
    assert receiver.heard == []
    with transaction(post.books.worker) as connection:
        user.set_active(connection, post.user, True)
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)


def test_endpoint_disabled_repeatedly_mails_once_an_hour(post: Post):
    """Otherwise a user who signs up with another's address could send them mails without end."""
    endpoint, _ = post.endpoint(NOWHERE)
    disable = "UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'gone', version = version + 1"
    for _ in range(3):
        post.execute(disable)
        post.execute("UPDATE webhook_endpoints SET is_active = true, disabled_reason = NULL")
    assert rows(post, "SELECT count(*) FROM confirmations WHERE purpose = 'webhook'") == [(1,)]
    assert rows(post, "SELECT count(*) FROM events WHERE subject_id = %s", endpoint) == [(3,)]
    post.execute("UPDATE confirmations SET created_at = created_at - interval '61 min' WHERE purpose = 'webhook'")
    post.execute(disable)
    assert rows(post, "SELECT count(*) FROM confirmations WHERE purpose = 'webhook'") == [(2,)]


def test_outcome_that_cannot_be_stored_harms_no_other(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    poison, *others = post.pay(6)
    post.until(lambda: len(post.deliveries(endpoint)) == 6)
    post.until(lambda: post.states(endpoint) == ["delivered"] * 6)
    [bad] = [delivery.id for delivery in post.deliveries(endpoint) if delivery.subject_id == poison]
    post.execute(f"ALTER TABLE webhook_attempts ADD CONSTRAINT poison CHECK (delivery_id <> '{bad}') NOT VALID")
    for delivery in post.deliveries(endpoint):
        redeliver(post, delivery.id)
    post.until(
        lambda: (
            sum(delivery.attempts >= 2 and delivery.state == "delivered" for delivery in post.deliveries(endpoint)) == 5
        )
    )
    [left] = [delivery for delivery in post.deliveries(endpoint) if delivery.state == "pending"]
    assert left.id == bad
    assert len(others) == 5


def test_subject_that_cannot_be_shown_harms_no_other(post: Post, monkeypatch: pytest.MonkeyPatch):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    poison, *_ = post.pay(3)
    shown = dispatcher.payment_body

    def payment_body(view: Any, viewer: Any) -> dict[str, Any]:
        if view.id == poison:
            raise KeyError("unknown")
        return shown(view, viewer)

    monkeypatch.setattr(dispatcher, "payment_body", payment_body)
    post.until(lambda: post.states(endpoint).count("delivered") == 2)
    post.until(lambda: any(delivery.error for delivery in post.deliveries(endpoint)))
    assert {(delivery.subject_id, delivery.error) for delivery in post.deliveries(endpoint) if delivery.error} == {
        (poison, "internal")
    }


def test_retry_after_date_out_of_range_is_ignored(post: Post):
    receiver = post.receiver()
    receiver.answer = status(429, Retry_After="Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    delivery = post.until(lambda: post.deliveries(endpoint))[0]
    tried = post.tried(delivery.id, 1)
    assert (tried.status, tried.error) == (429, "http_status")


def test_calls_to_one_name_share_one_resolver_thread():
    """A server that never answers keeps a thread for longer than the calls to its name last: one, not one a call."""
    over, resolved = threading.Event(), []

    def hang(host: str, _port: int) -> list[str]:
        resolved.append(host)
        if host == "bad.example":
            over.wait()
        return ["127.0.0.1"]

    async def send() -> list[AttemptOutcome]:
        sender, secrets = new_sender(UrlPolicy(http=True), resolve=hang), [new_secret()]
        clock = Clock(datetime(2026, 1, 1, tzinfo=UTC), time.monotonic())

        async def good() -> AttemptOutcome:
            try:
                return await sender.send(WebhookCall("id", "http://good.example/", "{}", secrets, clock))
            finally:
                over.set()

        bad = [
            sender.send(WebhookCall("id", "http://bad.example/", "{}", secrets, clock))
            for _ in range(RESOLVERS_MAX + 1)
        ]
        return await asyncio.gather(*bad, good())

    outcomes = asyncio.run(send())
    assert {outcome.error for outcome in outcomes} == {"address_refused"}, "the good one was not waited for in vain"
    assert sorted(resolved) == ["bad.example", "good.example"]
