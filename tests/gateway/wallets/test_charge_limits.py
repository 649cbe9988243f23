"""Charge limits and blocked merchants of a wallet, as they are set over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from uuid_utils import compat as uuids

from gateway.wallets.schemas import BLOCKED_MERCHANTS_MAX, CHARGE_LIMITS_MAX
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.wallets.charge_limits import AT_ONCE, change, charge, limit, limited, outcomes


def test_limits_and_blocks_are_shown_as_they_were_set(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet, mart = client.wallet(), api.person("merchant", "Mart")
    first = client.get(f"/v1/wallets/{wallet}")
    assert (first.get_json()["charge_limits"], first.get_json()["blocked_merchants"]) == ([], [])
    limits = [limit(mart, None, "0.01"), limit(None, "10.0", "25"), {"merchant": merchant.id, "per_charge": "5.00"}]
    answer = change(client, wallet, charge_limits=limits, blocked_merchants=[mart.id, merchant.id])
    shown = answer.get_json()
    assert answer.status_code == 200
    assert answer.headers["ETag"] == client.get(f"/v1/wallets/{wallet}").headers["ETag"] != first.headers["ETag"]
    assert shown["charge_limits"] == [
        limit(None, "10.00", "25.00"),
        *sorted([limit(mart, None, "0.01"), limit(merchant, "5.00")], key=lambda each: str(each["merchant"])),
    ]
    assert shown["blocked_merchants"] == sorted([mart.id, merchant.id])
    assert shown == {**first.get_json(), **{name: shown[name] for name in ("charge_limits", "blocked_merchants")}}
    assert client.get(f"/v1/wallets/{wallet}").get_json() == shown
    assert client.get("/v1/wallets").get_json()["data"] == [shown]
    for reader in (api.person("ops"), api.person("auditor")):
        assert reader.get(f"/v1/wallets/{wallet}").get_json() == shown
        [account] = reader.get(f"/v1/ops/accounts?owner={client.id}").get_json()["data"]
        assert account["charge_limits"] == shown["charge_limits"]


@pytest.mark.parametrize("nothing", [None, []])
def test_null_or_an_empty_list_clears(api: ApiHarness, client: ApiUser, merchant: ApiUser, nothing: Any) -> None:
    wallet = client.wallet()
    fresh = client.get(f"/v1/wallets/{wallet}").get_json()
    change(client, wallet, charge_limits=[limit(merchant, "1.00")], blocked_merchants=[merchant.id])
    assert api.execute("SELECT is_limited FROM accounts WHERE token = %s", wallet) == [True]
    half = change(client, wallet, charge_limits=nothing).get_json()
    assert (half["charge_limits"], half["blocked_merchants"]) == ([], [merchant.id])
    assert api.execute("SELECT is_limited FROM accounts WHERE token = %s", wallet) == [True]
    assert change(client, wallet, blocked_merchants=nothing).get_json() == fresh
    assert api.execute("SELECT is_limited FROM accounts WHERE token = %s", wallet) == [False]


def test_label_change_keeps_the_charge_limits(client: ApiUser, merchant: ApiUser) -> None:
    wallet = client.wallet()
    set_ = change(client, wallet, charge_limits=[limit(None, "1.00")], blocked_merchants=[merchant.id]).get_json()
    assert change(client, wallet, label="mine").get_json() == {**set_, "label": "mine"}


def test_same_limits_in_another_order_change_nothing(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet, mart = client.wallet(), api.person("merchant", "Mart")
    limits, blocked = [limit(mart, "1.00"), limit(None, "2.00")], [merchant.id, mart.id]
    first = change(client, wallet, charge_limits=limits, blocked_merchants=blocked)
    with api.unchanged():
        again = change(client, wallet, charge_limits=limits[::-1], blocked_merchants=blocked[::-1])
    assert (again.get_json(), again.headers["ETag"]) == (first.get_json(), first.headers["ETag"])


def test_a_change_is_audited(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet = client.wallet()
    change(client, wallet, charge_limits=[limit(merchant, "1.00", "2.00")])
    change(client, wallet, blocked_merchants=[merchant.id], charge_limits=None)
    first, second = api.execute("SELECT to_jsonb(l) FROM audit_log l WHERE actor = %s ORDER BY id", client.id)
    assert first["before"] == {"charge_limits": []}
    assert first["after"] == {"charge_limits": [limit(merchant, "1.00", "2.00")]}
    assert second["before"] == {"charge_limits": [limit(merchant, "1.00", "2.00")], "blocked_merchants": []}
    assert second["after"] == {"charge_limits": [], "blocked_merchants": [merchant.id]}


def test_digits_are_those_of_the_wallets_currency(client: ApiUser) -> None:
    yen = client.wallet(currency="JPY")
    assert change(client, yen, charge_limits=[limit(None, "5")]).get_json()["charge_limits"] == [limit(None, "5")]
    refused = change(client, yen, charge_limits=[limit(None, "1"), limit(None, None, "5.0")])
    assert refused.status_code == 422


def test_merchant_can_limit_charges_of_their_own_wallet(api: ApiHarness, merchant: ApiUser) -> None:
    wallet, mart = merchant.wallet("100.00"), api.person("merchant", "Mart")
    mart.wallet()
    limited(merchant, wallet, limit(mart, "9.99"))
    assert outcomes(api, mart, charge(mart, wallet), charge(mart, wallet, "9.99")) == ["limit_exceeded", "COMPLETED"]


ID = str(uuids.uuid7())


NONE = {"merchant": None, "per_charge": None, "per_day": None}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"charge_limits": {}}, "invalid_type", "/charge_limits"),
        ({"charge_limits": "10.00"}, "invalid_type", "/charge_limits"),
        ({"charge_limits": [None]}, "null_not_allowed", "/charge_limits/0"),
        ({"charge_limits": [[]]}, "invalid_type", "/charge_limits/0"),
        ({"charge_limits": [{}]}, "required", "/charge_limits/0"),
        ({"charge_limits": [NONE]}, "required", "/charge_limits/0"),
        ({"charge_limits": [{"merchant": ID}]}, "required", "/charge_limits/0"),
        ({"charge_limits": [{"per_day": "1.00", "account": ID}]}, "unknown_field", "/charge_limits/0/account"),
        ({"charge_limits": [{"per_day": "1.00", "currency": "USD"}]}, "unknown_field", "/charge_limits/0/currency"),
        ({"charge_limits": [{"per_day": "1.00", "merchant": 1}]}, "invalid_type", "/charge_limits/0/merchant"),
        ({"charge_limits": [{"per_day": "1.00", "merchant": "x"}]}, "invalid_value", "/charge_limits/0/merchant"),
        ({"charge_limits": [{"per_day": "1.00", "merchant": ID}]}, "merchant_unknown", "/charge_limits/0/merchant"),
        (
            {"charge_limits": [{"per_day": "1.00"}, {"merchant": None, "per_charge": "1.00"}]},
            "invalid_value",
            "/charge_limits/1/merchant",
        ),
        *(
            ({"charge_limits": [{name: amount}]}, code, f"/charge_limits/0/{name}")
            for name in ("per_charge", "per_day")
            for amount, code in [
                (1, "amount_must_be_string"),
                (1.5, "amount_must_be_string"),
                ("0", "amount_not_positive"),
                ("0.00", "amount_not_positive"),
                ("-1.00", "amount_invalid"),
                ("+1", "amount_invalid"),
                ("1e2", "amount_invalid"),
                ("NaN", "amount_invalid"),
                ("Infinity", "amount_invalid"),
                (" 1", "amount_invalid"),
                ("01", "amount_invalid"),
                ("1.", "amount_invalid"),
                ("1.001", "amount_precision"),
                ("1" + "0" * 36, "amount_too_large"),
                ("1" * 61, "amount_too_large"),
            ]
        ),
        ({"charge_limits": [{"per_day": "1.00"}] * (CHARGE_LIMITS_MAX + 1)}, "invalid_value", "/charge_limits"),
        ({"blocked_merchants": ID}, "invalid_type", "/blocked_merchants"),
        ({"blocked_merchants": [None]}, "null_not_allowed", "/blocked_merchants/0"),
        ({"blocked_merchants": [{}]}, "invalid_type", "/blocked_merchants/0"),
        ({"blocked_merchants": ["'"]}, "invalid_value", "/blocked_merchants/0"),
        ({"blocked_merchants": [ID]}, "merchant_unknown", "/blocked_merchants/0"),
        ({"blocked_merchants": [ID, ID]}, "invalid_value", "/blocked_merchants/1"),
        ({"blocked_merchants": [ID] * (BLOCKED_MERCHANTS_MAX + 1)}, "invalid_value", "/blocked_merchants"),
        ({"is_limited": False}, "unknown_field", "/is_limited"),
    ],
)
def test_n16_n17_invalid_limits_are_refused(
    api: ApiHarness, client: ApiUser, body: Any, code: str, pointer: str
) -> None:
    wallet = client.wallet()
    with api.unchanged():
        answer = change(client, wallet, **body)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (422, code)
    assert [flaw["pointer"] for flaw in problem["errors"]] == [pointer]


def test_limit_of_a_non_merchant_is_refused_as_unknown(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    wallet, ops = client.wallet(), api.person("ops")
    with api.unchanged():
        for person in (stranger, client, ops):
            both = change(client, wallet, charge_limits=[limit(person, "1.00")], blocked_merchants=[person.id])
            assert {flaw["code"] for flaw in both.get_json()["errors"]} == {"merchant_unknown"}
            assert [flaw["pointer"] for flaw in both.get_json()["errors"]] == [
                *("/charge_limits/0/merchant", "/blocked_merchants/0"),
            ]


def test_maximum_number_of_limits_is_accepted(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    ids = api.execute(
        "INSERT INTO users (id, email, role, name) SELECT gen_random_uuid(), 'many' || n || '@example.com', 'merchant',"
        " 'M' FROM generate_series(1, %s) AS n RETURNING id::text",
        BLOCKED_MERCHANTS_MAX,
    )
    limits = [{"merchant": id, "per_charge": "1.00", "per_day": "2.00"} for id in ids[:CHARGE_LIMITS_MAX]]
    answer = change(client, wallet, charge_limits=limits, blocked_merchants=ids)
    assert answer.status_code == 200
    assert answer.get_json()["blocked_merchants"] == sorted(ids)
    assert len(answer.get_json()["charge_limits"]) == CHARGE_LIMITS_MAX


@pytest.mark.parametrize("body", [{"charge_limits": []}, {"blocked_merchants": []}])
def test_n03_limits_of_anothers_wallet_answer_not_found(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, body: Any
) -> None:
    wallet, ops = client.wallet(), api.person("ops")
    change(client, wallet, charge_limits=[limit(merchant, "1.00")], blocked_merchants=[merchant.id])
    with api.unchanged():
        answers = [change(merchant, token, **body) for token in (wallet, "wal_" + "x" * 32, "x")]
        assert change(ops, wallet, **body).status_code == 403
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert all(each == bodies[0] for each in bodies)


def test_concurrent_changes_with_one_etag_one_wins(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet = client.wallet()
    known = client.get(f"/v1/wallets/{wallet}").headers["ETag"]

    def race(number: int) -> int:
        body = {"charge_limits": [limit(merchant, f"{number + 1}.00")]}
        return client.call("PATCH", f"/v1/wallets/{wallet}", json=body, headers={"If-Match": known}).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(race, range(AT_ONCE)))
    assert sorted(statuses) == [200] + [412] * (AT_ONCE - 1)
    [left] = client.get(f"/v1/wallets/{wallet}").get_json()["charge_limits"]
    assert left["per_charge"] == f"{statuses.index(200) + 1}.00"
