"""Ops find payments, wallets and users by what people quote."""

from typing import Any

import pytest

from models.ops_search import HITS_MAX
from tests.builders import new_id
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.payouts import send, withdraw
from tests.gateway.webhooks.helpers import delivery, endpoint


def search(person: ApiUser, text: str) -> Any:
    return person.call("GET", "/v1/ops/search", query_string={"q": text}).get_json()


def hits(person: ApiUser, text: str) -> list[tuple[str, str, str]]:
    return [(hit["kind"], hit["id"], hit["matched_by"]) for hit in search(person, text)["data"]]


def test_payment_is_found_by_each_of_its_names(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    shop = api.person("merchant", "Shop")
    shop.wallet()
    order = {
        "wallet": client.wallet("9.00"),
        "amount": "2.00",
        "currency": "EUR",
        "reference": "order 1",
        "capture": False,
    }
    charge = shop.order("/v1/charges", order, key="key-of-the-shop").get_json()["id"]
    api.post_payments()
    for text, name in (
        (charge, "id"),
        (f" {charge.upper()} ", "id"),
        (charge.replace("-", ""), "id"),
        ("order 1", "reference"),
        ("key-of-the-shop", "idempotency_key"),
    ):
        assert hits(ops, text) == [("payment", charge, name)], text
    hook = endpoint(shop)
    about, ping = delivery(api, hook, subject_id=charge), delivery(api, hook, name="ping")
    for id, subject in ((about, ("payment", charge)), (ping, ("user", shop.id))):
        assert hits(ops, id) == [("webhook_delivery", id, "webhook_id"), (*subject, "webhook_id")]
        [hit, _] = search(ops, id)["data"]
        assert ops.get(hit["path"]).get_json()["id"] == id
    [hit] = search(ops, "order 1")["data"]
    assert (hit["label"], hit["path"]) == ("charge of 2.00 EUR, AUTHORIZED", f"/v1/ops/payments/{charge}")
    captured = shop.order(f"/v1/charges/{charge}/capture", {}, **{"X-Request-Id": "r-1"})
    assert hits(ops, captured.headers["Request-Id"]) == [("payment", charge, "request_id")]


def test_order_is_found_by_the_request_id_that_its_client_chose(ops: ApiUser, client: ApiUser) -> None:
    order = {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR", "source": "wire"}
    answer = client.order("/v1/deposits", order, **{"Request-Id": "of-the-client-1"})
    assert answer.headers["Request-Id"] == "of-the-client-1"
    assert hits(ops, "of-the-client-1") == [("payment", answer.get_json()["id"], "request_id")]


def test_request_that_orders_a_payment_gives_it_its_id(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    order = {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR", "source": "wire"}
    answer = client.order("/v1/deposits", order)
    id, request = answer.get_json()["id"], answer.headers["Request-Id"]
    assert request == id.replace("-", "")
    assert hits(ops, request) == [("payment", id, "id")]
    again = client.order("/v1/deposits", order, **{"Request-Id": request})
    assert again.headers["Request-Id"] == request
    assert again.get_json()["id"] != id, "no client chooses the id of a payment"
    assert again.status_code == 202


def test_payout_is_found_by_the_banks_reference(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    id = send(api, withdraw(api, client, client.wallet("9.00")))
    api.execute("UPDATE instructions SET bank_reference = 'BANK 9' WHERE payment_id = %s", id)
    assert hits(ops, "BANK 9") == [("payment", id, "bank_reference")]
    assert hits(ops, "BANK") == hits(ops, "bank 9") == []


def test_person_and_wallet_are_found(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    wallet = client.wallet()
    [account] = api.execute("SELECT id::text FROM accounts WHERE token = %s", wallet)
    api.execute("UPDATE users SET phone_number = '+493012345678' WHERE id = %s", client.id)
    for text in (f"{client.id}@EXAMPLE.com", client.id, "+49 (30) 1234-5678", "0049 30 12345678"):
        assert [hit[:2] for hit in hits(ops, text)] == [("user", client.id)], text
    assert hits(ops, wallet) == [("account", account, "wallet")]
    assert hits(ops, account) == [("account", account, "id")]
    assert ("account", account, "last4") in hits(ops, wallet[-4:])
    [hit] = search(ops, wallet)["data"]
    assert hit["label"] == f"wallet in EUR of Ann, ending in {wallet[-4:]}"
    [row] = ops.get(hit["path"]).get_json()["data"]
    assert row["id"] == account


def test_what_ops_did_is_found_by_its_request(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    body = {"is_active": True, "reason": "x"}
    assert ops.call("PATCH", f"/v1/ops/users/{client.id}", json={**body, "is_active": False}).status_code == 200
    request = ops.call("PATCH", f"/v1/ops/users/{client.id}", json=body).headers["Request-Id"]
    [hit] = search(ops, request)["data"]
    assert (hit["kind"], hit["label"]) == ("audit_entry", f"users.activate {client.id}")
    [line] = ops.get(hit["path"]).get_json()["data"]
    assert (line["id"], line["request_id"]) == (hit["id"], request)


def test_short_list_says_that_there_is_more(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    api.execute(
        "INSERT INTO accounts (id, token, owner_id, currency)"
        " SELECT gen_random_uuid(), 'wal_' || md5(n::text) || 'same', %s, 'EUR' FROM generate_series(1, %s) AS n",
        client.id,
        HITS_MAX + 1,
    )
    found = search(ops, "same")
    assert (len(found["data"]), found["has_more"]) == (HITS_MAX, True)
    assert search(ops, new_id()) == {"data": [], "has_more": False}


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "required"), ("q=", "invalid_value"), ("q=%00", "text_invalid"), (f"q={'a' * 256}", "text_too_long")],
)
def test_n16_search_without_a_text_is_refused(ops: ApiUser, query: str, code: str) -> None:
    answer = ops.get(f"/v1/ops/search?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
