"""N57 to N61 over HTTP: one key of one user is one payment, however often and however it is sent."""

import json
import secrets
from typing import Any

import pytest
from uuid_utils import compat as uuids

from models import token
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import at_once

AT_ONCE = 20


@pytest.fixture
def order(client: ApiUser) -> dict[str, Any]:
    """A transfer between two wallets of the client's."""
    return {"source": client.wallet("100.00"), "target": client.wallet(), "amount": "10.00", "currency": "EUR"}


def payments_of(api: ApiHarness, person: ApiUser) -> int:
    [count] = api.execute("SELECT count(*) FROM payments WHERE user_id = %s AND type <> 'deposit'", person.id)
    return count


def test_a_repeated_order_is_the_same_payment_as_it_is_now(
    api: ApiHarness, client: ApiUser, order: dict, rings: list
) -> None:
    rings.clear()
    first = client.order("/v1/transfers", order, "k1")
    assert first.status_code == 202
    assert "Idempotent-Replayed" not in first.headers
    again = client.order("/v1/transfers", order, "k1")
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert (again.headers["Idempotent-Replayed"], again.headers["ETag"]) == ("true", first.headers["ETag"])
    assert again.headers["Retry-After"] == "1"
    api.post_payments()
    final = client.order("/v1/transfers", order, "k1")
    assert (final.status_code, final.get_json()["id"]) == (202, first.get_json()["id"])
    assert final.get_json()["state"] == "COMPLETED"
    assert final.headers["ETag"] != first.headers["ETag"]
    assert "Retry-After" not in final.headers
    assert payments_of(api, client) == 1
    assert len(rings) == 1


def test_white_space_and_order_of_members_do_not_matter(api: ApiHarness, client: ApiUser, order: dict) -> None:
    key = {"Idempotency-Key": "same"}
    texts = [json.dumps(order), json.dumps(dict(reversed(order.items())), indent=4)]
    ids = {client.raw("/v1/transfers", text.encode(), **key).get_json()["id"] for text in texts}
    assert len(ids) == payments_of(api, client) == 1


@pytest.mark.parametrize(("sent", "again"), [("k", '"k"'), ('"a\\"b"', '"a\\"b"'), ("a;b;c=d", '"a;b;c=d"')])
def test_a_quoted_key_is_the_bare_one(api: ApiHarness, client: ApiUser, order: dict, sent: str, again: str) -> None:
    first, second = (client.order("/v1/transfers", order, key) for key in (sent, again))
    assert first.get_json()["id"] == second.get_json()["id"]


@pytest.mark.parametrize("change", [{"amount": "10.01"}, {"amount": "10"}, {"summary": "x"}, {"metadata": {}}])
def test_n58_the_key_with_another_body(api: ApiHarness, client: ApiUser, order: dict, change: dict) -> None:
    client.order("/v1/transfers", order, "k")
    with api.unchanged():
        answer = client.order("/v1/transfers", {**order, **change}, "k")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_key_reused")


def test_n58_the_key_on_another_path(api: ApiHarness, client: ApiUser, order: dict) -> None:
    client.order("/v1/transfers", order, "k")
    deposit = deposit_into(order["source"])
    with api.unchanged():
        outcomes = [
            client.order("/v1/deposits", deposit, "k").get_json()["code"],
            client.order("/v1/wallets", {"currency": "EUR"}, "k").get_json()["code"],
        ]
    assert outcomes == ["idempotency_key_reused"] * 2


def test_n57_the_key_of_another_user(client: ApiUser, stranger: ApiUser, order: dict) -> None:
    first = client.order("/v1/transfers", order, "shared")
    body = {"source": stranger.wallet(), "target": order["target"], "amount": "10.00", "currency": "EUR"}
    answer = stranger.order("/v1/transfers", body, "shared")
    assert answer.status_code == 202
    assert answer.get_json()["id"] != first.get_json()["id"]
    assert "Idempotent-Replayed" not in answer.headers


