"""Payments and balances at the bounds of their currency, and in currencies that are new or inactive."""

import pytest

from models.invariants import violations
from models.session import transaction
from tests.gateway.exchange.currencies import added, change, pay
from tests.gateway.harness import ApiHarness, ApiUser
from workers.posting.poster import Poster


def test_the_bounds_of_a_payment(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    code = added(ops, minimum="1.00", maximum="9.00")
    wallet = client.wallet("9.00", code)
    deposit = {"wallet": wallet, "currency": code, "source": "wire"}
    with api.unchanged():
        for amount, refusal in (("0.99", "amount_too_small"), ("9.01", "amount_too_large")):
            answer = client.order("/v1/deposits", {**deposit, "amount": amount})
            assert (answer.status_code, answer.get_json()["code"]) == (422, refusal)
    change(ops, code, {"minimum": None, "maximum": None})
    for amount in ("0.01", "1000.00"):
        assert client.order("/v1/deposits", {**deposit, "amount": amount}).status_code == 202


def test_an_inactive_currency_takes_no_new_payments(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
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
        with api.unchanged():
            answer = client.order(path, body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "currency_inactive")
    assert client.order("/v1/transfers", order, "early").get_json()["id"] == under_way
    api.post_payments()
    assert (client.balance(wallet), client.balance(other)) == ("4.00", "1.00")
    assert change(ops, code, {"is_active": True}).status_code == 200
    assert pay(client, wallet, other, "1.00", code)["state"] == "COMPLETED"


def test_balance_maximum_of_a_currency_is_kept(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
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
    api: ApiHarness, ops: ApiUser, client: ApiUser, stranger: ApiUser, digits: int, funds: str, amount: str, rest: str
) -> None:
    code = added(ops, digits=digits)
    source, target = client.wallet(funds, code), stranger.wallet(currency=code)
    assert client.balance(source) == funds
    paid = pay(client, source, target, amount, code)
    assert (paid["state"], paid["amount"], paid["balance_after"]) == ("COMPLETED", amount, rest)
    assert (client.balance(source), stranger.balance(target)) == (rest, amount)
    out = {"wallet": source, "amount": rest, "currency": code, "target": "crypto"}
    assert client.order("/v1/withdrawals", out).get_json()["amount"] == rest
    api.post_payments()
    assert client.get(f"/v1/wallets/{source}").get_json()["available"].strip("0.") == ""


def test_balance_above_the_storable_maximum_fails(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    code = added(ops, digits=18)
    most = "9" * 20 + "." + "9" * 18
    full, other = client.wallet(most, code), client.wallet(currency=code)
    deposit = {"wallet": other, "amount": "0.000000000000000001", "currency": code, "source": "crypto"}
    client.order("/v1/deposits", deposit)
    api.post_payments()
    failed = pay(client, other, full, "0.000000000000000001", code)
    assert failed["failure"]["code"] == "limit_exceeded"
    assert client.balance(full) == most


def test_poster_finds_commission_account_of_a_new_currency(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    with transaction(api.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE commission_terms DISABLE TRIGGER commission_terms_are_told_ahead")
        connection.exec_driver_sql(
            "INSERT INTO commission_terms (type, merchant_id, percent, valid_from) VALUES ('transfer', %s, 10, %s)",
            (client.id, "2020-01-01T00:00Z"),
        )
        connection.exec_driver_sql("ALTER TABLE commission_terms ENABLE TRIGGER commission_terms_are_told_ahead")
    poster = Poster(api.worker, deposits_open=True, linger_seconds=0)
    poster.drain()
    code = added(ops)
    wallet, other = client.wallet("10.00", code), api.person().wallet(currency=code)
    body = {"source": wallet, "target": other, "amount": "5.00", "currency": code}
    id = client.order("/v1/transfers", body).get_json()["id"]
    poster.drain()
    paid = client.payment(id)
    assert (paid["state"], paid["commission"], paid["attempts"]) == ("COMPLETED", "0.50", 0)


def test_invariants_hold_after_these_tests(api: ApiHarness) -> None:
    with api.worker.connect() as connection:
        assert violations(connection) == []
