"""Currencies added and changed by ops at run time."""

from typing import Any

import pytest

from tests.gateway.exchange.currencies import add, added, change
from tests.gateway.harness import ApiHarness, ApiUser


def test_new_currency_can_be_used_at_once(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    answer = add(ops, kind="crypto", digits=8, name="Coin", minimum="0.00000010", balance_maximum="21000000")
    body = answer.get_json()
    code = body["code"]
    assert body == {
        "code": code,
        "digits": 8,
        "kind": "crypto",
        "name": "Coin",
        "minimum": "0.00000010",
        "maximum": None,
        "balance_maximum": "21000000.00000000",
        "is_active": True,
    }
    assert answer.headers["Location"] == f"/v1/currencies/{code}"
    read = client.get(f"/v1/currencies/{code}")
    assert (read.status_code, read.get_json()) == (200, body)
    assert body in client.get("/v1/currencies").get_json()["data"]
    [line] = api.audit_log(code)
    assert (line["action"], line["actor"], line["after"]) == ("currencies.add", ops.id, body)
    accounts = api.execute("SELECT code FROM accounts WHERE currency = %s ORDER BY code", code)
    assert accounts == ["commission", "crypto", "exchange", "internal", "wallet", "wire"]


def test_known_etag_answers_304(ops: ApiUser, client: ApiUser) -> None:
    code = added(ops)
    tag = client.get(f"/v1/currencies/{code}").headers["ETag"]
    assert client.get(f"/v1/currencies/{code}", **{"If-None-Match": tag}).status_code == 304
    assert change(ops, code, {"name": "Stars"}).status_code == 200
    assert client.get(f"/v1/currencies/{code}", **{"If-None-Match": tag}).status_code == 200


def test_duplicate_currency_code_is_refused(api: ApiHarness, ops: ApiUser) -> None:
    code = added(ops)
    before = api.execute("SELECT count(*) FROM currencies") + api.execute("SELECT count(*) FROM accounts")
    for taken in (code, "EUR"):
        with api.unchanged():
            answer = add(ops, code=taken, digits=3)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "duplicate_currency")
    assert api.execute("SELECT count(*) FROM currencies") + api.execute("SELECT count(*) FROM accounts") == before
    assert ops.get(f"/v1/currencies/{code}").get_json()["digits"] == 2


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"code": "eur"}, "invalid_value"),
        ({"code": "AB"}, "invalid_value"),
        ({"code": "A" * 13}, "invalid_value"),
        ({"code": "1AB"}, "invalid_value"),
        ({"digits": 19}, "invalid_value"),
        ({"digits": -1}, "invalid_value"),
        ({"digits": "2"}, "invalid_type"),
        ({"digits": 2.0}, "invalid_type"),
        ({"digits": True}, "invalid_type"),
        ({"kind": "fiat"}, "invalid_value"),
        ({"name": ""}, "invalid_value"),
        ({"name": "x" * 101}, "text_too_long"),
        ({"name": "a\u202eb"}, "text_invalid"),
        ({"minimum": "0.001"}, "amount_precision"),
        ({"minimum": "0"}, "amount_not_positive"),
        ({"maximum": 5}, "amount_must_be_string"),
        ({"maximum": "1e9"}, "amount_invalid"),
        ({"balance_maximum": "9" * 37}, "amount_too_large"),
        ({"minimum": "2", "maximum": "1.99"}, "invalid_value"),
        ({"is_active": False}, "unknown_field"),
        ({"version": 7}, "unknown_field"),
    ],
)
def test_invalid_currencies_are_refused(api: ApiHarness, ops: ApiUser, members: dict[str, Any], code: str) -> None:
    count = api.execute("SELECT count(*) FROM currencies")
    with api.unchanged():
        answer = add(ops, **members)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert api.execute("SELECT count(*) FROM currencies") == count


def test_a_change_is_audited_with_before_and_after(api: ApiHarness, ops: ApiUser) -> None:
    code = added(ops, minimum="1.00", maximum="9.00")
    before = ops.get(f"/v1/currencies/{code}")
    answer = change(ops, code, {"name": "Stars", "minimum": None, "maximum": "5"}, before.headers["ETag"])
    assert (answer.status_code, answer.get_json()) == (
        200,
        {**before.get_json(), "name": "Stars", "minimum": None, "maximum": "5.00"},
    )
    assert answer.headers["ETag"] == ops.get(f"/v1/currencies/{code}").headers["ETag"] != before.headers["ETag"]
    line = api.audit_log(code)[-1]
    assert (line["action"], line["actor"]) == ("currencies.change", ops.id)
    assert (line["before"], line["after"]) == (before.get_json(), answer.get_json())


@pytest.mark.parametrize(
    ("etag", "outcome"), [(None, (428, "precondition_required")), ('"0-x"', (412, "precondition_failed"))]
)
def test_a_change_needs_the_etag_of_what_is_changed(
    api: ApiHarness, ops: ApiUser, etag: str | None, outcome: tuple[int, str]
) -> None:
    code = added(ops)
    with api.unchanged():
        answer = change(ops, code, {"name": "Stars"}, etag)
    assert (answer.status_code, answer.get_json()["code"]) == outcome
    assert ops.get(f"/v1/currencies/{code}").get_json()["name"] == "Points"


def test_currency_change_with_an_old_etag_is_refused(ops: ApiUser) -> None:
    code = added(ops)
    old = ops.get(f"/v1/currencies/{code}").headers["ETag"]
    assert change(ops, code, {"name": "Points"}, old).headers["ETag"] == old, "what changes nothing is no version"
    assert change(ops, code, {"name": "Stars"}, old).status_code == 200
    assert change(ops, code, {"name": "Moons"}, old).status_code == 412
    assert ops.get(f"/v1/currencies/{code}").get_json()["name"] == "Stars"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"digits": 3}, "unknown_field"),
        ({"code": "ABC"}, "unknown_field"),
        ({"kind": "crypto"}, "unknown_field"),
        ({"minimum": "9.01"}, "invalid_value"),
        ({"maximum": "0.99"}, "invalid_value"),
        ({"maximum": "1.001"}, "amount_precision"),
        ({"name": None}, "null_not_allowed"),
        ({"is_active": "false"}, "invalid_type"),
    ],
)
def test_invalid_currency_changes_are_refused(api: ApiHarness, ops: ApiUser, body: dict[str, Any], code: str) -> None:
    bounded = added(ops, minimum="1.00", maximum="9.00")
    before = ops.get(f"/v1/currencies/{bounded}").get_json()
    with api.unchanged():
        answer = change(ops, bounded, body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert ops.get(f"/v1/currencies/{bounded}").get_json() == before


@pytest.mark.parametrize("code", ["ZZZ", "eur", "EUR%00", "%27%20OR%201=1", "A" * 200])
def test_unknown_currency_answers_not_found(ops: ApiUser, code: str) -> None:
    assert ops.get(f"/v1/currencies/{code}").status_code == 404
    assert change(ops, code, {"name": "x"}).status_code == 404


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_only_ops_add_and_change(api: ApiHarness, ops: ApiUser, role: str) -> None:
    person, code = api.person(role), added(ops)
    with api.unchanged():
        assert add(person).status_code == 403
        assert change(person, code, {"is_active": False}).status_code == 403
    assert person.get(f"/v1/currencies/{code}").get_json()["is_active"] is True
