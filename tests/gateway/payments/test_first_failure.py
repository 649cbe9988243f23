"""Failures reported in other payment systems with holds, refunds and two parties, each in the name of its test."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from uuid_utils import compat as uuids

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from workers.posting.poster import Poster

ORDERS = 20


def charge(merchant: ApiUser, customer_wallet: str, amount: str = "40.00", **members: Any) -> str:
    """The id of a charge, not yet posted."""
    return merchant.charge(customer_wallet, amount, **members)


def transfer(source: str, target: str, amount: str = "1.00") -> dict[str, str]:
    return {"source": source, "target": target, "amount": amount, "currency": "EUR"}


def story(person: ApiUser, id: str) -> tuple[str, str | None]:
    payment = person.payment(id)
    return payment["state"], payment["failure"] and payment["failure"]["code"]


def funds(person: ApiUser, wallet: str) -> tuple[str, str]:
    shown = person.get(f"/v1/wallets/{wallet}").get_json()
    return shown["balance"], shown["held"]


def race(api: ApiHarness, *orders: Any) -> list[Any]:
    """Order all at once, over connections of their own, while two posters post; their answers."""
    with ThreadPoolExecutor(10) as pool:
        posters = [Poster(api.worker, deposits_open=True, linger_seconds=0) for _ in range(2)]
        posting = [pool.submit(poster.drain) for poster in posters]
        answers = list(pool.map(lambda order: order(), orders))
        for drained in posting:
            drained.result()
    api.post_payments()
    return answers


def test_concurrent_credits_of_one_wallet_all_count(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, merchant_wallet: str
) -> None:
    """Elsewhere only the payer was locked, and of two credits at once one was lost."""
    wallets = [client.wallet("10.00") for _ in range(5)]
    orders = [lambda wallet=wallet: merchant.order("/v1/charges", body(wallet)) for wallet in wallets for _ in range(4)]
    assert {answer.status_code for answer in race(api, *orders)} == {202}
    assert funds(merchant, merchant_wallet) == ("20.00", "0.00")
    assert [funds(client, wallet) for wallet in wallets] == [("6.00", "0.00")] * len(wallets)


def body(customer_wallet: str) -> dict[str, str]:
    return {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR"}


def test_mutual_concurrent_charges_do_not_deadlock(api: ApiHarness, merchant: ApiUser) -> None:
    """Elsewhere they were answered 500 for a deadlock."""
    other = api.person("merchant", "Mall")
    wallet, other_wallet = merchant.wallet("50.00"), other.wallet("50.00")
    sides = ((merchant, other_wallet), (other, wallet)) * ORDERS
    orders = [lambda side=side: side[0].order("/v1/charges", body(side[1])) for side in sides]
    answers = race(api, *orders)
    assert {answer.status_code for answer in answers} == {202}
    assert {story(side[0], a.get_json()["id"])[0] for side, a in zip(sides, answers, strict=True)} == {"COMPLETED"}
    assert (merchant.balance(wallet), other.balance(other_wallet)) == ("50.00", "50.00")


def test_failed_hold_cannot_be_captured(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    id = charge(merchant, customer_wallet, "100.01", capture=False)
    api.post_payments()
    assert story(merchant, id) == ("FAILED", "insufficient_funds")
    with api.unchanged():
        for end in ("capture", "void"):
            answer = merchant.order(f"/v1/charges/{id}/{end}", {})
            assert (answer.status_code, answer.get_json()["code"]) == (409, "illegal_transition")
    api.execute(
        "INSERT INTO commands (id, kind, payment_id, user_id) VALUES (%s, 'capture', %s, %s)",
        *(str(uuids.uuid7()), id, merchant.id),
    )
    api.post_payments()
    assert api.execute("SELECT outcome FROM commands WHERE payment_id = %s", id) == ["refused"]
    assert (funds(client, customer_wallet), merchant.balance(merchant_wallet)) == (("100.00", "0.00"), "0.00")


def test_failed_refund_moves_no_money(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    """Elsewhere it was answered 409, and moved the money all the same."""
    id = charge(merchant, customer_wallet)
    api.post_payments()
    refund = {"charge": id, "reason": "duplicate"}
    assert merchant.order("/v1/refunds", {**refund, "amount": "10.00"}, "once").status_code == 202
    api.post_payments()
    with api.unchanged():
        assert merchant.order("/v1/refunds", {**refund, "amount": "11.00"}, "once").status_code == 422
        assert client.order("/v1/refunds", refund).status_code == 403
        api.post_payments()
    assert client.balance(customer_wallet) == "70.00"


def test_two_refunds_never_exceed_the_charge(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    merchant.order("/v1/deposits", deposit_into(merchant_wallet, "500.00"))
    id = charge(merchant, customer_wallet)
    api.post_payments()
    refund = {"charge": id, "reason": "duplicate", "amount": "40.00"}
    answers = race(api, *[lambda: merchant.order("/v1/refunds", refund)] * ORDERS)
    ends = [story(merchant, answer.get_json()["id"]) for answer in answers]
    assert sorted(ends, key=str) == [("COMPLETED", None)] + [("FAILED", "refund_exceeds_charge")] * (ORDERS - 1)
    assert (client.balance(customer_wallet), merchant.balance(merchant_wallet)) == ("100.00", "500.00")


def test_refund_of_a_refund_is_refused(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    id = charge(merchant, customer_wallet)
    refund = merchant.order("/v1/refunds", {"charge": id, "reason": "duplicate"}).get_json()["id"]
    api.post_payments()
    with api.unchanged():
        for kind, path in (("refunds", "/v1/refunds"), ("capture", f"/v1/charges/{refund}/capture")):
            body = {"charge": refund, "reason": "duplicate"} if kind == "refunds" else {}
            assert merchant.order(path, body).status_code == 404


def test_passing_time_moves_no_money(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    """Elsewhere a time to live decided whether money existed: here it is held until the database says otherwise."""
    id = charge(merchant, customer_wallet, capture=False)
    api.post_payments()
    api.execute("UPDATE payments SET hold_expires_at = now() - interval '400 days' WHERE id = %s", id)
    spent = client.order("/v1/transfers", transfer(customer_wallet, merchant_wallet, "60.01")).get_json()["id"]
    assert (story(merchant, id), funds(client, customer_wallet)) == (("AUTHORIZED", None), ("100.00", "40.00"))
    api.post_payments()
    assert (story(merchant, id), story(client, spent)) == (("FAILED", "expired"), ("COMPLETED", None))
    assert funds(client, customer_wallet) == ("39.99", "0.00")


@pytest.mark.parametrize("amount", ["-1.00", "-0.00", "\u22121.00", "0.00"])
def test_negative_or_zero_amounts_are_refused(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, amount: str
) -> None:
    held = charge(merchant, customer_wallet, capture=False)
    taken = charge(merchant, customer_wallet)
    api.post_payments()
    orders = [
        (client, "/v1/deposits", {"wallet": customer_wallet, "currency": "EUR", "source": "wire"}),
        (client, "/v1/transfers", {"source": customer_wallet, "target": merchant_wallet, "currency": "EUR"}),
        (merchant, "/v1/charges", {"wallet": customer_wallet, "currency": "EUR"}),
        (merchant, f"/v1/charges/{held}/capture", {}),
        (merchant, "/v1/refunds", {"charge": taken, "reason": "duplicate"}),
    ]
    with api.unchanged():
        for person, path, rest in orders:
            answer = person.order(path, {**rest, "amount": amount})
            assert answer.status_code == 422, path
            assert [flaw["pointer"] for flaw in answer.get_json()["errors"]] == ["/amount"]


def test_payments_to_own_wallets_create_no_money(api: ApiHarness, merchant: ApiUser) -> None:
    first, second = merchant.wallet("10.00"), merchant.wallet()
    with api.unchanged():
        for path, order in (
            ("/v1/transfers", transfer(first, first)),
            ("/v1/charges", {**body(first), "target": second}),
            ("/v1/charges", {**body(first), "target": first, "capture": False}),
        ):
            assert merchant.order(path, order).status_code == 422
    race(api, *[lambda: merchant.order("/v1/transfers", transfer(first, second))] * ORDERS)
    assert (merchant.balance(first), merchant.balance(second)) == ("0.00", "10.00")


def test_same_payment_with_another_key_is_no_duplicate(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    """Another system refused next month's salaries as duplicates; here only the idempotency key decides."""
    orders = [
        (client, "/v1/transfers", transfer(customer_wallet, merchant_wallet, "5.00")),
        (merchant, "/v1/charges", {**body(customer_wallet), "amount": "5.00"}),
        (
            merchant,
            "/v1/refunds",
            {"charge": charge(merchant, customer_wallet), "reason": "duplicate", "amount": "5.00"},
        ),
    ]
    for person, path, order in orders:
        ids = {person.order(path, order).get_json()["id"] for _ in range(2)}
        api.post_payments()
        assert [story(person, id)[0] for id in ids] == ["COMPLETED"] * 2
    assert client.balance(customer_wallet) == "50.00"