def test_a_key_belongs_to_the_user_not_to_the_token(api: ApiHarness, client: ApiUser, order: dict) -> None:
    second = token.new()
    with transaction(api.worker) as connection:
        token.keep(connection, str(uuids.uuid7()), client.id, second)
    first = client.order("/v1/transfers", order, "k")
    again = ApiUser(api, client.id, second).order("/v1/transfers", order, "k")
    assert again.get_json()["id"] == first.get_json()["id"]


def test_n59_twenty_equal_orders_at_once_are_one_payment(api: ApiHarness, client: ApiUser, order: dict) -> None:
    answers = at_once(AT_ONCE, lambda _: client.order("/v1/transfers", order, "twenty"))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_data() for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == AT_ONCE - 1
    assert payments_of(api, client) == 1


def test_n59_twenty_equal_charges_with_a_reference_at_once(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet = client.wallet("100.00")
    merchant.wallet()
    charge = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "reference": "R-1"}
    answers = at_once(AT_ONCE, lambda _: merchant.order("/v1/charges", charge, "twenty"))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_data() for answer in answers}) == 1
    assert payments_of(api, merchant) == 1


def test_n59_twenty_bodies_under_one_key_at_once(api: ApiHarness, client: ApiUser, order: dict) -> None:
    answers = at_once(AT_ONCE, lambda n: client.order("/v1/transfers", {**order, "amount": f"{n + 1}.00"}, "one"))
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len(accepted) == payments_of(api, client) == 1
    assert {a.get_json()["code"] for a in answers if a.status_code != 202} == {"idempotency_key_reused"}


def test_n59_twenty_references_at_once(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet = client.wallet("100.00")
    merchant.wallet()
    charge = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "reference": "R-2"}
    answers = at_once(AT_ONCE, lambda _: merchant.order("/v1/charges", charge))
    [accepted] = [answer.get_json()["id"] for answer in answers if answer.status_code == 202]
    refused = [answer.get_json() for answer in answers if answer.status_code == 409]
    assert len(refused) == AT_ONCE - 1
    assert {(body["code"], body["payment"]) for body in refused} == {("duplicate_reference", accepted)}
    assert payments_of(api, merchant) == 1


def test_n59_twenty_equal_wallets_at_once(api: ApiHarness, client: ApiUser) -> None:
    answers = at_once(AT_ONCE, lambda _: client.order("/v1/wallets", {"currency": "EUR"}, "w"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["token"] for answer in answers}) == 1
    assert api.execute("SELECT count(*) FROM accounts WHERE owner_id = %s", client.id) == [1]


