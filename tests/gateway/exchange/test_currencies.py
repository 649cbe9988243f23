"""Currencies added and changed by ops at run time, and amounts at their bounds."""

import secrets
import string
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.invariants import violations
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from workers.posting.poster import Poster


@pytest.fixture(scope="module")
def ops(house: ApiHarness) -> ApiUser:
    """A user with the role ops."""
    return house.person("ops")


def new_code() -> str:
    """A code that no currency has."""
    return "Z" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(7))


def add(ops: ApiUser, **members: Any) -> TestResponse:
    body = {"code": new_code(), "digits": 2, "kind": "custom", "name": "Points", **members}
    return ops.call("POST", "/v1/currencies", json=body)


def added(ops: ApiUser, **members: Any) -> str:
    """The code of a new currency."""
    answer = add(ops, **members)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()["code"]


def change(ops: ApiUser, code: str, body: Any, etag: str | None = "*") -> TestResponse:
    headers = {} if etag is None else {"If-Match": etag}
    return ops.call("PATCH", f"/v1/currencies/{code}", json=body, headers=headers)


def pay(client: ApiUser, source: str, target: str, amount: str, currency: str) -> dict[str, Any]:
    """A posted transfer, as its payer sees it."""
    body = {"source": source, "target": target, "amount": amount, "currency": currency}
    id = client.order("/v1/transfers", body).get_json()["id"]
    client.house.post_payments()
    return client.get(f"/v1/payments/{id}").get_json()


def audited(house: ApiHarness, code: str) -> list[dict[str, Any]]:
    return house.execute("SELECT to_jsonb(l) FROM audit_log l WHERE target = %s ORDER BY id", code)


def test_new_currency_can_be_used_at_once(house: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
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
    [line] = audited(house, code)
    assert (line["action"], line["actor"], line["after"]) == ("currencies.add", ops.id, body)
    accounts = house.execute("SELECT code FROM accounts WHERE currency = %s ORDER BY code", code)
    assert accounts == ["commission", "crypto", "exchange", "internal", "wallet", "wire"]


def test_known_etag_answers_304(ops: ApiUser, client: ApiUser) -> None:
    code = added(ops)
    tag = client.get(f"/v1/currencies/{code}").headers["ETag"]
    assert client.get(f"/v1/currencies/{code}", **{"If-None-Match": tag}).status_code == 304
    assert change(ops, code, {"name": "Stars"}).status_code == 200
    assert client.get(f"/v1/currencies/{code}", **{"If-None-Match": tag}).status_code == 200


def test_duplicate_currency_code_is_refused(house: ApiHarness, ops: ApiUser) -> None:
    code = added(ops)
    before = house.execute("SELECT count(*) FROM currencies") + house.execute("SELECT count(*) FROM accounts")
    for taken in (code, "EUR"):
        with house.unchanged():
            answer = add(ops, code=taken, digits=3)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "duplicate_currency")
    assert house.execute("SELECT count(*) FROM currencies") + house.execute("SELECT count(*) FROM accounts") == before
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
def test_invalid_currencies_are_refused(house: ApiHarness, ops: ApiUser, members: dict[str, Any], code: str) -> None:
    count = house.execute("SELECT count(*) FROM currencies")
    with house.unchanged():
        answer = add(ops, **members)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert house.execute("SELECT count(*) FROM currencies") == count


def test_a_change_is_audited_with_before_and_after(house: ApiHarness, ops: ApiUser) -> None:
    code = added(ops, minimum="1.00", maximum="9.00")
    before = ops.get(f"/v1/currencies/{code}")
    answer = change(ops, code, {"name": "Stars", "minimum": None, "maximum": "5"}, before.headers["ETag"])
    assert (answer.status_code, answer.get_json()) == (
        200,
        {**before.get_json(), "name": "Stars", "minimum": None, "maximum": "5.00"},
    )
    assert answer.headers["ETag"] == ops.get(f"/v1/currencies/{code}").headers["ETag"] != before.headers["ETag"]
    line = audited(house, code)[-1]
    assert (line["action"], line["actor"]) == ("currencies.change", ops.id)
    assert (line["before"], line["after"]) == (before.get_json(), answer.get_json())


