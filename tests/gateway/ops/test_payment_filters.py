"""Filters of stuck and parked payments, and bodies that are neither a filter nor a selection."""

from typing import Any

import pytest

from tests.builders import new_id
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.waiting_payments import PARKED, WaitingPayments, ids, retry, select
from tests.support import Database


@pytest.fixture(scope="module")
def waiting(api: ApiHarness) -> WaitingPayments:
    return WaitingPayments(api)


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"filter": {}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"stuck": 1, "parked": True}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"parked": False}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"parked": "true"}}, "invalid_type", "/filter/parked"),
        ({"filter": {"stuck": "60"}}, "invalid_type", "/filter/stuck"),
        ({"filter": {"stuck": 1.0}}, "invalid_type", "/filter/stuck"),
        ({"filter": {"stuck": True}}, "invalid_type", "/filter/stuck"),
        ({"filter": {"stuck": -1}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"stuck": 10**12}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"stuck": None}}, "invalid_value", "/filter/stuck"),
        ({"filter": {**PARKED, "limit": 0}}, "limit_out_of_range", "/filter/limit"),
        ({"filter": {**PARKED, "limit": 10_001}}, "limit_out_of_range", "/filter/limit"),
        ({"filter": {**PARKED, "limit": "10"}}, "invalid_type", "/filter/limit"),
        ({"filter": {**PARKED, "type": "' OR 1=1--"}}, "invalid_value", "/filter/type"),
        ({"filter": {**PARKED, "currency": "eur"}}, "currency_unknown", "/filter/currency"),
        ({"filter": {**PARKED, "ids": []}}, "invalid_value", "/filter/ids"),
        ({"filter": {**PARKED, "ids": ["1"]}}, "invalid_value", "/filter/ids/0"),
        ({"filter": {**PARKED, "ids": [new_id()] * 1001}}, "invalid_value", "/filter/ids"),
        ({"filter": {**PARKED, "attempts_min": 32_768}}, "invalid_value", "/filter/attempts_min"),
        ({"filter": {**PARKED, "error_contains": ""}}, "invalid_value", "/filter/error_contains"),
        ({"filter": {**PARKED, "created_from": "yesterday"}}, "invalid_value", "/filter/created_from"),
        ({"filter": {**PARKED, "wallet": "wal_1"}}, "invalid_value", "/filter/wallet"),
        ({"filter": {**PARKED, "failure": "expired"}}, "unknown_field", "/filter/failure"),
        ({"filter": []}, "invalid_type", "/filter"),
        ({"filter": PARKED, "dry_run": "false"}, "invalid_type", "/dry_run"),
        ({"filter": PARKED, "dry_run": False}, "invalid_value", "/dry_run"),
        ({"filter": PARKED, "user": "x"}, "unknown_field", "/user"),
        ({}, "required", "/filter"),
        ({"filter": None}, "required", "/filter"),
        ({"selection": new_id()}, "required", "/reason"),
        ({"selection": new_id(), "reason": ""}, "invalid_value", "/reason"),
        ({"selection": "1", "reason": "x"}, "invalid_value", "/selection"),
        ({"selection": new_id(), "reason": "x", "dry_run": True}, "invalid_value", "/dry_run"),
        ({"selection": new_id(), "reason": "x", "filter": PARKED}, "invalid_value", "/filter"),
    ],
)
def test_n16_invalid_filter_or_selection_is_refused(
    api: ApiHarness, ops: ApiUser, change: dict, code: str, pointer: str
) -> None:
    with api.unchanged():
        answer = ops.call("POST", "/v1/ops/payments/retry", json=change)
    [flaw] = answer.get_json()["errors"]
    assert (answer.status_code, flaw["code"], flaw["pointer"]) == (422, code, pointer)


def test_filter_of_a_thousand_ids_fits_the_body(waiting: WaitingPayments) -> None:
    answer = select(waiting.ops, {**PARKED, "ids": [*waiting.parked, *(new_id() for _ in range(995))]})
    assert ids(answer) == waiting.parked


