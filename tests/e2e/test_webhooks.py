"""Webhooks over the whole road: an endpoint made over HTTP, a charge, and a receiver that verifies what it is sent."""

from uuid import uuid4

import pytest

from tests.e2e.state_machine.users import StackUsers
from tests.support import eventually
from tests.webhook_receiver import Receiver, status

pytestmark = pytest.mark.slow
CREATED, ACCEPTED = 201, 202


def endpoint(users: StackUsers, url: str, *types: str) -> dict:
    """A new endpoint of the merchant's, with its secret."""
    body = {"url": url, "event_types": list(types)}
    code, made, _ = users.connection.call("POST", "/v1/webhook-endpoints", users.merchant.token, body)
    assert code == CREATED, made
    return made


def test_a_charge_is_told_as_it_goes(users: StackUsers, receiver: Receiver) -> None:
    made = endpoint(users, receiver.url, "payment.*")
    answer = users.connection.submit(users.charge(users.clients[0], "12.50"))
    eventually(lambda: len(receiver.heard) == 2, seconds=60)
    first, second = (heard.verified(made["secret"]) for heard in receiver.heard)
    assert [first["type"], second["type"]] == ["payment.initiated", "payment.completed"]
    assert first["data"]["id"] == second["data"]["id"] == answer.payment_id
    shown = users.final(answer)
    assert second["data"] == shown
    path = f"/v1/webhook-endpoints/{made['id']}/deliveries"

    def delivered() -> bool:
        _, page, _ = users.connection.call("GET", path, users.merchant.token)
        return [delivery["state"] for delivery in page["data"]] == ["delivered"] * 2

    eventually(delivered, seconds=60)


def test_a_bulk_is_told_when_it_ends(users: StackUsers, receiver: Receiver) -> None:
    made = endpoint(users, receiver.url, "bulk.*")
    charges = [{"wallet": client.wallet, "amount": "1.00"} for client in users.clients[:3]]
    body = {"currency": "EUR", "charges": charges}
    code, bulk, _ = users.connection.call("POST", "/v1/bulk-charges", users.merchant.token, body, str(uuid4()))
    assert code == ACCEPTED, bulk
    eventually(lambda: receiver.heard, seconds=60)
    event = receiver.heard[0].verified(made["secret"])
    _, shown, _ = users.connection.call("GET", f"/v1/bulk-charges/{bulk['id']}", users.merchant.token)
    assert (event["type"], event["data"]) == ("bulk.completed", shown)


def test_a_ping_a_failure_and_a_redelivery(users: StackUsers, receiver: Receiver) -> None:
    receiver.answer = status(500)
    made = endpoint(users, receiver.url, "bulk.completed")
    code, _, _ = users.connection.call("POST", f"/v1/webhook-endpoints/{made['id']}/test", users.merchant.token, {})
    assert code == ACCEPTED
    eventually(lambda: receiver.heard, seconds=60)
    assert receiver.heard[0].verified(made["secret"])["type"] == "ping"
    receiver.answer = status(204)
    code, again, _ = users.connection.call(
        "POST", f"/v1/webhook-deliveries/{receiver.heard[0].id}/redeliver", users.merchant.token, {}
    )
    assert code == ACCEPTED, again

    def is_delivered() -> bool:
        path = f"/v1/webhook-deliveries/{receiver.heard[0].id}"
        return users.connection.call("GET", path, users.merchant.token)[1]["state"] == "delivered"

    eventually(is_delivered, seconds=60)
    assert {heard.id for heard in receiver.heard} == {receiver.heard[0].id}


def test_a_receiver_that_is_not_on_loopback_alone_is_refused(users: StackUsers) -> None:
    for url in ("http://10.0.0.1/", "http://localhost:9000/", "http://169.254.169.254/latest", "http://2130706433/"):
        body = {"url": url, "event_types": ["*"]}
        code, problem, _ = users.connection.call("POST", "/v1/webhook-endpoints", users.merchant.token, body)
        assert (code, problem["errors"][0]["pointer"]) == (422, "/url"), url
