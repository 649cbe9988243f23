"""What is sent, to whom, how often and in which order; by one dispatcher, by two, and after one that died."""

import json
import threading
from collections import defaultdict

import pytest
from standardwebhooks import WebhookVerificationError
from uuid_utils.compat import uuid7

from models import payment_view, webhook_endpoint, webhook_queue
from models.representations import payment_body
from models.rules.webhook_retry import AttemptOutcome
from models.session import transaction
from models.webhook_endpoint import new_secret
from tests.support import eventually
from tests.webhook_receiver import Heard, status
from tests.workers.webhooks.conftest import Post
from workers.webhooks.dispatcher import EndpointOwner
from workers.webhooks.sender import USER_AGENT, WebhookCall

BOTH = ["payment.initiated", "payment.completed"]


def told(heard: Heard) -> tuple[str, str]:
    event = json.loads(heard.body)
    return event["data"]["id"], event["type"]


def test_a_payment_is_told_as_its_owner_sees_it(post: Post):
    receiver = post.receiver()
    endpoint, secret = post.endpoint(receiver.url)
    [payment_id] = post.pay()
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)
    events = [heard.verified(secret) for heard in receiver.heard]
    assert [event["type"] for event in events] == BOTH
    with transaction(post.books.worker) as connection:
        view = payment_view.by_ids(connection, [payment_id])[payment_id]
    assert events[1]["data"] == json.loads(json.dumps(payment_body(view, EndpointOwner(post.user))))
    assert events[1]["data"]["balance_after"] == "999999.99"
    deliveries = post.deliveries(endpoint)
    assert [(event["id"], event["version"]) for event in events] == [
        (str(one.sequence), version) for one, version in zip(deliveries, (1, 2), strict=True)
    ]
    assert [heard.id for heard in receiver.heard] == [one.id for one in deliveries]
    headers = receiver.heard[0].headers
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", USER_AGENT)
    assert headers["host"] == receiver.url.split("/")[2]


def test_who_receives_the_money_is_told_what_he_may_see(post: Post):
    receiver = post.receiver()
    bob, wallet = post.books.client()
    endpoint, secret = post.endpoint(receiver.url, bob)
    post.books.order("transfer", post.user, post.wallet, wallet, 100)
    post.books.poster().drain()
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)
    data = receiver.heard[-1].verified(secret)["data"]
    assert (data["source"]["wallet"], data["balance_after"], data["commission"]) == (None, "1.00", None)


def test_each_endpoint_is_told_what_it_asks_for_and_strangers_nothing(post: Post):
    stranger, _ = post.books.client()
    asked = {
        "*": BOTH,
        "payment.*": BOTH,
        "payment.completed": ["payment.completed"],
        "bulk.*": [],
        "payment.failed": [],
    }
    ids = {types: post.endpoint("http://127.0.0.1:9/", types=(types,))[0] for types in asked}
    of_stranger, _ = post.endpoint("http://127.0.0.1:9/", stranger)
    post.pay()
    post.until(lambda: len(post.deliveries(ids["*"])) == len(BOTH))
    assert {types: [one.name for one in post.deliveries(id)] for types, id in ids.items()} == asked
    assert post.deliveries(of_stranger) == []


def test_a_ping_goes_to_the_endpoint_that_asked_and_to_no_other(post: Post):
    receiver = post.receiver()
    endpoint, secret = post.endpoint(receiver.url, types=("bulk.completed",))
    other, _ = post.endpoint(receiver.url)
    for _ in range(2):
        with transaction(post.books.gateway) as connection:
            assert webhook_endpoint.ping(connection, endpoint)
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)
    assert [(event["type"], event["data"]["id"]) for event in (h.verified(secret) for h in receiver.heard)] == [
        ("ping", endpoint)
    ] * 2
    assert post.deliveries(other) == []


def test_what_happened_before_an_endpoint_was_made_is_not_sent_to_it(post: Post):
    post.pay()
    endpoint, _ = post.endpoint("http://127.0.0.1:9/")
    [later] = post.pay()
    post.until(lambda: post.deliveries(endpoint))
    assert {one.subject_id for one in post.deliveries(endpoint)} == {later}


def test_both_secrets_sign_while_a_rotation_overlaps_and_then_the_new_one_alone(post: Post):
    receiver = post.receiver()
    endpoint, old = post.endpoint(receiver.url, types=("payment.completed",))
    new = new_secret()
    with transaction(post.books.gateway) as connection:
        webhook_endpoint.add_secret(connection, str(uuid7()), endpoint, new, overlap_seconds=3600)
    post.pay()
    post.until(lambda: post.states(endpoint) == ["delivered"])
    for secret in (old, new):
        assert receiver.heard[0].verified(secret)["type"] == "payment.completed"
    post.execute("UPDATE webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
    post.pay()
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)
    assert receiver.heard[1].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.heard[1].verified(old)