def test_query_and_body_select_by_the_same_filters(fresh_database: Database) -> None:
    waiting = WaitingPayments(ApiHarness(fresh_database))
    merchant = waiting.api.person("merchant")
    merchant.wallet()
    charged = waiting.client.wallet("9.00")
    charge = merchant.charge(charged, "2.00")
    [account] = waiting.api.execute("SELECT id::text FROM accounts WHERE token = %s", charged)
    waiting.api.execute(
        "UPDATE payments SET parked_at = now(), attempts = 8, last_error = 'a 100%% b' WHERE id = %s", charge
    )
    [moment] = waiting.api.execute("SELECT created_at FROM payments WHERE id = %s", charge)
    batch = retry(waiting.ops, select(waiting.ops, {**PARKED, "ids": [charge]}).get_json()["selection"]).get_json()[
        "id"
    ]
    everything = {*waiting.parked, charge}
    for filter, matched in {
        (("type", "charge"),): {charge},
        (("state", "INITIATED"),): everything,
        (("state", "AUTHORIZED"),): set(),
        (("type", "charge,deposit"), ("currency", "EUR")): everything,
        (("created_from", moment.isoformat()),): {charge},
        (("created_before", moment.isoformat()),): everything - {charge},
        (("attempts_min", 8),): {charge},
        (("attempts_max", 1),): everything - {charge},
        (("error_prefix", "a 100%"),): {charge},
        (("error_prefix", "100%"),): set(),
        (("error_contains", "100%"),): {charge},
        (("error_contains", "NO LUCK"),): set(),
        (("user", merchant.id),): {charge},
        (("merchant", merchant.id),): {charge},
        (("account", account),): {charge},
        (("wallet", charged),): {charge},
        (("wallet", waiting.wallet),): everything - {charge},
        (("bulk", new_id()),): set(),
        (("batch", batch),): {charge},
    }.items():
        members = dict(filter)
        query = {"parked": "true", "limit": "100", **{name: str(value) for name, value in members.items()}}
        rows = waiting.ops.call("GET", "/v1/ops/payments", query_string=query).get_json()["data"]
        assert {row["id"] for row in rows} == matched, filter
        assert set(ids(select(waiting.ops, {**PARKED, **members}))) == matched, filter
    listed = waiting.ops.get(f"/v1/ops/payments?parked=true&ids={charge},{waiting.parked[0]}").get_json()["data"]
    assert {row["id"] for row in listed} == {charge, waiting.parked[0]}


def test_payments_in_any_state_are_listed_by_each_filter(api: ApiHarness) -> None:
    ops, client, merchant = api.person("ops"), api.person(), api.person("merchant")
    merchant.wallet()
    wallet = client.wallet("9.00")
    taken, refused = merchant.charge(wallet, "2.00"), merchant.charge(wallet, "99.00")
    api.post_payments()
    waiting = merchant.charge(wallet, "1.00")
    api.execute("UPDATE payments SET last_error = 'a 100%% b', attempts = 3 WHERE id = %s", waiting)
    [account] = api.execute("SELECT id::text FROM accounts WHERE token = %s", wallet)
    [deposit] = api.execute("SELECT id::text FROM payments WHERE target_id = %s", account)
    [moment] = api.execute("SELECT created_at FROM payments WHERE id = %s", waiting)
    charges, everything = {taken, refused, waiting}, {taken, refused, waiting, deposit}
    for filter, matched in {
        (("merchant", merchant.id),): charges,
        (("merchant", client.id),): everything,
        (("merchant", client.id), ("user", client.id)): {deposit},
        (("user", merchant.id),): charges,
        (("account", account),): everything,
        (("wallet", wallet), ("state", "COMPLETED,FAILED")): everything - {waiting},
        (("account", account), ("failure", "insufficient_funds")): {refused},
        (("account", account), ("type", "deposit"), ("currency", "EUR")): {deposit},
        (("user", merchant.id), ("created_from", moment.isoformat())): {waiting},
        (("user", merchant.id), ("created_before", moment.isoformat())): {taken, refused},
        (("user", merchant.id), ("attempts_min", "1")): {waiting},
        (("error_contains", "100%"),): {waiting},
        (("error_prefix", "a "), ("user", merchant.id)): {waiting},
        (("error_prefix", "a "), ("user", client.id)): set(),
        (("error_contains", "100%"), ("ids", f"{taken},{waiting}")): {waiting},
        (("ids", f"{taken},{refused}"), ("state", "FAILED")): {refused},
        (("batch", new_id()),): set(),
        (("bulk", new_id()),): set(),
        (("wallet", "wal_" + "x" * 32),): set(),
    }.items():
        rows = ops.call("GET", "/v1/ops/payments", query_string={"limit": "100", **dict(filter)}).get_json()["data"]
        assert {row["id"] for row in rows} == matched, filter
    rows = ops.get(f"/v1/ops/payments?merchant={client.id}").get_json()["data"]
    states = [("INITIATED", None), ("FAILED", "insufficient_funds"), ("COMPLETED", None), ("COMPLETED", None)]
    assert [(row["state"], row["failure"]) for row in rows] == states
    assert [bool(row["due_at"]) for row in rows] == [bool(row["actions"]) for row in rows] == [True, *[False] * 3]
    first = ops.get(f"/v1/ops/payments?user={merchant.id}&limit=2").get_json()
    rest = ops.get(f"/v1/ops/payments?user={merchant.id}&limit=2&cursor={first['next_cursor']}").get_json()
    assert [row["id"] for row in first["data"] + rest["data"]] == [waiting, refused, taken]
    assert rest["has_more"] is False
    api.post_payments()


def test_parked_payments_are_listed_in_pages(waiting: WaitingPayments) -> None:
    def page(query: str) -> Any:
        return waiting.ops.get(f"/v1/ops/payments?parked=true&user={waiting.client.id}&{query}").get_json()

    first = page("limit=2")
    second = page(f"limit=2&cursor={first['next_cursor']}")
    third = page(f"limit=2&cursor={second['next_cursor']}")
    back = page(f"limit=2&cursor={third['prev_cursor']}")
    rows = [row["id"] for page in (first, second, third) for row in page["data"]]
    assert rows == waiting.parked[::-1]
    assert back["data"] == second["data"]
    assert (third["has_more"], first["prev_cursor"]) == (False, None)
