"""Inactive wallets and users: no new payments between them, and those under way fail."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser


def deactivate(person: ApiUser, wallet: str) -> None:
    answer = person.call("PATCH", f"/v1/wallets/{wallet}", json={"is_active": False}, headers={"If-Match": "*"})
    assert answer.status_code == 200


def activate(person: ApiUser, wallet: str) -> None:
    answer = person.call("PATCH", f"/v1/wallets/{wallet}", json={"is_active": True}, headers={"If-Match": "*"})
    assert answer.status_code == 200


def deactivate_user(person: ApiUser) -> None:
    body = {"is_active": False, "reason": "fraud"}
    answer = person.api.person("ops").call("PATCH", f"/v1/ops/users/{person.id}", json=body)
    assert answer.status_code == 200


class Trade:
    """A client who pays, a merchant who is paid, and what each of them may order."""

    def __init__(self, api: ApiHarness) -> None:
        self.client, self.merchant = api.person("client", "Ann"), api.person("merchant", "Shop")
        self.customer_wallet, self.merchant_wallet = self.client.wallet("50.00"), self.merchant.wallet()

    def order(self, type: str, key: str | None = None) -> Any:
        money = {"amount": "1.00", "currency": "EUR"}
        if type == "deposit":
            return self.client.order("/v1/deposits", {**money, "wallet": self.customer_wallet, "source": "wire"}, key)
        if type == "transfer":
            return self.client.order(
                "/v1/transfers", {**money, "source": self.customer_wallet, "target": self.merchant_wallet}, key
            )
        return self.merchant.order(
            "/v1/charges", {**money, "wallet": self.customer_wallet, "target": self.merchant_wallet}, key
        )


@pytest.fixture
def trade(api: ApiHarness) -> Trade:
    return Trade(api)


REFUSED = [
    ("deposit", "customer_wallet", "/wallet"),
    ("transfer", "customer_wallet", "/source"),
    ("transfer", "merchant_wallet", "/target"),
    ("charge", "customer_wallet", "/wallet"),
    ("charge", "merchant_wallet", "/target"),
]


@pytest.mark.parametrize(("type", "wallet", "pointer"), REFUSED)
def test_no_new_order_with_an_inactive_wallet(
    api: ApiHarness, trade: Trade, type: str, wallet: str, pointer: str
) -> None:
    owner = trade.client if wallet == "customer_wallet" else trade.merchant
    deactivate(owner, getattr(trade, wallet))
    with api.unchanged():
        answer = trade.order(type)
    [flaw] = answer.get_json()["errors"]
    assert (answer.status_code, flaw["code"], flaw["pointer"]) == (422, "account_inactive", pointer)
    activate(owner, getattr(trade, wallet))
    assert trade.order(type).status_code == 202


@pytest.mark.parametrize(
    ("type", "inactive", "pointer"),
    [("transfer", "merchant", "/target"), ("charge", "client", "/wallet")],
)
def test_no_new_order_with_the_wallet_of_an_inactive_user(
    api: ApiHarness, trade: Trade, type: str, inactive: str, pointer: str
) -> None:
    deactivate_user(getattr(trade, inactive))
    with api.unchanged():
        answer = trade.order(type)
    [flaw] = answer.get_json()["errors"]
    assert (answer.status_code, flaw["code"], flaw["pointer"]) == (422, "account_inactive", pointer)


@pytest.mark.parametrize(("type", "wallet"), [row[:2] for row in REFUSED])
def test_a_replay_is_answered_all_the_same(api: ApiHarness, trade: Trade, type: str, wallet: str) -> None:
    first = trade.order(type, "mine")
    deactivate(trade.client if wallet == "customer_wallet" else trade.merchant, getattr(trade, wallet))
    with api.unchanged():
        again = trade.order(type, "mine")
        assert trade.order(type, "another").get_json()["code"] == "account_inactive"
    assert (again.status_code, again.get_json()) == (202, first.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_refused_is_not_burnt(trade: Trade) -> None:
    deactivate(trade.client, trade.customer_wallet)
    assert trade.order("transfer", "mine").status_code == 422
    activate(trade.client, trade.customer_wallet)
    answer = trade.order("transfer", "mine")
    assert answer.status_code == 202
    assert "Idempotent-Replayed" not in answer.headers


def test_a_charge_goes_to_the_oldest_active_wallet(api: ApiHarness, trade: Trade) -> None:
    second, third = trade.merchant.wallet(), trade.merchant.wallet()
    charge = {"wallet": trade.customer_wallet, "amount": "1.00", "currency": "EUR"}

    def target() -> str:
        return trade.merchant.order("/v1/charges", charge).get_json()["target"]["wallet"]

    assert target() == trade.merchant_wallet
    deactivate(trade.merchant, trade.merchant_wallet)
    assert target() == second
    deactivate(trade.merchant, second)
    assert target() == third
    activate(trade.merchant, trade.merchant_wallet)
    assert target() == trade.merchant_wallet
    for wallet in (trade.merchant_wallet, third):
        deactivate(trade.merchant, wallet)
    with api.unchanged():
        refused = trade.merchant.order("/v1/charges", charge)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "target_missing")


@pytest.mark.parametrize(("type", "wallet"), [row[:2] for row in REFUSED])
def test_a_payment_under_way_fails_with_its_wallet(api: ApiHarness, trade: Trade, type: str, wallet: str) -> None:
    id = trade.order(type).get_json()["id"]
    deactivate(trade.client if wallet == "customer_wallet" else trade.merchant, getattr(trade, wallet))
    api.post_payments()
    seen = api.person("auditor").get(f"/v1/payments/{id}").get_json()
    assert (seen["state"], seen["failure"]["code"]) == ("FAILED", "account_inactive")
    assert trade.client.balance(trade.customer_wallet) == "50.00"
    assert trade.merchant.balance(trade.merchant_wallet) == "0.00"


@pytest.mark.parametrize("inactive", ["client", "merchant"])
@pytest.mark.parametrize("type", ["deposit", "transfer", "charge"])
def test_a_payment_under_way_fails_with_its_user(api: ApiHarness, trade: Trade, type: str, inactive: str) -> None:
    auditor = api.person("auditor")
    id = trade.order(type).get_json()["id"]
    deactivate_user(getattr(trade, inactive))
    api.post_payments()
    seen = auditor.payment(id)
    if (type, inactive) == ("deposit", "merchant"):
        assert seen["state"] == "COMPLETED"  # none of their payments is in it
        return
    assert (seen["state"], seen["failure"]["code"]) == ("FAILED", "account_inactive")
    assert auditor.get(f"/v1/wallets/{trade.customer_wallet}").get_json()["balance"] == "50.00"
