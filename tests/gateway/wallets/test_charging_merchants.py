"""The merchants that charged a wallet, with their totals."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.wallets.charge_limits import change, charge


def charging(person: ApiUser, wallet: str, query: str = "") -> dict[str, Any]:
    answer = person.get(f"/v1/wallets/{wallet}/merchants{query}")
    assert answer.status_code == 200
    return answer.get_json()


def test_merchants_list_shows_charges_and_totals(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    mart, club = api.person("merchant", "Mart"), api.person("merchant", "Club")
    mart.wallet(), club.wallet()
    assert charging(client, customer_wallet)["data"] == []
    change(client, customer_wallet, blocked_merchants=[club.id])
    client.order(
        "/v1/transfers", {"source": customer_wallet, "target": merchant_wallet, "amount": "1.00", "currency": "EUR"}
    )
    charge(merchant, customer_wallet), charge(merchant, customer_wallet, "500.00")
    held = charge(mart, customer_wallet, "7.00", capture=False)
    (
        charge(club, customer_wallet),
        charge(mart, customer_wallet, "3.00", capture=False),
        charge(mart, customer_wallet, "2.00"),
    )
    api.post_payments()
    mart.order(f"/v1/charges/{held}/capture", {"amount": "4.00"})
    api.post_payments()
    page = charging(client, customer_wallet)
    assert [{k: v for k, v in row.items() if k != "last_charged_at"} for row in page["data"]] == [
        {"merchant": mart.id, "name": "Mart", "charges": 3, "total": "9.00", "is_blocked": False},
        {"merchant": club.id, "name": "Club", "charges": 0, "total": "0.00", "is_blocked": True},
        {"merchant": merchant.id, "name": "Shop", "charges": 1, "total": "10.00", "is_blocked": False},
    ]
    newest = client.get("/v1/payments?type=charge&limit=1").get_json()["data"][0]
    assert page["data"][0]["last_charged_at"] == newest["created_at"]
    assert (page["has_more"], page["next_cursor"]) == (False, None)
    for reader in (api.person("ops"), api.person("auditor")):
        assert charging(reader, customer_wallet)["data"] == page["data"]


def test_merchants_list_is_paginated(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    shops = [api.person("merchant", f"Shop {number}") for number in range(5)]
    for shop in shops:
        shop.wallet()
        charge(shop, customer_wallet, "1.00")
    api.post_payments()
    walked, query = [], "?limit=2"
    while query:
        page = charging(client, customer_wallet, query)
        walked.append([row["merchant"] for row in page["data"]])
        query = f"?limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert walked == [[shops[4].id, shops[3].id], [shops[2].id, shops[1].id], [shops[0].id]]
    back = charging(client, customer_wallet, f"?limit=2&cursor={page['prev_cursor']}")
    assert [row["merchant"] for row in back["data"]] == walked[1]
    other = client.wallet()
    refused = client.get(f"/v1/wallets/{other}/merchants?limit=2&cursor={page['prev_cursor']}")
    assert refused.get_json()["code"] == "bad_cursor"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "x=1", "currency=EUR", "cursor=x", "limit=1&limit=2"])
def test_n50_n52_invalid_parameters_are_refused(client: ApiUser, customer_wallet: str, query: str) -> None:
    assert client.get(f"/v1/wallets/{customer_wallet}/merchants?{query}").status_code in {400, 422}


def test_n03_merchants_of_anothers_wallet_answer_not_found(
    client: ApiUser, merchant: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    answers = [
        person.get(f"/v1/wallets/{wallet}/merchants")
        for person in (merchant, stranger)
        for wallet in (customer_wallet, "wal_" + "x" * 32, "x", "%00")
    ]
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert all(each == bodies[0] for each in bodies)


def test_payer_of_a_charge_sees_the_merchant(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    id = charge(merchant, customer_wallet)
    api.post_payments()
    assert {p.payment(id)["merchant"] for p in (client, merchant)} == {merchant.id}
    refund = merchant.order("/v1/refunds", {"charge": id, "reason": "duplicate"}).get_json()
    assert refund["merchant"] is None
    transfer = {"source": customer_wallet, "target": merchant_wallet, "amount": "1.00", "currency": "EUR"}
    assert client.order("/v1/transfers", transfer).get_json()["merchant"] is None