@pytest.mark.parametrize("path", ["/v1/transfers", "/v1/deposits", "/v1/charges"])
def test_an_order_without_a_key(api: ApiHarness, merchant: ApiUser, path: str) -> None:
    wallet, other = "wal_" + "a" * 32, "wal_" + "b" * 32
    body = {
        "/v1/transfers": {"source": wallet, "target": other},
        "/v1/deposits": {"wallet": wallet, "source": "wire"},
        "/v1/charges": {"wallet": wallet},
    }[path]
    with api.unchanged():
        answer = merchant.call("POST", path, json={**body, "amount": "1.00", "currency": "EUR"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        "a b",
        "k" * 256,
        f'"{"k" * 256}"',
        '"',
        '""',
        '"open',
        '"a"b"',
        '"a\\x"',
        "é",
        "\u0661",
        "a\tb",
        "a\x00b",
        "\x7f",
    ],
)
def test_n60_malformed_keys(api: ApiHarness, client: ApiUser, order: dict, key: str) -> None:
    with api.unchanged():
        answer = client.call("POST", "/v1/transfers", json=order, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize("key", ["k" * 255, f'"{"k" * 255}"', "!", "~", "a'b", "a\\b", 'a"b'])
def test_n60_unusual_keys_that_are_right(client: ApiUser, order: dict, key: str) -> None:
    first, second = (client.order("/v1/transfers", order, key) for _ in range(2))
    assert (first.status_code, second.headers.get("Idempotent-Replayed")) == (202, "true")


def test_n61_a_refusal_does_not_burn_its_key(api: ApiHarness, client: ApiUser, order: dict) -> None:
    for change in ({"amount": "0"}, {"source": "wal_" + "z" * 32}, {"currency": "JPY", "amount": "1"}):
        with api.unchanged():
            assert client.order("/v1/transfers", {**order, **change}, "k").status_code in (404, 422)
    assert client.order("/v1/transfers", order, "k").status_code == 202


def test_replay_comes_before_refusals_that_depend_on_state(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet, merchant_wallet = client.wallet("10.00"), merchant.wallet()
    charge = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR"}
    first = merchant.order("/v1/charges", charge, "k")
    api.execute("UPDATE accounts SET is_active = false WHERE token = %s", merchant_wallet)
    assert merchant.order("/v1/charges", charge).get_json()["code"] == "target_missing"
    again = merchant.order("/v1/charges", charge, "k")
    assert again.get_json()["id"] == first.get_json()["id"]
    assert (
        merchant.order("/v1/charges", {**charge, "amount": "2.00"}, "k").get_json()["code"] == "idempotency_key_reused"
    )


def test_a_repeated_charge_meets_its_own_reference(client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet = client.wallet("10.00")
    merchant.wallet()
    charge = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "reference": "R"}
    first = merchant.order("/v1/charges", charge, "k")
    again = merchant.order("/v1/charges", charge, "k")
    assert (again.status_code, again.get_json()["id"]) == (202, first.get_json()["id"])
    other = merchant.order("/v1/charges", charge, "k2")
    assert (other.status_code, other.get_json()["payment"]) == (409, first.get_json()["id"])


def test_a_wallet_under_a_key(client: ApiUser) -> None:
    first, again = (client.order("/v1/wallets", {"currency": "EUR"}, "k") for _ in range(2))
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.order("/v1/wallets", {"currency": "USD"}, "k").get_json()["code"] == "idempotency_key_reused"
    assert client.order("/v1/wallets", {"currency": "EUR"}, secrets.token_hex(8)).get_json() != first.get_json()


def test_request_of_a_payment_is_shown_to_its_owner_alone(
    api: ApiHarness, ops: ApiUser, client: ApiUser, merchant: ApiUser, stranger: ApiUser
) -> None:
    wallet = client.wallet("10.00")
    merchant.wallet()
    charge = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "capture": False}
    made = merchant.order("/v1/charges", charge, "the-key")
    chosen = merchant.order("/v1/charges", charge, "other-key", **{"Request-Id": "of-the-shop-1"})
    id = made.get_json()["id"]
    api.post_payments()
    merchant.order(f"/v1/charges/{id}/capture", {}, "key-of-the-capture")
    path = f"/v1/payments/{id}/request"
    expected = {"idempotency_key": "the-key", "request_id": made.headers["Request-Id"], "quote": None}
    for person in (merchant, ops):
        assert person.get(path).get_json() == expected
    assert ops.get(f"/v1/ops/payments/{id}").get_json()["request"] == expected
    other = merchant.get(f"/v1/payments/{chosen.get_json()['id']}/request").get_json()
    assert other == {"idempotency_key": "other-key", "request_id": "of-the-shop-1", "quote": None}
    assert client.get(f"/v1/payments/{id}").status_code == 200
    for person in (client, stranger):
        assert person.get(path).status_code == 404


def test_payment_of_the_system_has_no_request(api: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    wallet = client.wallet("10.00")
    [account] = api.execute("SELECT id::text FROM accounts WHERE token = %s", wallet)
    [id] = api.execute(ORDERED_BY_THE_SYSTEM, account)
    expected = ("idempotency_key", "request_id", "quote")
    for person in (client, ops):
        assert person.get(f"/v1/payments/{id}/request").get_json() == dict.fromkeys(expected)


ORDERED_BY_THE_SYSTEM = """
WITH made AS (
    INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency)
    SELECT uuid_floor(now()), 'bonus', a.owner_id, i.id, a.id, 100, a.currency
    FROM accounts a JOIN accounts i ON i.code = 'internal' AND i.currency = a.currency WHERE a.id = %s RETURNING *
)
INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id)
SELECT user_id, 'bonus ' || id, sha256(''), id FROM made RETURNING payment_id::text
"""
