"""Bulk charges over HTTP: one merchant charges many wallets, each line with a verdict of its own."""

from typing import Any

import pytest

from models.invariants import violations
from models.session import transaction
from tests.gateway.bulks.builders import CHARGES, lines, read
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import at_once

AT_ONCE = 20


def run(*charges: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"currency": "EUR", "charges": list(charges), **members}


def test_each_line_has_a_verdict_of_its_own(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, merchant_wallet: str
) -> None:
    rich, poor, closed = client.wallet("10.00"), client.wallet("1.00"), client.wallet("10.00")
    client.call("PATCH", f"/v1/wallets/{closed}", json={"is_active": False}, headers={"If-Match": "*"})
    sent_lines = [
        {"wallet": customer_wallet, "amount": "4.5", "summary": "November"}
        for customer_wallet in (rich, poor, closed, rich)
    ]
    answer = merchant.order(CHARGES, run(*sent_lines))
    kept = answer.get_json()
    assert (answer.status_code, kept["kind"], kept["mode"], kept["total"]) == (202, "charges", "best_effort", "18.00")
    api.post_payments()
    shown = lines(merchant, answer)
    assert [sent["failure"] and sent["failure"]["code"] for sent in shown] == [
        *(None, "insufficient_funds", "account_inactive", None)
    ]
    assert (shown[0]["counterparty"], shown[0]["description"]) == ({"name": "Ann", "last4": rich[-4:]}, "November")
    bulk = read(merchant, answer)
    assert (bulk["state"], bulk["counts"]["completed"], bulk["counts"]["failed"]) == ("PARTIALLY_COMPLETED", 2, 2)
    assert (client.balance(rich), client.balance(poor), merchant.balance(merchant_wallet)) == ("1.00", "1.00", "9.00")
    payment = client.payment(shown[0]["payment"])
    assert (payment["type"], payment["bulk"]) == ("charge", kept["id"])
    assert client.get(answer.headers["Location"]).status_code == 404, "who else was charged is not theirs to see"
    with transaction(api.worker) as connection:
        assert violations(connection) == []


def test_bulk_charges_go_to_the_named_wallet(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, merchant_wallet: str
) -> None:
    customer_wallet, other = client.wallet("5.00"), merchant.wallet()
    merchant.order(CHARGES, run({"wallet": customer_wallet, "amount": "5.00"}, target=other))
    api.post_payments()
    assert (merchant.balance(merchant_wallet), merchant.balance(other)) == ("0.00", "5.00")


def test_twenty_equal_requests_are_one_bulk(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, merchant_wallet: str
) -> None:
    body = run({"wallet": client.wallet("5.00"), "amount": "5.00", "reference": "sub-11"})
    answers = at_once(AT_ONCE, lambda _: merchant.order(CHARGES, body, "once"))
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    api.post_payments()
    assert merchant.balance(merchant_wallet) == "5.00"
    other = merchant.order(CHARGES, body)
    assert (other.status_code, other.get_json()["code"]) == (409, "duplicate_reference")
    assert other.get_json()["payment"] == lines(merchant, answers[0])[0]["payment"]
    single = {"wallet": body["charges"][0]["wallet"], "amount": "5.00", "currency": "EUR", "reference": "sub-11"}
    assert merchant.order("/v1/charges", single).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"wallet": "wal_" + "x" * 32}, "/charges/1/wallet", "not_found"),
        ({"wallet": "mine"}, "/charges/1/wallet", "invalid_value"),
        ({"amount": "0.001"}, "/charges/1/amount", "amount_precision"),
        ({"amount": 1}, "/charges/1/amount", "amount_must_be_string"),
        ({"currency": "USD"}, "/charges/1/currency", "currency_mismatch"),
        ({"capture": False}, "/charges/1/capture", "unknown_field"),
    ],
)
def test_each_wrong_line_is_named(
    api: ApiHarness,
    client: ApiUser,
    merchant: ApiUser,
    merchant_wallet: str,
    wrong: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    right = {"wallet": client.wallet("5.00"), "amount": "1.00"}
    with api.unchanged():
        answer = merchant.order(CHARGES, run(right, right | wrong))
    assert answer.status_code == 422
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]] == [(pointer, code)]


def test_wallets_that_cannot_be_charged_are_named(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, merchant_wallet: str
) -> None:
    dollars = client.wallet(currency="USD")
    with api.unchanged():
        answer = merchant.order(
            CHARGES, run({"wallet": merchant_wallet, "amount": "1.00"}, {"wallet": dollars, "amount": "1.00"})
        )
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]] == [
        ("/charges/0/wallet", "own_wallet"),
        ("/charges/1/wallet", "currency_mismatch"),
    ]


def test_invalid_bulks_are_refused(api: ApiHarness, client: ApiUser, merchant: ApiUser, merchant_wallet: str) -> None:
    charge = {"wallet": client.wallet(), "amount": "1.00"}
    of_client, dollars = client.wallet(), merchant.wallet(currency="USD")
    closed = merchant.wallet()
    merchant.call("PATCH", f"/v1/wallets/{closed}", json={"is_active": False}, headers={"If-Match": "*"})
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"charges": []}, "/charges", "invalid_value"),
        ({"charges": [charge] * 1001}, "/charges", "invalid_value"),
        ({"currency": "ZZZ"}, "/currency", "currency_unknown"),
        ({"currency": "CHF"}, "/target", "target_missing"),
        ({"target": of_client}, "/target", "not_found"),
        ({"target": dollars}, "/target", "currency_mismatch"),
        ({"target": closed}, "/target", "account_inactive"),
        ({"mode": "atomic"}, "/mode", "unknown_field"),
    ]
    with api.unchanged():
        for wrong, pointer, code in cases:
            answer = merchant.order(CHARGES, {**run(charge), **wrong})
            assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, pointer)
            assert answer.get_json()["errors"][0]["code"] == code
        assert client.order(CHARGES, run(charge)).get_json()["code"] == "scope_missing"
