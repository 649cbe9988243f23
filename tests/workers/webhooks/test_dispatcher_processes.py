"""Webhooks of two dispatchers, of one that died, and of one that closes."""

import json
import threading

import pytest
from uuid_utils.compat import uuid7

from models import webhook_queue
from models.rules.webhook_retry import AttemptOutcome
from models.session import transaction
from tests.support import eventually
from tests.webhook_receiver import status
from tests.workers.webhooks.conftest import Post
from tests.workers.webhooks.heard import BOTH, subject_and_type
from workers.webhooks.sender import WebhookCall


def test_two_dispatchers_at_once_send_each_delivery_once(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    other = post.another_dispatcher(events_max=7)
    payments = post.pay(100)
    start = threading.Barrier(2)

    def dispatch(dispatcher):
        start.wait()
        for _ in range(20):
            dispatcher.dispatch()

    threads = [threading.Thread(target=dispatch, args=(each,)) for each in (post.dispatcher, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    post.until(lambda: set(post.states(endpoint)) == {"delivered"})
    assert sorted(map(subject_and_type, receiver.heard)) == sorted((id, name) for id in payments for name in BOTH)
    assert [row.attempts for row in post.deliveries(endpoint)] == [1] * 200


def test_delivery_of_a_killed_process_is_due_after_its_lease(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    with transaction(post.books.worker) as connection:
        assert webhook_queue.fan_out(connection, 1000)
    with transaction(post.books.worker) as connection:
        [claimed] = webhook_queue.claim(connection, {}, (), webhook_queue.Capacity(8, 8, 8))
    post.dispatcher.dispatch()
    [delivery] = post.deliveries(endpoint)
    assert (receiver.heard, delivery.state, delivery.attempts) == ([], "pending", 1)
    assert webhook_queue.LEASE_SECONDS - 5 < delivery.wait <= webhook_queue.LEASE_SECONDS
    post.hasten()
    with transaction(post.books.worker) as connection:
        [again] = webhook_queue.claim(connection, {}, (), webhook_queue.Capacity(8, 8, 8))
        late = webhook_queue.EndedAttempt(claimed, AttemptOutcome(500, "http_status"), 3600.0)
        webhook_queue.note(connection, [late])
    [delivery] = post.deliveries(endpoint)
    assert (again.attempt, delivery.attempts, delivery.status) == (2, 2, None), "the late one changes nothing"
    assert delivery.wait <= webhook_queue.LEASE_SECONDS
    post.hasten()
    post.until(lambda: post.states(endpoint) == ["delivered"])
    assert len(receiver.heard) == 1


def test_last_try_of_a_killed_process_is_not_repeated(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    with transaction(post.books.worker) as connection:
        webhook_queue.fan_out(connection, 1000)
    post.execute("UPDATE webhook_deliveries SET tries_left = 0")
    post.until(lambda: post.states(endpoint) == ["failed"])
    assert (receiver.heard, post.deliveries(endpoint)[0].error) == ([], "interrupted")


def test_shutdown_waits_for_calls_under_way(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    go_on = threading.Event()

    def slowly(handler, heard):
        go_on.wait()
        status(204)(handler, heard)

    receiver.answer = slowly
    dispatcher = post.another_dispatcher()
    post.pay()
    post.until(lambda: receiver.heard, dispatcher=dispatcher)
    ending = threading.Thread(target=dispatcher.close)
    ending.start()
    go_on.set()
    ending.join()
    post.dispatchers.remove(dispatcher)
    assert post.states(endpoint) == ["delivered"]


def test_close_during_a_cycle_waits_for_its_calls(post: Post, monkeypatch: pytest.MonkeyPatch):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    is_claiming, go_on, claim = threading.Event(), threading.Event(), webhook_queue.claim

    def claim_slowly(*arguments):
        is_claiming.set()
        go_on.wait()
        return claim(*arguments)

    monkeypatch.setattr(webhook_queue, "claim", claim_slowly)
    dispatcher = post.another_dispatcher()
    threads = [threading.Thread(target=does) for does in (dispatcher.dispatch, dispatcher.close)]
    threads[0].start()
    is_claiming.wait()
    threads[1].start()
    eventually(lambda: dispatcher._is_closing)
    go_on.set()
    for thread in threads:
        thread.join()
    post.dispatchers.remove(dispatcher)
    assert post.states(endpoint) == ["delivered"]


def test_old_deliveries_are_deleted_with_their_attempts(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    post.pay()
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)
    long_ago, behind = (f"019a0000-0000-7000-8000-00000000000{number}" for number in range(2))
    with post.books.as_owner() as connection:
        for sequence, (id, days) in enumerate(((long_ago, 31), (behind, 0))):
            connection.exec_driver_sql(
                "INSERT INTO webhook_deliveries"
                " (id, endpoint_id, sequence, name, subject_id, version, occurred_at, created_at)"
                " VALUES (%s, %s, -%s, 'ping', %s, 1, now(), now() - make_interval(days => %s))",
                (id, endpoint, sequence, endpoint, days),
            )
            connection.exec_driver_sql(
                "INSERT INTO webhook_attempts (delivery_id, attempt, milliseconds) VALUES (%s, 1, 1)", (id,)
            )
    with transaction(post.books.worker) as connection:
        connection.exec_driver_sql("SELECT 1")
        forgotten = webhook_queue.forget_old(connection)
        left = connection.exec_driver_sql("SELECT count(*) FROM webhook_attempts").scalar_one()
    assert (forgotten, left, len(post.deliveries(endpoint))) == (1, 3, 3), "what a clock that is behind made is kept"


class Unsent:
    """Sends nothing and says that it did."""

    def __init__(self) -> None:
        self.calls: list[WebhookCall] = []

    async def send(self, call: WebhookCall) -> AttemptOutcome:
        self.calls.append(call)
        return AttemptOutcome(204, None)


def test_deleted_subject_is_sent_by_id_and_nothing_unsigned(post: Post):
    sender = Unsent()
    dispatcher = post.another_dispatcher(sender)
    endpoint, _ = post.endpoint("https://shop.example/")
    gone = str(uuid7())
    with transaction(post.books.worker) as connection:
        for sequence, name in enumerate(("payment.completed", "payment.failed")):
            connection.exec_driver_sql(
                "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at)"
                " VALUES (%s, %s, %s, %s, %s, 1, now())",
                (str(uuid7()), endpoint, sequence, name, gone),
            )
    post.until(lambda: "delivered" in post.states(endpoint), dispatcher=dispatcher)
    assert json.loads(sender.calls[0].body)["data"] == {"id": gone}
    eventually(lambda: set(post.states(endpoint)) == {"delivered"})
    post.execute("UPDATE webhook_secrets SET expires_at = now()")
    post.pay()
    post.until(lambda: any(row.error for row in post.deliveries(endpoint)), dispatcher=dispatcher)
    assert {row.error for row in post.deliveries(endpoint)} == {None, "unsigned"}
    assert len(sender.calls) == 2
