"""Withdrawals over HTTP: money goes out of one's own wallet, at once and once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gateway.house import House, Person


def order(wallet: str, amount: str = "4.00", **members: Any) -> dict[str, Any]:
    return {"wallet": wallet, "amount": amount, "currency": "EUR", **members}


def outside(house: House, code: str) -> int:
    [balance] = house.execute("SELECT balance FROM accounts WHERE code = %s AND currency = 'EUR'", code)
    return int(balance)


@pytest.mark.parametrize("target", ["wire", "wallet", "crypto"])
@pytest.mark.parametrize("role", ["client", "merchant"])
def test_money_goes_out(house: House, role: str, target: str) -> None:
    person = house.person(role)
    wallet = person.wallet("10.00")
    before = outside(house, target)
    answer = person.order("/v1/withdrawals", order(wallet, target=target, summary="Rent", metadata={"a": "b"}))
    kept = answer.get_json()
    assert (answer.status_code, kept["type"], kept["state"], kept["summary"]) == (
        202,
        "withdrawal",
        "INITIATED",
        "Rent",
    )
    assert kept["target"] == {"wallet": None, "name": target, "last4": None}
    assert (kept["source"]["wallet"], kept["metadata"]) == (wallet, {"a": "b"})
    house.post_payments()
    shown = person.get(f"/v1/payments/{kept['id']}").get_json()
    assert (shown["state"], shown["balance_after"], shown["commission"]) == ("COMPLETED", "6.00", "0.00")
    assert (person.balance(wallet), outside(house, target) - before) == ("6.00", 400)


def test_by_wire_unless_told_otherwise(client: Person) -> None:
    answer = client.order("/v1/withdrawals", order(client.wallet()))
    assert answer.get_json()["target"]["name"] == "wire"


def test_no_more_than_there_is(house: House, client: Person) -> None:
    wallet = client.wallet("10.00")
    ids = [client.order("/v1/withdrawals", order(wallet, "6.00")).get_json()["id"] for _ in range(2)]
    house.post_payments()
    first, second = (client.get(f"/v1/payments/{id}").get_json() for id in ids)
    assert (first["state"], second["failure"]["code"]) == ("COMPLETED", "insufficient_funds")
    assert client.balance(wallet) == "4.00"


def test_one_key_one_withdrawal(house: House, client: Person) -> None:
    wallet = client.wallet("10.00")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.order("/v1/withdrawals", order(wallet), "once"), range(10)))
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    house.post_payments()
    assert client.balance(wallet) == "6.00"
    other = client.order("/v1/withdrawals", order(wallet, target="crypto"), "once")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


def test_nobody_withdraws_from_anothers_wallet(house: House, client: Person, merchant: Person) -> None:
    wallet, ops = client.wallet("10.00"), house.person("ops")
    with house.unchanged():
        theirs, unknown = (merchant.order("/v1/withdrawals", order(w)) for w in (wallet, "wal_" + "x" * 32))
        assert theirs.status_code == unknown.status_code == 404
        assert theirs.get_json()["errors"] == unknown.get_json()["errors"]
        assert ops.order("/v1/withdrawals", order(wallet)).status_code == 403
    reader = house.person("client", scopes=["transfers:write"])
    assert reader.order("/v1/withdrawals", order(wallet)).get_json()["code"] == "scope_missing"


def test_an_inactive_wallet_lets_nothing_out(house: House, client: Person) -> None:
    wallet = client.wallet("10.00")
    under_way = client.order("/v1/withdrawals", order(wallet)).get_json()["id"]
    client.call("PATCH", f"/v1/wallets/{wallet}", json={"is_active": False}, headers={"If-Match": "*"})
    answer = client.order("/v1/withdrawals", order(wallet))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "account_inactive")
    assert answer.get_json()["errors"][0]["pointer"] == "/wallet"
    house.post_payments()
    assert client.get(f"/v1/payments/{under_way}").get_json()["failure"]["code"] == "account_inactive"
    assert client.balance(wallet) == "10.00"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"target": "internal"}, "invalid_value"),
        ({"target": "commission"}, "invalid_value"),
        ({"target": "wal_" + "x" * 32}, "invalid_value"),
        ({"target": None}, "null_not_allowed"),
        ({"currency": "USD"}, "currency_mismatch"),
        ({"currency": "ZZZ"}, "currency_unknown"),
        ({"amount": "0"}, "amount_not_positive"),
        ({"amount": "1.001"}, "amount_precision"),
        ({"amount": 1}, "amount_must_be_string"),
        ({"summary": "x" * 71}, "text_too_long"),
        ({"scheduled_at": "2030-01-01T00:00:00Z"}, "unknown_field"),
        ({"source": "wire"}, "unknown_field"),
    ],
)
def test_what_is_no_withdrawal(house: House, client: Person, members: dict[str, Any], code: str) -> None:
    wallet = client.wallet()
    with house.unchanged():
        answer = client.order("/v1/withdrawals", {**order(wallet), **members})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_withdrawal_needs_a_key(client: Person) -> None:
    answer = client.call("POST", "/v1/withdrawals", json=order(client.wallet()))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_missing")