def test_a_redelivery_has_the_id_of_the_first(post: Post):
    receiver = post.receiver()
    receiver.answer = status(500)
    endpoint, secret = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    post.until(lambda: post.deliveries(endpoint))
    [delivery] = post.deliveries(endpoint)
    post.tried(delivery.id, 1)
    receiver.answer = status(204)
    post.hasten()
    assert post.tried(delivery.id, 2).state == "delivered"
    assert {heard.id for heard in receiver.heard} == {delivery.id}
    assert all(heard.verified(secret) for heard in receiver.heard)


def test_of_one_payment_nothing_overtakes_and_others_flow(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    stuck, *others = post.pay(5)

    def refuse_one(handler, heard):
        status(500 if told(heard)[0] == stuck else 204)(handler, heard)

    receiver.answer = refuse_one
    post.until(lambda: post.states(endpoint).count("delivered") == 2 * len(others))
    for _ in range(3):
        post.hasten()
        first = next(one for one in post.deliveries(endpoint) if one.subject_id == stuck)
        post.tried(first.id, first.attempts + 1)
    heard = defaultdict(list)
    for subject, name in map(told, receiver.heard):
        heard[subject].append(name)
    assert set(heard.pop(stuck)) == {"payment.initiated"}
    assert list(heard.values()) == [BOTH] * len(others)
    receiver.answer = status(204)
    post.hasten()
    post.until(lambda: set(post.states(endpoint)) == {"delivered"})
    assert [name for subject, name in map(told, receiver.heard) if subject == stuck][-2:] == BOTH


def test_what_waits_behind_is_due_with_it_and_goes_on_when_it_is_given_up(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    receiver.answer = status(500)
    post.pay()
    post.until(lambda: [one.attempts for one in post.deliveries(endpoint)] == [1, 0])
    first, _ = post.deliveries(endpoint)
    post.tried(first.id, 1)
    first, second = post.deliveries(endpoint)
    assert first.wait == pytest.approx(second.wait, abs=0.01)
    post.execute("UPDATE webhook_deliveries SET tries_left = 1, next_attempt_at = now() WHERE id = %s", first.id)
    receiver.answer = lambda handler, heard: status(500 if told(heard)[1] == BOTH[0] else 204)(handler, heard)
    post.until(lambda: post.states(endpoint) == ["failed", "delivered"])
    assert [told(heard)[1] for heard in receiver.heard] == [BOTH[0], BOTH[0], BOTH[1]]


def test_an_inactive_endpoint_loses_nothing_and_a_deleted_one_is_sent_nothing(post: Post):
    receiver = post.receiver()
    paused, _ = post.endpoint(receiver.url)
    deleted, _ = post.endpoint(receiver.url)
    post.execute("UPDATE webhook_endpoints SET is_active = false")
    with transaction(post.books.gateway) as connection:
        assert webhook_endpoint.delete(connection, deleted, 1)
    post.pay()
    post.until(lambda: len(post.deliveries(paused)) == 2)
    assert (receiver.heard, post.deliveries(deleted)) == ([], [])
    post.execute("UPDATE webhook_endpoints SET is_active = true WHERE deleted_at IS NULL")
    post.until(lambda: post.states(paused) == ["delivered"] * 2)
    assert len(receiver.heard) == 2


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
    assert sorted(map(told, receiver.heard)) == sorted((id, name) for id in payments for name in BOTH)
    assert [one.attempts for one in post.deliveries(endpoint)] == [1] * 200


def test_who_dies_amid_a_call_leaves_it_due_after_its_lease(post: Post):
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


def test_who_dies_amid_the_last_try_makes_no_more_of_them(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    with transaction(post.books.worker) as connection:
        webhook_queue.fan_out(connection, 1000)
    post.execute("UPDATE webhook_deliveries SET tries_left = 0")
    post.until(lambda: post.states(endpoint) == ["failed"])
    assert (receiver.heard, post.deliveries(endpoint)[0].error) == ([], "interrupted")


def test_told_to_end_it_waits_for_the_calls_under_way(post: Post):
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


def test_told_to_end_amid_a_round_it_waits_for_the_calls_that_begin(post: Post, monkeypatch: pytest.MonkeyPatch):
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


def test_old_deliveries_are_forgotten_with_their_tries(post: Post):
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


def test_a_subject_that_is_gone_is_told_by_its_id_and_nothing_goes_unsigned(post: Post):
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
    post.until(lambda: any(one.error for one in post.deliveries(endpoint)), dispatcher=dispatcher)
    assert {one.error for one in post.deliveries(endpoint)} == {None, "unsigned"}
    assert len(sender.calls) == 2
