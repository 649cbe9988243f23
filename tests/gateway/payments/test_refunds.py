"""Refunds over HTTP, decided by the poster: never more than was captured, however many run at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from uuid_utils import compat as uuids

from tests.gateway.harness import ApiHarness, ApiUser

WHY = {"reason": "requested_by_customer"}


def charged(merchant: ApiUser, customer_wallet: str, amount: str = "40.00", **members: Any) -> str:
    """The id of a charge, not yet posted."""
    return merchant.charge(customer_wallet, amount, **members)


@pytest.fixture
def charge(api: ApiHarness, merchant: ApiUser, customer_wallet: str, merchant_wallet: str) -> str:
    """The id of a COMPLETED charge of 40.00."""
    id = charged(merchant, customer_wallet)
    api.post_payments()
    return id


def refund(merchant: ApiUser, charge: str, key: str | None = None, **members: Any) -> str:
    """The id of an ordered refund."""
    answer = merchant.order("/v1/refunds", {"charge": charge, **WHY, **members}, key)
    assert answer.status_code == 202
    return answer.get_json()["id"]


def test_refund_changes_the_etag_of_the_charge(
    api: ApiHarness, merchant: ApiUser, merchant_wallet: str, charge: str
) -> None:
    tags = [merchant.get(f"/v1/payments/{charge}").headers["ETag"]]
    for amount in ("1.00", "2.00"):
        refund(merchant, charge, amount=amount)
        api.post_payments()
        answer = merchant.get(f"/v1/payments/{charge}", **{"If-None-Match": tags[-1]})
        assert answer.status_code == 200
        tags.append(answer.headers["ETag"])
    assert len(set(tags)) == 3
    assert merchant.get(f"/v1/payments/{charge}", **{"If-None-Match": tags[-1]}).status_code == 304


def test_full_refund_returns_the_whole_charge(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, charge: str
) -> None:
    id = refund(merchant, charge)
    api.post_payments()
    payment = client.payment(id)
    assert (payment["type"], payment["state"], payment["amount"]) == ("refund", "COMPLETED", "40.00")
    assert (payment["parent"], payment["reason"]) == (charge, "requested_by_customer")
    assert (client.balance(customer_wallet), merchant.balance(merchant_wallet)) == ("100.00", "0.00")
    for person in (client, merchant):
        assert person.payment(charge)["refunded_amount"] == "40.00"
        assert person.payment(charge)["state"] == "COMPLETED"


def test_partial_refunds_add_up_to_the_charge(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, charge: str
) -> None:
    parts = [refund(merchant, charge, amount=amount) for amount in ("15.00", "15.01", "10.00", "9.99")]
    api.post_payments()
    ends = [(merchant.payment(id)["state"], (merchant.payment(id)["failure"] or {}).get("code")) for id in parts]
    assert ends == [("COMPLETED", None), ("COMPLETED", None), ("FAILED", "refund_exceeds_charge"), ("COMPLETED", None)]
    assert merchant.payment(charge)["refunded_amount"] == "40.00"
    assert client.balance(customer_wallet) == "100.00"
    assert merchant.payment(refund(merchant, charge))["amount"] == "40.00", "nothing is left, and so it will fail"
    api.post_payments()
    assert client.balance(customer_wallet) == "100.00"


def test_twenty_racing_refunds_never_exceed_the_charge(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, charge: str
) -> None:
    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(lambda _: refund(merchant, charge, amount="3.00"), range(20)))
    api.post_payments()
    states = [merchant.payment(id)["state"] for id in ids]
    assert (states.count("COMPLETED"), states.count("FAILED")) == (13, 7)
    assert client.balance(customer_wallet) == "99.00"


def test_refund_with_a_used_key_is_a_replay(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, charge: str
) -> None:
    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(lambda _: refund(merchant, charge, key="once", amount="1.00"), range(10)))
    assert len(ids) == 1
    api.post_payments()
    assert client.balance(customer_wallet) == "61.00"
    other = merchant.order("/v1/refunds", {"charge": charge, "amount": "2.00", **WHY}, "once")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


def test_refund_in_the_batch_of_its_charge_completes(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    charge = charged(merchant, customer_wallet, "10.00")
    first, second = (refund(merchant, charge, amount=amount) for amount in ("6.00", "6.00"))
    api.post_payments()
    assert [merchant.payment(id)["state"] for id in (charge, first, second)] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert client.balance(customer_wallet) == "96.00"


def test_refund_is_limited_to_the_captured_amount(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    charge = charged(merchant, customer_wallet, "10.00", capture=False)
    api.post_payments()
    early = refund(merchant, charge, amount="1.00")
    api.post_payments()
    assert merchant.payment(early)["failure"]["code"] == "refund_exceeds_charge", "nothing was captured yet"
    assert merchant.order(f"/v1/charges/{charge}/capture", {"amount": "4.00"}).status_code == 202
    api.post_payments()
    late = refund(merchant, charge)
    api.post_payments()
    assert merchant.payment(late)["amount"] == "4.00"
    assert client.balance(customer_wallet) == "100.00"


def test_refund_of_a_failed_charge_fails(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    charge = charged(merchant, customer_wallet, "100.01")
    api.post_payments()
    id = refund(merchant, charge)
    api.post_payments()
    assert merchant.payment(id)["failure"]["code"] == "refund_exceeds_charge"
    assert client.balance(customer_wallet) == "100.00"


def test_refund_fails_if_the_merchant_lacks_money(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, charge: str
) -> None:
    away = {"source": merchant_wallet, "target": customer_wallet, "amount": "39.00", "currency": "EUR"}
    assert merchant.order("/v1/transfers", away).status_code == 202
    id = refund(merchant, charge)
    api.post_payments()
    assert merchant.payment(id)["failure"]["code"] == "insufficient_funds"
    assert merchant.payment(charge)["refunded_amount"] == "0.00"


def test_refund_to_an_inactive_wallet_completes(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, charge: str
) -> None:
    closed = client.call(
        "PATCH", f"/v1/wallets/{customer_wallet}", json={"is_active": False}, headers={"If-Match": "*"}
    )
    assert closed.status_code == 200
    id = refund(merchant, charge)
    api.post_payments()
    assert merchant.payment(id)["state"] == "COMPLETED"
    assert client.balance(customer_wallet) == "100.00"


def test_refund_of_anothers_charge_is_refused(api: ApiHarness, client: ApiUser, merchant: ApiUser, charge: str) -> None:
    stranger = api.person("merchant")
    deposit = client.get("/v1/payments?type=deposit").get_json()["data"][0]["id"]
    with api.unchanged():
        foreign, unknown = (stranger.order("/v1/refunds", {"charge": id, **WHY}) for id in (charge, str(uuids.uuid7())))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.get_json()["errors"] == unknown.get_json()["errors"]
        assert client.order("/v1/refunds", {"charge": charge, **WHY}).status_code == 403
        assert merchant.order("/v1/refunds", {"charge": deposit, **WHY}).status_code == 404


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"reason": "because"}, "invalid_value"),
        ({"reason": None}, "null_not_allowed"),
        ({"amount": "0.00"}, "amount_not_positive"),
        ({"amount": "-1.00"}, "amount_invalid"),
        ({"amount": 1}, "amount_must_be_string"),
        ({"amount": "1.001"}, "amount_precision"),
        ({"charge": "1"}, "invalid_value"),
        ({"currency": "EUR"}, "unknown_field"),
    ],
)
def test_invalid_refunds_are_refused(merchant: ApiUser, charge: str, members: dict, code: str, unchanged: None) -> None:
    answer = merchant.order("/v1/refunds", {"charge": charge, **WHY, **members})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
