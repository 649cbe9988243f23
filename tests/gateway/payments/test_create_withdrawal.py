"""Withdrawals over HTTP: money goes out of one's own wallet once; by wire when the bank says that it has."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import BIC, IBAN, answer_of_the_bank, wire_withdrawal, withdrawal


def kept(api: ApiHarness, id: str, columns: str) -> list[Any]:
    return api.execute(f"SELECT ({columns})::text FROM instructions WHERE payment_id = %s", id)


def outside(api: ApiHarness, code: str) -> int:
    [balance] = api.execute("SELECT balance FROM accounts WHERE code = %s AND currency = 'EUR'", code)
    return int(balance)


@pytest.mark.parametrize("target", ["wallet", "crypto"])
@pytest.mark.parametrize("role", ["client", "merchant"])
def test_withdrawal_moves_money_out(api: ApiHarness, role: str, target: str) -> None:
    person = api.person(role)
    wallet = person.wallet("10.00")
    before = outside(api, target)
    answer = person.order("/v1/withdrawals", withdrawal(wallet, target=target, summary="Rent", metadata={"a": "b"}))
    kept = answer.get_json()
    assert (answer.status_code, kept["type"], kept["state"], kept["summary"]) == (
        202,
        "withdrawal",
        "INITIATED",
        "Rent",
    )
    assert kept["target"] == {"wallet": None, "name": target, "last4": None}
    assert (kept["source"]["wallet"], kept["metadata"]) == (wallet, {"a": "b"})
    api.post_payments()
    shown = person.payment(kept["id"])
    assert (shown["state"], shown["balance_after"], shown["commission"]) == ("COMPLETED", "6.00", "0.00")
    assert (person.balance(wallet), outside(api, target) - before) == ("6.00", 400)


@pytest.mark.parametrize("role", ["client", "merchant"])
@pytest.mark.parametrize("is_confirmed", [True, False])
def test_wire_withdrawal_is_held_until_the_bank_answers(api: ApiHarness, role: str, is_confirmed: bool) -> None:
    person = api.person(role)
    wallet, before = person.wallet("10.00"), outside(api, "wire")
    ordered = person.order("/v1/withdrawals", wire_withdrawal(wallet, bic=BIC, summary="Rent")).get_json()
    to_bob = {"wallet": None, "name": "Bob Example", "last4": "3000"}
    assert (ordered["state"], ordered["target"]) == ("INITIATED", to_bob)
    assert kept(api, ordered["id"], "iban, bic, name, description") == [f'({IBAN},{BIC},"Bob Example",Rent)']
    api.post_payments()
    held = person.payment(ordered["id"])
    assert (held["state"], held["target"], held["captured_amount"]) == ("AUTHORIZED", to_bob, None)
    assert kept(api, ordered["id"], "due_at <= now()") == ["true"]
    shown = person.get(f"/v1/wallets/{wallet}").get_json()
    assert (shown["balance"], shown["held"], shown["available"]) == ("10.00", "4.00", "6.00")
    answer_of_the_bank(api, ordered["id"], is_confirmed=is_confirmed)
    ended = person.payment(ordered["id"])
    shown = person.get(f"/v1/wallets/{wallet}").get_json()
    assert (shown["held"], shown["balance"]) == ("0.00", "6.00" if is_confirmed else "10.00")
    assert outside(api, "wire") - before == (400 if is_confirmed else 0)
    if is_confirmed:
        assert (ended["state"], ended["balance_after"]) == ("COMPLETED", "6.00")
    else:
        assert ended["failure"]["code"] == "rejected_by_bank"


def test_withdrawal_replay_shows_the_same_payee(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    first, again = (client.order("/v1/withdrawals", wire_withdrawal(wallet), "once") for _ in range(2))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json() == first.get_json()
    other = client.order("/v1/withdrawals", wire_withdrawal(wallet, name="Zed"), "once")
    assert other.get_json()["code"] == "idempotency_key_reused"
    assert api.execute("SELECT count(*) FROM instructions WHERE payment_id = %s", first.get_json()["id"]) == [1]


@pytest.mark.parametrize(
    ("account", "stored"),
    [
        ({"iban": " de89 3704 0044 0532 0130 00 "}, IBAN),
        ({"iban": "DE89-3704-0044-0532-0130-00"}, IBAN),
        ({"iban": "DE89\u20113704\u20130044\u00a00532\u202f0130\u200900"}, IBAN),
        ({"iban": "\ufeffDE89\u00a03704 0044 0532 0130 00\u00a0"}, IBAN),
        ({"iban": "AL47212110090000000235698741"}, "AL47212110090000000235698741"),
        ({"iban": "MD24AG000225100013104168"}, "MD24AG000225100013104168"),
        ({"iban": "ME25505000012345678951"}, "ME25505000012345678951"),
        ({"iban": "MK07250120000058984"}, "MK07250120000058984"),
        ({"iban": "RS35260005601001611379"}, "RS35260005601001611379"),
        ({"iban": "XK051212012345678906", "bic": "nlprxkpr"}, "XK051212012345678906"),
        ({"iban": "NO9386011117947"}, "NO9386011117947"),
        ({"iban": "GB33BUKB20201555555555", "bic": "BUKBGB22"}, "GB33BUKB20201555555555"),
        ({"iban": "GB33BUKB20201555555555", "bic": "BUKBJEHH"}, "GB33BUKB20201555555555"),
        ({"iban": "FR1420041010050500013M02606", "bic": "ABCDREFF123"}, "FR1420041010050500013M02606"),
        ({"iban": "TR330006100519786457841326", "bic": "zzzztrisxxx"}, "TR330006100519786457841326"),
    ],
)
def test_valid_bank_accounts_are_accepted(
    api: ApiHarness, client: ApiUser, account: dict[str, str], stored: str
) -> None:
    ordered = client.order("/v1/withdrawals", wire_withdrawal(client.wallet(), **account))
    assert ordered.status_code == 202, ordered.get_json()
    assert kept(api, ordered.get_json()["id"], "iban") == [stored]


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"iban": "DE88370400440532013000"}, "/iban", "iban_invalid"),
        ({"iban": "DE8937040044053201300"}, "/iban", "iban_invalid"),
        ({"iban": "XX89370400440532013000"}, "/iban", "iban_invalid"),
        ({"iban": "DE89370400440532013\u06600"}, "/iban", "iban_invalid"),
        ({"iban": ""}, "/iban", "iban_invalid"),
        ({"iban": "D" * 51}, "/iban", "iban_invalid"),
        ({"iban": None}, "/iban", "required"),
        ({"iban": 89}, "/iban", "invalid_type"),
        ({"bic": "COBADEF"}, "/bic", "bic_invalid"),
        ({"bic": "COBAXXFF"}, "/bic", "bic_invalid"),
        ({"bic": "NLPRXKP"}, "/bic", "bic_invalid"),
        ({"bic": "NLPRXKPR"}, "/bic", "bic_mismatch"),
        ({"iban": "XK051212012345678906"}, "/bic", "bic_required"),
        ({"bic": "BUKBGB22"}, "/bic", "bic_mismatch"),
        ({"iban": "TR330006100519786457841326"}, "/bic", "bic_required"),
        ({"name": "x" * 71}, "/name", "text_too_long"),
        ({"name": " "}, "/name", "invalid_value"),
        ({"target": "wallet"}, None, "validation_failed"),
        ({"target": "crypto"}, None, "validation_failed"),
    ],
)
def test_invalid_bank_accounts_are_refused(
    api: ApiHarness, client: ApiUser, members: dict[str, Any], pointer: str | None, code: str
) -> None:
    wallet = client.wallet()
    with api.unchanged():
        refused = client.order("/v1/withdrawals", {**wire_withdrawal(wallet), **members})
    assert (refused.status_code, refused.get_json()["code"]) == (422, code)
    errors = [(error["pointer"], error["code"]) for error in refused.get_json()["errors"]]
    assert errors == [(pointer, code)] if pointer else [("/iban", "invalid_value"), ("/name", "invalid_value")]


def test_withdrawal_defaults_to_wire_and_needs_a_recipient(client: ApiUser) -> None:
    refused = client.order("/v1/withdrawals", {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR"})
    assert [(error["pointer"], error["code"]) for error in refused.get_json()["errors"]] == [
        ("/iban", "required"),
        ("/name", "required"),
    ]


def test_withdrawal_at_the_bank_cannot_be_canceled(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    id = client.order("/v1/withdrawals", wire_withdrawal(wallet)).get_json()["id"]
    api.post_payments()
    refused = client.call("POST", f"/v1/payments/{id}/cancel", json={}, headers={"Idempotency-Key": "c"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "illegal_transition")
    answer_of_the_bank(api, id, is_confirmed=True)
    assert client.payment(id)["state"] == "COMPLETED"


def test_withdrawal_above_the_balance_fails(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    ids = [client.order("/v1/withdrawals", withdrawal(wallet, "6.00")).get_json()["id"] for _ in range(2)]
    api.post_payments()
    first, second = (client.payment(id) for id in ids)
    assert (first["state"], second["failure"]["code"]) == ("COMPLETED", "insufficient_funds")
    assert client.balance(wallet) == "4.00"


def test_withdrawal_with_a_used_key_is_a_replay(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.order("/v1/withdrawals", withdrawal(wallet), "once"), range(10)))
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    api.post_payments()
    assert client.balance(wallet) == "6.00"
    other = client.order("/v1/withdrawals", withdrawal(wallet, target="crypto"), "once")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


def test_withdrawal_from_anothers_wallet_is_refused(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet, ops = client.wallet("10.00"), api.person("ops")
    with api.unchanged():
        foreign, unknown = (merchant.order("/v1/withdrawals", withdrawal(w)) for w in (wallet, "wal_" + "x" * 32))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.get_json()["errors"] == unknown.get_json()["errors"]
        assert ops.order("/v1/withdrawals", withdrawal(wallet)).status_code == 403
    reader = api.person("client", scopes=["transfers:write"])
    assert reader.order("/v1/withdrawals", withdrawal(wallet)).get_json()["code"] == "scope_missing"


def test_withdrawal_from_an_inactive_wallet_is_refused(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    under_way = client.order("/v1/withdrawals", withdrawal(wallet)).get_json()["id"]
    client.call("PATCH", f"/v1/wallets/{wallet}", json={"is_active": False}, headers={"If-Match": "*"})
    answer = client.order("/v1/withdrawals", withdrawal(wallet))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "account_inactive")
    assert answer.get_json()["errors"][0]["pointer"] == "/wallet"
    api.post_payments()
    assert client.payment(under_way)["failure"]["code"] == "account_inactive"
    assert client.balance(wallet) == "10.00"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"target": "internal"}, "invalid_value"),
        ({"target": "commission"}, "invalid_value"),
        ({"target": "wal_" + "x" * 32}, "invalid_value"),
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
def test_invalid_withdrawals_are_refused(api: ApiHarness, client: ApiUser, members: dict[str, Any], code: str) -> None:
    wallet = client.wallet()
    with api.unchanged():
        answer = client.order("/v1/withdrawals", {**withdrawal(wallet), **members})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_withdrawal_without_key_is_refused(client: ApiUser) -> None:
    answer = client.call("POST", "/v1/withdrawals", json=withdrawal(client.wallet()))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_missing")
