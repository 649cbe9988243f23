"""Rates and quotes over HTTP."""

from typing import Any

import pytest

from tests.gateway.exchange.quotes import OFFER, RATE, exchange, over, quote, send
from tests.gateway.harness import ApiHarness, ApiUser

pytestmark = pytest.mark.usefixtures("rates", "kept_promises")


def test_rates_are_set_by_ops_and_read_by_all(client: ApiUser, ops: ApiUser) -> None:
    ops.call("PUT", "/v1/exchange-rates", json=RATE | {"rate": "1.1", "valid_from": "2190-01-01T00:00:00Z"})
    listed = client.get("/v1/exchange-rates").get_json()["data"]
    assert [(row["source"], row["target"], row["rate"], row["spread"], row["source_name"]) for row in listed] == [
        ("EUR", "JPY", "162.456", "1", "ECB"),
        ("EUR", "USD", "1.0837", "0", "ECB"),
        ("JPY", "USD", "0.0067", "0", "ECB"),
    ]
    [line] = ops.get("/v1/ops/audit?action=exchange_rates.tell&limit=1").get_json()["data"]
    assert (line["actor"], line["target"], line["after"]["rate"]) == (ops.id, "EUR/USD", "1.1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rate": "0"}, "invalid_value"),
        ({"rate": "-1"}, "invalid_value"),
        ({"rate": 1}, "invalid_type"),
        ({"rate": "1e3"}, "invalid_value"),
        ({"rate": "1.0000000000000000001"}, "invalid_value"),
        ({"rate": "100000000000000000000"}, "invalid_value"),
        ({"target": "EUR"}, "invalid_value"),
        ({"target": "XXQ"}, "currency_unknown"),
        ({"spread": "100"}, "invalid_value"),
        ({"valid_from": "2020-01-01T00:00:00Z"}, "invalid_value"),
        ({"source_name": ""}, "invalid_value"),
    ],
)
def test_invalid_rates_are_refused(ops: ApiUser, change: dict, code: str, unchanged: None) -> None:
    answer = ops.call("PUT", "/v1/exchange-rates", json=RATE | change)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


@pytest.mark.parametrize(
    "rate", ["99999999999999999999.999999999999999999", "0.000000000000000001", "1.000000000000000001"]
)
def test_a_rate_is_kept_to_its_last_digit(ops: ApiUser, rate: str) -> None:
    assert ops.call("PUT", "/v1/exchange-rates", json=RATE | {"target": "KWD", "rate": rate}).get_json()["rate"] == rate
    listed = ops.get("/v1/exchange-rates").get_json()["data"]
    assert [row["rate"] for row in listed if row["target"] == "KWD"] == [rate]
    ops.api.execute("ALTER TABLE exchange_rates DISABLE TRIGGER USER")
    ops.api.execute("DELETE FROM exchange_rates WHERE target = 'KWD'")
    ops.api.execute("ALTER TABLE exchange_rates ENABLE TRIGGER USER")


@pytest.mark.parametrize(
    ("request_body", "source", "target", "commission"),
    [
        ({"amount": "40.00"}, "40.00", "43.34", "0.00"),
        ({"amount": "43.34", "side": "target"}, "40.00", "43.34", "0.00"),
        ({"amount": "43.35", "side": "target"}, "40.01", "43.35", "0.00"),
        ({"amount": "40.00", "target": "JPY"}, "40.00", "6433", "0.40"),
        ({"amount": "6433", "target": "JPY", "side": "target"}, "40.00", "6433", "0.40"),
    ],
)
def test_quotes(client: ApiUser, request_body: dict, source: str, target: str, commission: str) -> None:
    made = quote(client, **request_body)
    assert (made["source_amount"], made["target_amount"], made["commission"]) == (source, target, commission)
    assert made["rate"] == ("162.456" if request_body.get("target") else "1.0837")


