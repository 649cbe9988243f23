"""Deposits, transfers and charges over HTTP, from the order to its end."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into


def charge(customer_wallet: str, **rest: Any) -> dict[str, Any]:
    return {"wallet": customer_wallet, "amount": "10.00", "currency": "EUR", **rest}


def test_deposit_is_accepted_and_completed(api: ApiHarness, client: ApiUser, rings: list) -> None:
    wallet = client.wallet()
    rings.clear()
    order = {"wallet": wallet, "amount": "25", "currency": "EUR", "source": "crypto", "metadata": {"ref": "é"}}
    answer = client.order("/v1/deposits", order)
    payment = answer.get_json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/payments/{payment['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert len(rings) == 1
    assert payment["state"] == "INITIATED"
    assert payment["amount"] == payment["target_amount"] == "25.00"
    assert payment["source"] == {"wallet": None, "name": "crypto", "last4": None}
    assert payment["target"] == {"wallet": wallet, "name": "Ann", "last4": wallet[-4:]}
    assert payment["metadata"] == {"ref": "é"}
    assert (payment["attempts"], payment["failure"], payment["finalized_at"]) == (0, None, None)
    read = client.get(answer.headers["Location"])
    assert (read.get_json(), read.headers["ETag"]) == (payment, answer.headers["ETag"])
    api.post_payments()
    final = client.get(answer.headers["Location"])
    assert (final.get_json()["state"], final.get_json()["balance_after"]) == ("COMPLETED", "25.00")
    assert "Retry-After" not in final.headers
    assert client.balance(wallet) == "25.00"


@pytest.mark.parametrize("source", ["bank", "internal", "commission", "", None, 1, "WIRE"])
def test_deposit_from_unknown_source_is_refused(
    api: ApiHarness, client: ApiUser, customer_wallet: str, source: object
) -> None:
    with api.unchanged():
        order = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "source": source}
        assert client.order("/v1/deposits", order).status_code == 422


def test_transfer_is_accepted_and_completed(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    target = stranger.wallet()
    order = {
        "source": customer_wallet,
        "target": target,
        "amount": "30.00",
        "currency": "EUR",
        "summary": "Re\u0301pas",
    }
    payment = client.order("/v1/transfers", order).get_json()
    assert payment["summary"] == "Répas"
    assert payment["target"] == {"wallet": target, "name": "Zed", "last4": target[-4:]}
    api.post_payments()
    received = stranger.payment(payment["id"])
    assert received["source"] == {"wallet": None, "name": "Ann", "last4": customer_wallet[-4:]}
    assert (received["balance_after"], received["commission"]) == ("30.00", None)
    assert (client.balance(customer_wallet), stranger.balance(target)) == ("70.00", "30.00")


def test_transfer_between_own_wallets_shows_payer_balance(
    api: ApiHarness, client: ApiUser, customer_wallet: str
) -> None:
    order = {"source": customer_wallet, "target": client.wallet(), "amount": "30.00", "currency": "EUR"}
    id = client.order("/v1/transfers", order).get_json()["id"]
    api.post_payments()
    assert client.payment(id)["balance_after"] == "70.00"


def test_transfer_above_the_balance_fails(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    order = {"source": customer_wallet, "target": stranger.wallet(), "amount": "100.01", "currency": "EUR"}
    id = client.order("/v1/transfers", order).get_json()["id"]
    api.post_payments()
    answer = client.get(f"/v1/payments/{id}")
    assert answer.status_code == 200
    assert (answer.get_json()["state"], answer.get_json()["balance_after"]) == ("FAILED", None)
    assert answer.get_json()["failure"]["code"] == "insufficient_funds"
    assert answer.get_json()["failure"]["retryable"] is True
    assert client.get(f"/v1/payments/{id}/operations").get_json()["data"] == []
    assert client.balance(customer_wallet) == "100.00"


def test_transfer_to_unknown_wallet_is_refused(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    with api.unchanged():
        order = {"source": customer_wallet, "target": "wal_" + "x" * 32, "amount": "1.00", "currency": "EUR"}
        answer = client.order("/v1/transfers", order)
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (404, "/target")


def test_a_charge_goes_to_the_oldest_active_wallet(api: ApiHarness, merchant: ApiUser, customer_wallet: str) -> None:
    merchant.wallet(currency="USD")
    inactive, oldest, newest = merchant.wallet(), merchant.wallet(), merchant.wallet()
    api.execute("UPDATE accounts SET is_active = false WHERE token = %s", inactive)
    to_oldest = merchant.order("/v1/charges", charge(customer_wallet, capture=True, summary="Coffee", reference="A-1"))
    to_newest = merchant.order("/v1/charges", charge(customer_wallet, target=newest))
    assert to_oldest.get_json()["target"]["wallet"] == oldest
    assert to_newest.get_json()["target"]["wallet"] == newest
    api.post_payments()
    paid = merchant.get(to_oldest.headers["Location"]).get_json()
    assert (paid["captured_amount"], paid["refunded_amount"], paid["commission"]) == ("10.00", "0.00", "0.00")
    assert (paid["summary"], paid["reference"]) == ("Coffee", "A-1")
    assert [merchant.balance(wallet) for wallet in (inactive, oldest, newest)] == ["0.00", "10.00", "10.00"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"capture": "false"}, "invalid_type"),
        ({"capture": "true"}, "invalid_type"),
        ({"capture": 1}, "invalid_type"),
        ({"summary": "x" * 71}, "text_too_long"),
        ({"reference": "x" * 101}, "text_too_long"),
        ({"reference": ""}, "invalid_value"),
        ({"currency": "USD"}, "currency_mismatch"),
        ({"wallet": "wal_short"}, "invalid_value"),
    ],
)
def test_invalid_charges_are_refused(
    api: ApiHarness, merchant: ApiUser, customer_wallet: str, change: dict, code: str
) -> None:
    merchant.wallet()
    merchant.wallet(currency="USD")
    with api.unchanged():
        answer = merchant.order("/v1/charges", charge(customer_wallet, **change))
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_charge_of_own_wallet_is_refused(api: ApiHarness, merchant: ApiUser) -> None:
    own = merchant.wallet("10.00")
    merchant.wallet()
    with api.unchanged():
        answer = merchant.order("/v1/charges", charge(own))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "own_wallet")


def test_charge_by_merchant_without_wallet_is_refused(api: ApiHarness, merchant: ApiUser, customer_wallet: str) -> None:
    with api.unchanged():
        answer = merchant.order("/v1/charges", charge(customer_wallet))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "target_missing")


def test_references_are_unique_per_merchant(api: ApiHarness, customer_wallet: str) -> None:
    for _ in range(2):
        merchant = api.person("merchant")
        merchant.wallet()
        assert merchant.order("/v1/charges", charge(customer_wallet, reference="same")).status_code == 202


def test_get_with_known_etag_answers_304(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    order = {"source": customer_wallet, "target": client.wallet(), "amount": "1.00", "currency": "EUR"}
    posted = client.order("/v1/transfers", order)
    path, tag = posted.headers["Location"], posted.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = client.get(path, **{"If-None-Match": known})
        assert (answer.status_code, answer.get_data(), answer.headers["ETag"]) == (304, b"", tag), known
        assert answer.headers["Retry-After"] == "1"
    api.post_payments()
    assert client.get(path, **{"If-None-Match": tag}).status_code == 200
    assert api.person("auditor").get(path).headers["ETag"] != client.get(path).headers["ETag"]


def test_wallet_is_created_and_listed(client: ApiUser) -> None:
    answer = client.call("POST", "/v1/wallets", json={"currency": "JPY", "label": "Travel"})
    wallet = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/wallets/{wallet['token']}")
    assert (wallet["label"], wallet["balance"], wallet["held"], wallet["available"]) == ("Travel", "0", "0", "0")
    read = client.get(answer.headers["Location"])
    assert (read.get_json(), read.headers["ETag"]) == (wallet, answer.headers["ETag"])


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, "required"), ({"currency": "XXQ"}, "currency_unknown"),
     ({"currency": "EUR", "balance": "1.00"}, "unknown_field"),
     ({"currency": "EUR", "label": ""}, "invalid_value"), ({"currency": "EUR", "label": "x" * 101}, "text_too_long")],
)  # fmt: skip
def test_invalid_wallets_are_refused(api: ApiHarness, client: ApiUser, body: dict, code: str) -> None:
    with api.unchanged():
        answer = client.call("POST", "/v1/wallets", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_cached_final_payment_stays_private(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    client.wallet("5.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    path = f"/v1/payments/{payment['id']}"
    first, remembered = client.get(path), client.get(path)
    assert (remembered.get_json(), remembered.headers["ETag"]) == (first.get_json(), first.headers["ETag"])
    assert stranger.get(path).status_code == 404
    assert stranger.get(f"{path}/operations").status_code == 404


def test_request_id_is_sent_with_the_bell(api: ApiHarness, client: ApiUser, rings: list) -> None:
    rings.clear()
    answer = client.order("/v1/deposits", deposit_into(client.wallet()))
    assert rings == [answer.headers["Request-Id"]]
