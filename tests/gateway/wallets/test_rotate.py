"""Rotation of a wallet's token: the old one stops working at once, and its users never see the new one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

from gateway.http import access_log
from tests.gateway.harness import ApiHarness, ApiUser

AT_ONCE = 10


def rotate(person: ApiUser, wallet: str) -> TestResponse:
    return person.call("POST", f"/v1/wallets/{wallet}/rotate", json={})


def rotated(person: ApiUser, wallet: str) -> str:
    """The new token."""
    answer = rotate(person, wallet)
    assert answer.status_code == 200
    return answer.get_json()["token"]


def charge(merchant: ApiUser, wallet: str, amount: str = "1.00") -> TestResponse:
    return merchant.order("/v1/charges", {"wallet": wallet, "amount": amount, "currency": "EUR"})


def long_ago(api: ApiHarness, wallet: str) -> None:
    """Date the token back, to well before any payment of today."""
    api.execute("UPDATE accounts SET token_since = '2020-01-01' WHERE token = %s", wallet)


def test_rotation_gives_the_wallet_a_new_token(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    before = client.get(f"/v1/wallets/{wallet}")
    answer = rotate(client, wallet)
    new = answer.get_json()["token"]
    assert answer.get_json() == {**before.get_json(), "token": new}
    assert new != wallet
    assert answer.headers["ETag"] == client.get(f"/v1/wallets/{new}").headers["ETag"] != before.headers["ETag"]
    assert answer.headers["Location"] == f"/v1/wallets/{new}"
    assert [row["token"] for row in client.get("/v1/wallets").get_json()["data"]] == [new]


def test_old_token_stops_working_at_once(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    merchant.wallet()
    wallet, other = client.wallet("10.00"), client.wallet("10.00")
    new = rotated(client, wallet)
    with api.unchanged():
        assert client.get(f"/v1/wallets/{wallet}").status_code == 404
        assert rotate(client, wallet).status_code == 404
        assert charge(merchant, wallet).status_code == 404
        money = {"amount": "1.00", "currency": "EUR"}
        for path, members in (
            ("/v1/transfers", {"source": wallet, "target": other}),
            ("/v1/transfers", {"source": other, "target": wallet}),
            ("/v1/deposits", {"wallet": wallet, "source": "wire"}),
            ("/v1/withdrawals", {"wallet": wallet, "target": "wallet"}),
        ):
            assert client.order(path, {**money, **members}).status_code == 404
    assert charge(merchant, new).status_code == 202


def test_payment_created_before_rotation_is_posted(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    merchant_wallet, wallet = merchant.wallet(), client.wallet("10.00")
    id = charge(merchant, wallet, "4.00").get_json()["id"]
    new = rotated(client, wallet)
    api.post_payments()
    assert client.payment(id)["state"] == "COMPLETED"
    assert (client.balance(new), merchant.balance(merchant_wallet)) == ("6.00", "4.00")


def test_user_of_the_old_token_never_sees_the_new_one(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    """The trigger accounts_tell_a_new_token notes since when there is one."""
    merchant.wallet()
    wallet = client.wallet("10.00")
    id = charge(merchant, wallet).get_json()["id"]
    api.post_payments()
    assert merchant.payment(id)["source"]["wallet"] == wallet
    new = rotated(client, wallet)
    assert merchant.payment(id)["source"]["wallet"] is None
    assert client.payment(id)["source"]["wallet"] == new
    row = next(row for row in merchant.get("/v1/payments").get_json()["data"] if row["id"] == id)
    assert row["source"]["wallet"] is None
    for token in (wallet, new):
        assert token not in merchant.get(f"/v1/payments/{id}").get_data(as_text=True)


def test_user_of_the_new_token_sees_it(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    merchant.wallet()
    new = rotated(client, client.wallet("10.00"))
    answer = charge(merchant, new)
    assert answer.get_json()["source"]["wallet"] == new
    id = answer.get_json()["id"]
    assert merchant.payment(id)["source"]["wallet"] is None, "it might have been on its way with the old one"
    long_ago(api, new)
    assert merchant.payment(id)["source"]["wallet"] == new


def test_gateway_clock_ahead_reveals_no_newer_token(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant.wallet()
    wallet, ahead = client.wallet("10.00"), int((time.time() + 2 * 3600) * 1000)
    with monkeypatch.context() as off:
        off.setattr(access_log, "uuid7", lambda: UUID(int=ahead << 80 | uuid7().int & (1 << 80) - 1))
        id = charge(merchant, wallet).get_json()["id"]
    new = rotated(client, wallet)
    api.execute("UPDATE accounts SET token_since = clock_timestamp() WHERE token = %s", new)
    assert merchant.payment(id)["source"]["wallet"] is None
    [row] = merchant.get(f"/v1/payments?id={id}").get_json()["data"]
    assert row["source"]["wallet"] is None
    assert merchant.get(f"/v1/payments?source={new}").get_json()["data"] == []


def test_refund_shows_no_more_than_its_charge(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    merchant.wallet()
    wallet = client.wallet("10.00")
    id = charge(merchant, wallet).get_json()["id"]
    api.post_payments()
    new = rotated(client, wallet)
    api.execute("UPDATE accounts SET token_since = clock_timestamp() WHERE token = %s", new)
    answer = merchant.order("/v1/refunds", {"charge": id, "reason": "duplicate"})
    assert (answer.status_code, answer.get_json()["target"]["wallet"]) == (202, None)
    api.post_payments()
    refund = merchant.payment(answer.get_json()["id"])
    assert (refund["state"], refund["target"]["wallet"]) == ("COMPLETED", None)
    assert client.balance(new) == "10.00"


def test_a_rotation_is_audited_without_tokens(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    new = rotated(client, wallet)
    lines = api.execute(
        "SELECT to_jsonb(l) FROM audit_log l JOIN accounts a ON a.id::text = l.target WHERE a.token = %s", new
    )
    assert [(line["action"], line["actor"]) for line in lines] == [("wallets.rotate", client.id)]
    assert wallet not in str(lines)
    assert new not in str(lines)


def test_concurrent_rotations_one_wins(api: ApiHarness, client: ApiUser) -> None:
    wallet, together = client.wallet(), threading.Barrier(AT_ONCE)

    def race(_: int) -> int:
        together.wait()
        return rotate(client, wallet).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(race, range(AT_ONCE))) == [200] + [404] * (AT_ONCE - 1)


@pytest.mark.parametrize("role", ["client", "merchant"])
def test_only_its_owner_rotates_a_wallet(api: ApiHarness, client: ApiUser, role: str) -> None:
    wallet, other, readers = client.wallet(), api.person(role), [api.person("ops"), api.person("auditor")]
    with api.unchanged():
        assert [rotate(other, token).status_code for token in (wallet, "wal_" + "x" * 32, "x", "%00")] == [404] * 4
        assert [rotate(reader, wallet).status_code for reader in readers] == [403, 403]


def test_nothing_is_to_be_said(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    with api.unchanged():
        answer = client.call("POST", f"/v1/wallets/{wallet}/rotate", json={"token": "wal_" + "x" * 32})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_field")