@pytest.mark.parametrize(
    ("request_body", "code"),
    [
        ({"source_currency": "JPY", "target_currency": "USD", "amount": "1"}, "amount_too_small"),
        ({"source_currency": "USD", "target_currency": "EUR"}, "rate_unknown"),
        ({"target_currency": "EUR"}, "invalid_value"),
        ({"target_currency": "XXQ"}, "currency_unknown"),
        ({"amount": "0.00"}, "amount_not_positive"),
        ({"amount": "1.001"}, "amount_precision"),
        ({"amount": "1" + "0" * 35, "side": "target"}, None),
        ({"amount": "9" * 36 + ".99"}, "amount_too_large"),
        ({"side": "both"}, "invalid_value"),
        ({"type": "transfer"}, "unknown_field"),
    ],
)
def test_invalid_quotes_are_refused(api: ApiHarness, client: ApiUser, request_body: dict, code: str | None) -> None:
    body = {"source_currency": "EUR", "target_currency": "USD", "amount": "1.00", "side": "source"} | request_body
    answer = client.call("POST", "/v1/quotes", json=body)
    assert (answer.status_code, answer.get_json().get("code")) == ((422, code) if code else (201, None))


@pytest.mark.parametrize(
    ("request_body", "exchange_offer", "transfer_offer"),
    [
        ({"amount": "40.00"}, ("40.00", "6433", "0.40"), ("40.00", "6303", "1.20")),
        ({"amount": "6433", "side": "target"}, ("40.00", "6433", "0.40"), ("40.83", "6433", "1.23")),
    ],
)
def test_quote_offers_an_exchange_and_a_transfer(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, terms: Any, request_body: dict, exchange_offer: tuple,
    transfer_offer: tuple,
) -> None:  # fmt: skip
    terms("percent = 2")
    quotes = [quote(client, target="JPY", **request_body) for _ in range(3)]
    assert tuple(quotes[0][name] for name in OFFER) == exchange_offer
    assert tuple(quotes[0]["transfer"][name] for name in OFFER) == transfer_offer
    terms("percent = 50")
    euros, own, foreign = client.wallet("200.00"), client.wallet(currency="JPY"), stranger.wallet(currency="JPY")
    exchanged = exchange(client, euros, own, quotes[0]["id"]).get_json()
    within = send(client, euros, own, quotes[1], exchange_offer[0]).get_json()
    beyond = send(client, euros, foreign, quotes[2], transfer_offer[0]).get_json()
    api.post_payments()
    for ordered, offer in ((exchanged, exchange_offer), (within, exchange_offer), (beyond, transfer_offer)):
        done = client.payment(ordered["id"])
        assert (done["state"], done["amount"], done["target_amount"], done["commission"]) == ("COMPLETED", *offer)
    assert (client.balance(own), stranger.balance(foreign)) == (str(2 * int(exchange_offer[1])), transfer_offer[1])


def test_quote_offers_only_the_use_that_is_not_zero(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, dollars: str, terms: Any
) -> None:
    terms("percent = 50")
    made = quote(client, "2", source_currency="JPY")
    yen, foreign = client.wallet("2", "JPY"), stranger.wallet(currency="USD")
    assert (made["target_amount"], made["transfer"]) == ("0.01", None)
    with api.unchanged():
        assert send(client, yen, foreign, made, "2", "JPY").get_json()["code"] == "quote_mismatch"
    assert exchange(client, yen, dollars, made["id"]).status_code == 202


def test_quote_is_read_by_its_owner_and_ops_in_each_state(
    api: ApiHarness, client: ApiUser, ops: ApiUser, stranger: ApiUser, euros: str, dollars: str
) -> None:
    made, late = quote(client), quote(client)
    foreign = stranger.wallet(currency="USD")
    path = f"/v1/quotes/{made['id']}"
    assert (made["state"], made["payment"], made["user"]) == ("open", None, client.id)
    for person in (client, ops):
        assert person.get(path).get_json() == made
    over(api, late["id"])
    assert client.get(f"/v1/quotes/{late['id']}").get_json()["state"] == "expired"
    sent = send(client, euros, foreign, made, "40.00").get_json()["id"]
    over(api, made["id"])
    used = client.get(path).get_json()
    assert (used["state"], used["payment"]) == ("used", sent), "also after it expired"
    assert client.get(f"/v1/payments/{sent}/request").get_json()["quote"] == made["id"]
    assert stranger.get(f"/v1/payments/{sent}").status_code == 200
    for unknown in (path, f"/v1/payments/{sent}/request", f"/v1/quotes/{sent}", "/v1/quotes/x"):
        assert stranger.get(unknown).status_code == 404, unknown
