"""Which webhooks are sent, to whom, how often and in which order."""

import json
from collections import defaultdict

import pytest
from standardwebhooks import WebhookVerificationError
from uuid_utils.compat import uuid7

from models import payment_view, webhook_endpoint
from models.representations import payment_body
from models.session import transaction
from models.webhook_endpoint import new_secret
from tests.webhook_receiver import status
from tests.workers.webhooks.conftest import Post
from tests.workers.webhooks.heard import BOTH, subject_and_type
from workers.webhooks.dispatcher import EndpointOwner
from workers.webhooks.sender import USER_AGENT

pytestmark = pytest.mark.shares_books


def test_webhook_shows_a_payment_as_its_owner_sees_it(post: Post):
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
        (str(delivery.sequence), version) for delivery, version in zip(deliveries, (1, 2), strict=True)
    ]
    assert [heard.id for heard in receiver.heard] == [delivery.id for delivery in deliveries]
    headers = receiver.heard[0].headers
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", USER_AGENT)
    assert headers["host"] == receiver.url.split("/")[2]


def test_webhook_of_the_payee_shows_what_they_may_see(post: Post):
    receiver = post.receiver()
    bob, wallet = post.books.client()
    endpoint, secret = post.endpoint(receiver.url, bob)
    post.books.order("transfer", post.user, post.wallet, wallet, 100)
    post.books.poster().drain()
    post.until(lambda: post.states(endpoint) == ["delivered"] * 2)
    data = receiver.heard[-1].verified(secret)["data"]
    assert (data["source"]["wallet"], data["balance_after"], data["commission"]) == (None, "1.00", None)


def test_endpoint_gets_only_subscribed_events_of_its_owner(post: Post):
    stranger, _ = post.books.client()
    expected = {
        "*": BOTH,
        "payment.*": BOTH,
        "payment.completed": ["payment.completed"],
        "bulk.*": [],
        "payment.failed": [],
    }
    ids = {types: post.endpoint("http://127.0.0.1:9/", types=(types,))[0] for types in expected}
    of_stranger, _ = post.endpoint("http://127.0.0.1:9/", stranger)
    post.pay()
    post.until(lambda: len(post.deliveries(ids["*"])) == len(BOTH))
    assert {types: [delivery.name for delivery in post.deliveries(id)] for types, id in ids.items()} == expected
    assert post.deliveries(of_stranger) == []


def test_ping_goes_to_its_endpoint_only(post: Post):
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


def test_event_before_endpoint_creation_is_not_sent(post: Post):
    post.pay()
    endpoint, _ = post.endpoint("http://127.0.0.1:9/")
    [later] = post.pay()
    post.until(lambda: post.deliveries(endpoint))
    assert {delivery.subject_id for delivery in post.deliveries(endpoint)} == {later}


def test_both_secrets_sign_during_rotation_overlap_only(post: Post):
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


def test_redelivery_has_the_id_of_the_first_try(post: Post):
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


def test_deliveries_of_one_payment_keep_their_order(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    stuck, *others = post.pay(5)

    def refuse_one(handler, heard):
        status(500 if subject_and_type(heard)[0] == stuck else 204)(handler, heard)

    receiver.answer = refuse_one
    post.until(lambda: post.states(endpoint).count("delivered") == 2 * len(others))
    for _ in range(3):
        post.hasten()
        first = next(delivery for delivery in post.deliveries(endpoint) if delivery.subject_id == stuck)
        post.tried(first.id, first.attempts + 1)
    heard = defaultdict(list)
    for subject, name in map(subject_and_type, receiver.heard):
        heard[subject].append(name)
    assert set(heard.pop(stuck)) == {"payment.initiated"}
    assert list(heard.values()) == [BOTH] * len(others)
    receiver.answer = status(204)
    post.hasten()
    post.until(lambda: set(post.states(endpoint)) == {"delivered"})
    assert [name for subject, name in map(subject_and_type, receiver.heard) if subject == stuck][-2:] == BOTH


def test_deliveries_behind_a_failed_one_continue_when_it_ends(post: Post):
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url)
    receiver.answer = status(500)
    post.pay()
    post.until(lambda: [delivery.attempts for delivery in post.deliveries(endpoint)] == [1, 0])
    first, _ = post.deliveries(endpoint)
    post.tried(first.id, 1)
    first, second = post.deliveries(endpoint)
    assert first.wait == pytest.approx(second.wait, abs=0.01)
    post.execute("UPDATE webhook_deliveries SET tries_left = 1, next_attempt_at = now() WHERE id = %s", first.id)
    receiver.answer = lambda handler, heard: status(500 if subject_and_type(heard)[1] == BOTH[0] else 204)(
        handler, heard
    )
    post.until(lambda: post.states(endpoint) == ["failed", "delivered"])
    assert [subject_and_type(heard)[1] for heard in receiver.heard] == [BOTH[0], BOTH[0], BOTH[1]]


def test_inactive_endpoint_keeps_events_and_deleted_gets_none(post: Post):
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
