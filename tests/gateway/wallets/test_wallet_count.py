"""The maximum number of wallets of a user, also under concurrent requests."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database

AT_ONCE = 20
EUR = {"currency": "EUR"}


def limited(database: Database, per_merchant: int, per_client: int) -> ApiHarness:
    return ApiHarness(database, max_wallets_per_merchant=per_merchant, max_wallets_per_client=per_client)


def open_wallet(person: ApiUser, currency: str = "EUR", key: str | None = None) -> TestResponse:
    return person.order("/v1/wallets", {"currency": currency}, key)


def count(api: ApiHarness, person: ApiUser) -> int:
    return api.execute("SELECT count(*) FROM accounts WHERE owner_id = %s", person.id)[0]


@pytest.mark.parametrize(("role", "most"), [("merchant", 1), ("client", 3)])
def test_wallet_beyond_the_maximum_is_refused(database: Database, role: str, most: int) -> None:
    api = limited(database, 1, 3)
    person = api.person(role)
    currencies = ["EUR", "USD", "JPY"][:most]
    assert [open_wallet(person, currency).status_code for currency in currencies] == [201] * most
    with api.unchanged():
        answers = [open_wallet(person, currency) for currency in ("EUR", "CNY")]
    assert [(a.status_code, a.get_json()["code"]) for a in answers] == [(409, "wallet_limit_reached")] * 2


@pytest.mark.parametrize("role", ["merchant", "client"])
def test_zero_is_unlimited(database: Database, role: str) -> None:
    person = limited(database, 0, 0).person(role)
    assert {open_wallet(person).status_code for _ in range(5)} == {201}


def test_the_limits_of_clients_and_merchants_are_apart(database: Database) -> None:
    api = limited(database, 1, 0)
    client, merchant = api.person("client"), api.person("merchant")
    assert [open_wallet(client).status_code for _ in range(2)] == [201, 201]
    assert [open_wallet(merchant).status_code for _ in range(2)] == [201, 409]


def test_inactive_wallets_count(database: Database) -> None:
    merchant = limited(database, 1, 0).person("merchant")
    wallet = merchant.wallet()
    merchant.call("PATCH", f"/v1/wallets/{wallet}", json={"is_active": False}, headers={"If-Match": "*"})
    assert merchant.get("/v1/wallets").get_json()["data"] == []
    assert open_wallet(merchant).get_json()["code"] == "wallet_limit_reached"


@pytest.mark.parametrize(("role", "most"), [("merchant", 1), ("client", 3)])
def test_twenty_concurrent_wallets_keep_the_maximum(database: Database, role: str, most: int) -> None:
    api = limited(database, 1, 3)
    person = api.person(role)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: open_wallet(person), range(AT_ONCE)))
    assert sorted(answer.status_code for answer in answers) == [201] * most + [409] * (AT_ONCE - most)
    assert count(api, person) == most


def test_twenty_concurrent_wallets_of_one_key_are_one(database: Database) -> None:
    api = limited(database, 1, 0)
    merchant = api.person("merchant")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: open_wallet(merchant, key="twenty"), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["token"] for answer in answers}) == count(api, merchant) == 1


def test_a_replay_is_answered_at_the_limit(database: Database) -> None:
    api = limited(database, 1, 0)
    merchant = api.person("merchant")
    first = open_wallet(merchant, key="mine")
    with api.unchanged():
        assert open_wallet(merchant, key="other").get_json()["code"] == "wallet_limit_reached"
        again = open_wallet(merchant, key="mine")
        reused = open_wallet(merchant, "USD", key="mine")
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert reused.get_json()["code"] == "idempotency_key_reused"


def test_key_of_a_refused_wallet_can_be_used_again(database: Database) -> None:
    merchant = limited(database, 1, 0).person("merchant")
    open_wallet(merchant)
    assert open_wallet(merchant, key="later").status_code == 409
    roomier = limited(database, 2, 0)
    assert open_wallet(ApiUser(roomier, merchant.id, merchant.token), key="later").status_code == 201