@pytest.mark.parametrize(
    ("etag", "outcome"), [(None, (428, "precondition_required")), ('"0-x"', (412, "precondition_failed"))]
)
def test_a_change_needs_the_etag_of_what_is_changed(
    house: ApiHarness, ops: ApiUser, etag: str | None, outcome: tuple[int, str]
) -> None:
    code = added(ops)
    with house.unchanged():
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
def test_invalid_currency_changes_are_refused(house: ApiHarness, ops: ApiUser, body: dict[str, Any], code: str) -> None:
    bounded = added(ops, minimum="1.00", maximum="9.00")
    before = ops.get(f"/v1/currencies/{bounded}").get_json()
    with house.unchanged():
        answer = change(ops, bounded, body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert ops.get(f"/v1/currencies/{bounded}").get_json() == before


@pytest.mark.parametrize("code", ["ZZZ", "eur", "EUR%00", "%27%20OR%201=1", "A" * 200])
def test_unknown_currency_answers_not_found(ops: ApiUser, code: str) -> None:
    assert ops.get(f"/v1/currencies/{code}").status_code == 404
    assert change(ops, code, {"name": "x"}).status_code == 404


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_only_ops_add_and_change(house: ApiHarness, ops: ApiUser, role: str) -> None:
    person, code = house.person(role), added(ops)
    with house.unchanged():
        assert add(person).status_code == 403
        assert change(person, code, {"is_active": False}).status_code == 403
    assert person.get(f"/v1/currencies/{code}").get_json()["is_active"] is True


def test_the_bounds_of_a_payment(house: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    code = added(ops, minimum="1.00", maximum="9.00")
    wallet = client.wallet("9.00", code)
    deposit = {"wallet": wallet, "currency": code, "source": "wire"}
    with house.unchanged():
        for amount, refusal in (("0.99", "amount_too_small"), ("9.01", "amount_too_large")):
            answer = client.order("/v1/deposits", {**deposit, "amount": amount})
            assert (answer.status_code, answer.get_json()["code"]) == (422, refusal)
    change(ops, code, {"minimum": None, "maximum": None})
    for amount in ("0.01", "1000.00"):
        assert client.order("/v1/deposits", {**deposit, "amount": amount}).status_code == 202


def test_an_inactive_currency_takes_no_new_payments(house: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    code = added(ops)
    wallet, other = client.wallet("5.00", code), client.wallet(currency=code)
    order = {"source": wallet, "target": other, "amount": "1.00", "currency": code}
    under_way = client.order("/v1/transfers", order, "early").get_json()["id"]
    assert change(ops, code, {"is_active": False}).status_code == 200
    for path, body in (
        ("/v1/transfers", order),
        ("/v1/withdrawals", {"wallet": wallet, "amount": "1.00", "currency": code, "target": "crypto"}),
        ("/v1/deposits", {"wallet": wallet, "amount": "1.00", "currency": code, "source": "wire"}),
        ("/v1/wallets", {"currency": code}),
    ):
        with house.unchanged():
            answer = client.order(path, body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "currency_inactive")
    assert client.order("/v1/transfers", order, "early").get_json()["id"] == under_way
    house.post_payments()
    assert (client.balance(wallet), client.balance(other)) == ("4.00", "1.00")
    assert change(ops, code, {"is_active": True}).status_code == 200
    assert pay(client, wallet, other, "1.00", code)["state"] == "COMPLETED"


def test_balance_maximum_of_a_currency_is_kept(house: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    """The trigger accounts_get_their_ceiling gives it to wallets that are opened from then on."""
    code = added(ops)
    before = client.wallet("50.00", code)
    assert change(ops, code, {"balance_maximum": "20.00"}).status_code == 200
    after = client.wallet("20.00", code)
    refused = pay(client, before, after, "0.01", code)
    assert (refused["state"], refused["failure"]["code"]) == ("FAILED", "limit_exceeded")
    assert (client.balance(before), client.balance(after)) == ("50.00", "20.00")
    assert pay(client, after, before, "5.00", code)["state"] == "COMPLETED"
    assert pay(client, before, after, "5.00", code)["state"] == "COMPLETED"


@pytest.mark.parametrize(
    ("digits", "funds", "amount", "rest"),
    [
        (0, "9" * 38, "9" * 37, "9" + "0" * 37),
        (2, "9" * 36 + ".99", "9" * 36 + ".98", "0.01"),
        (3, "1" + "0" * 34 + ".001", "0.001", "1" + "0" * 34 + ".000"),
        (8, "92233720368.54775808", "0.00000001", "92233720368.54775807"),
        (18, "9.223372036854775808", "9.223372036854775807", "0.000000000000000001"),
        (18, "9" * 20 + "." + "9" * 18, "1.000000000000000001", "9" * 19 + "8." + "9" * 17 + "8"),
    ],
)
def test_amounts_at_the_edges_of_every_digit(
    house: ApiHarness, ops: ApiUser, client: ApiUser, stranger: ApiUser, digits: int, funds: str, amount: str, rest: str
) -> None:
    code = added(ops, digits=digits)
    source, target = client.wallet(funds, code), stranger.wallet(currency=code)
    assert client.balance(source) == funds
    paid = pay(client, source, target, amount, code)
    assert (paid["state"], paid["amount"], paid["balance_after"]) == ("COMPLETED", amount, rest)
    assert (client.balance(source), stranger.balance(target)) == (rest, amount)
    out = {"wallet": source, "amount": rest, "currency": code, "target": "crypto"}
    assert client.order("/v1/withdrawals", out).get_json()["amount"] == rest
    house.post_payments()
    assert client.get(f"/v1/wallets/{source}").get_json()["available"].strip("0.") == ""


def test_balance_above_the_storable_maximum_fails(house: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    code = added(ops, digits=18)
    most = "9" * 20 + "." + "9" * 18
    full, other = client.wallet(most, code), client.wallet(currency=code)
    deposit = {"wallet": other, "amount": "0.000000000000000001", "currency": code, "source": "crypto"}
    client.order("/v1/deposits", deposit)
    house.post_payments()
    failed = pay(client, other, full, "0.000000000000000001", code)
    assert failed["failure"]["code"] == "limit_exceeded"
    assert client.balance(full) == most


def test_a_poster_learns_who_takes_commission_in_a_new_currency(
    house: ApiHarness, ops: ApiUser, client: ApiUser
) -> None:
    with transaction(house.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE commission_terms DISABLE TRIGGER commission_terms_are_told_ahead")
        connection.exec_driver_sql(
            "INSERT INTO commission_terms (type, merchant_id, percent, valid_from) VALUES ('transfer', %s, 10, %s)",
            (client.id, "2020-01-01T00:00Z"),
        )
        connection.exec_driver_sql("ALTER TABLE commission_terms ENABLE TRIGGER commission_terms_are_told_ahead")
    poster = Poster(house.worker, deposits_open=True, linger_seconds=0)
    poster.drain()
    code = added(ops)
    wallet, other = client.wallet("10.00", code), house.person().wallet(currency=code)
    body = {"source": wallet, "target": other, "amount": "5.00", "currency": code}
    id = client.order("/v1/transfers", body).get_json()["id"]
    poster.drain()
    paid = client.get(f"/v1/payments/{id}").get_json()
    assert (paid["state"], paid["commission"], paid["attempts"]) == ("COMPLETED", "0.50", 0)


def test_the_books_are_in_order_after_all_this(house: ApiHarness) -> None:
    with house.worker.connect() as connection:
        assert violations(connection) == []
