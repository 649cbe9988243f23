"""Rates, quotes, exchanges and transfers across currencies over HTTP; a quote serves one payment, in its time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from uuid_utils import compat as uuids

from embedded.postgres import Postgres
from models.invariants import violations
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, past_the_triggers

OFFER = ("source_amount", "target_amount", "commission")
RATE = {"source": "EUR", "target": "USD", "rate": "1.0837", "source_name": "ECB"}


@pytest.fixture(scope="module")
def ops(house: ApiHarness) -> ApiUser:
    """A user with the role ops, who sets rates."""
    return house.person("ops")


@pytest.fixture(autouse=True)
def rates(ops: ApiUser) -> None:
    """The rates of the tests: EUR to USD without a spread, to JPY with one, JPY to USD."""
    for change in ({}, {"target": "JPY", "rate": "162.456", "spread": "1"}, {"source": "JPY", "rate": "0.0067"}):
        assert ops.call("PUT", "/v1/exchange-rates", json=RATE | change).status_code == 200


@pytest.fixture(autouse=True)
def kept_promises(house: ApiHarness) -> Iterator[None]:
    """The invariants hold after each test."""
    yield
    with transaction(house.worker) as connection:
        assert violations(connection) == []


@pytest.fixture
def euros(client: ApiUser) -> str:
    """A wallet of the client's with 100.00 EUR."""
    return client.wallet("100.00")


@pytest.fixture
def dollars(client: ApiUser) -> str:
    """A wallet of the client's for USD."""
    return client.wallet(currency="USD")


def quote(person: ApiUser, amount: str = "40.00", target: str = "USD", **members: Any) -> dict[str, Any]:
    """A quote from EUR."""
    body = {"source_currency": "EUR", "target_currency": target, "amount": amount, "side": "source", **members}
    answer = person.call("POST", "/v1/quotes", json=body)
    assert answer.status_code == 201
    return answer.get_json()


def exchange(person: ApiUser, source: str, target: str, quote_id: str, key: str | None = None) -> Any:
    return person.order("/v1/exchanges", {"source": source, "target": target, "quote": quote_id}, key)


def send(person: ApiUser, source: str, target: str, made: dict[str, Any], amount: str, currency: str = "EUR") -> Any:
    """A transfer by the quote."""
    order = {"source": source, "target": target, "amount": amount, "currency": currency, "quote": made["id"]}
    return person.order("/v1/transfers", order)


def shown(person: ApiUser, id: str) -> dict[str, Any]:
    return person.get(f"/v1/payments/{id}").get_json()


def position(house: ApiHarness, code: str, currency: str) -> int:
    """The balance of a technical account."""
    return int(house.execute("SELECT balance FROM accounts WHERE code = %s AND currency = %s", code, currency)[0])


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
    ops.house.execute("ALTER TABLE exchange_rates DISABLE TRIGGER USER")
    ops.house.execute("DELETE FROM exchange_rates WHERE target = 'KWD'")
    ops.house.execute("ALTER TABLE exchange_rates ENABLE TRIGGER USER")


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
def test_invalid_quotes_are_refused(house: ApiHarness, client: ApiUser, request_body: dict, code: str | None) -> None:
    body = {"source_currency": "EUR", "target_currency": "USD", "amount": "1.00", "side": "source"} | request_body
    answer = client.call("POST", "/v1/quotes", json=body)
    assert (answer.status_code, answer.get_json().get("code")) == ((422, code) if code else (201, None))


def test_exchange_is_accepted_and_completed(house: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    before = position(house, "exchange", "EUR"), position(house, "exchange", "USD")
    answer = exchange(client, euros, dollars, quote(client)["id"])
    assert (answer.status_code, answer.get_json()["state"]) == (202, "INITIATED")
    house.post_payments()
    done = shown(client, answer.get_json()["id"])
    assert (done["type"], done["state"], done["amount"], done["currency"]) == ("exchange", "COMPLETED", "40.00", "EUR")
    assert (done["target_amount"], done["target_currency"], done["rate"]) == ("43.34", "USD", "1.0837")
    assert (client.balance(euros), client.balance(dollars)) == ("60.00", "43.34")
    assert (position(house, "exchange", "EUR") - before[0], position(house, "exchange", "USD") - before[1]) == (
        4000,
        -4334,
    )
    lines = client.get(f"/v1/payments/{done['id']}/operations").get_json()["data"]
    assert [(line["amount"], line["currency"], line["kind"]) for line in lines] == [
        ("-40.00", "EUR", "exchange"), ("40.00", "EUR", "exchange"),
        ("-43.34", "USD", "exchange"), ("43.34", "USD", "exchange"),
    ]  # fmt: skip


def test_the_spread_is_commission_and_in_no_rate(house: ApiHarness, client: ApiUser, euros: str) -> None:
    yen, taken = client.wallet(currency="JPY"), position(house, "commission", "EUR")
    id = exchange(client, euros, yen, quote(client, target="JPY")["id"]).get_json()["id"]
    house.post_payments()
    done = shown(client, id)
    assert (done["amount"], done["commission"], done["rate"], done["target_amount"]) == (
        "40.00",
        "0.40",
        "162.456",
        "6433",
    )
    assert (client.balance(euros), client.balance(yen)) == ("60.00", "6433")
    assert position(house, "commission", "EUR") - taken == 40


def test_a_transfer_across_currencies(house: ApiHarness, client: ApiUser, stranger: ApiUser, euros: str) -> None:
    theirs, made = stranger.wallet(currency="USD"), quote(client)
    answer = send(client, euros, theirs, made, "40.00")
    assert (answer.status_code, answer.get_json()["target_amount"]) == (202, "43.34")
    assert shown(stranger, answer.get_json()["id"])["amount"] == "43.34", "known before it is posted"
    house.post_payments()
    assert (client.balance(euros), stranger.balance(theirs)) == ("60.00", "43.34")
    seen = shown(stranger, answer.get_json()["id"])
    assert (seen["amount"], seen["currency"], seen["commission"]) == ("43.34", "USD", None)
    assert (seen["balance_after"], seen["target_amount"], seen["target_currency"]) == ("43.34", "43.34", "USD")
    assert shown(client, answer.get_json()["id"])["balance_after"] == "60.00"


@pytest.fixture
def terms(postgres: Postgres, database: Database) -> Iterator[Callable[[str], None]]:
    """Changes the terms of transfers, for as long as the test lasts."""

    def change(assignments: str) -> None:
        name = make_url(database.owner).database or ""
        past_the_triggers(postgres, name, f"UPDATE commission_terms SET {assignments} WHERE type = 'transfer'")

    yield change
    change("percent = 0")


@pytest.mark.parametrize(
    ("request_body", "exchange_offer", "transfer_offer"),
    [
        ({"amount": "40.00"}, ("40.00", "6433", "0.40"), ("40.00", "6303", "1.20")),
        ({"amount": "6433", "side": "target"}, ("40.00", "6433", "0.40"), ("40.83", "6433", "1.23")),
    ],
)
def test_one_quote_is_good_for_either_use(
    house: ApiHarness, client: ApiUser, stranger: ApiUser, terms: Any, request_body: dict, exchange_offer: tuple,
    transfer_offer: tuple,
) -> None:  # fmt: skip
    terms("percent = 2")
    quotes = [quote(client, target="JPY", **request_body) for _ in range(3)]
    assert tuple(quotes[0][name] for name in OFFER) == exchange_offer
    assert tuple(quotes[0]["transfer"][name] for name in OFFER) == transfer_offer
    terms("percent = 50")
    euros, own, theirs = client.wallet("200.00"), client.wallet(currency="JPY"), stranger.wallet(currency="JPY")
    exchanged = exchange(client, euros, own, quotes[0]["id"]).get_json()
    within = send(client, euros, own, quotes[1], exchange_offer[0]).get_json()
    beyond = send(client, euros, theirs, quotes[2], transfer_offer[0]).get_json()
    house.post_payments()
    for ordered, offer in ((exchanged, exchange_offer), (within, exchange_offer), (beyond, transfer_offer)):
        done = shown(client, ordered["id"])
        assert (done["state"], done["amount"], done["target_amount"], done["commission"]) == ("COMPLETED", *offer)
    assert (client.balance(own), stranger.balance(theirs)) == (str(2 * int(exchange_offer[1])), transfer_offer[1])


def test_a_transfer_is_for_what_the_quote_says(
    client: ApiUser, stranger: ApiUser, euros: str, dollars: str, terms: Any
) -> None:
    terms("percent = 2")
    made, theirs = quote(client, "43.34", side="target"), stranger.wallet(currency="USD")
    for target, wrong, right in ((theirs, "40.00", "40.82"), (dollars, "40.82", "40.00")):
        answer = send(client, euros, target, made, wrong)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "quote_mismatch")
        assert f"{right} EUR" in answer.get_json()["detail"]


def test_quote_offers_only_the_use_that_is_not_zero(
    house: ApiHarness, client: ApiUser, stranger: ApiUser, dollars: str, terms: Any
) -> None:
    terms("percent = 50")
    made = quote(client, "2", source_currency="JPY")
    yen, theirs = client.wallet("2", "JPY"), stranger.wallet(currency="USD")
    assert (made["target_amount"], made["transfer"]) == ("0.01", None)
    with house.unchanged():
        assert send(client, yen, theirs, made, "2", "JPY").get_json()["code"] == "quote_mismatch"
    assert exchange(client, yen, dollars, made["id"]).status_code == 202


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE quotes SET transfer_target_amount = transfer_target_amount - 1 WHERE id = %s",
        "UPDATE quotes SET transfer_source_amount = NULL, transfer_target_amount = NULL, transfer_commission = NULL"
        " WHERE id = %s",
    ],
)
def test_poster_checks_the_transfer_offer(
    house: ApiHarness, client: ApiUser, stranger: ApiUser, euros: str, forged: str
) -> None:
    theirs, made = stranger.wallet(currency="USD"), quote(client)
    id = send(client, euros, theirs, made, "40.00").get_json()["id"]
    house.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    house.execute(forged, made["id"])
    house.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
    house.post_payments()
    assert shown(client, id)["failure"]["code"] == "quote_expired"
    assert (client.balance(euros), stranger.balance(theirs)) == ("100.00", "0.00")


def test_twenty_racing_uses_of_a_quote_one_wins(house: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    made = quote(client, "5.00")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: exchange(client, euros, dollars, made["id"]), range(20)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 19
    assert {a.get_json()["code"] for a in answers if a.status_code == 409} == {"quote_used"}
    house.post_payments()
    assert (client.balance(euros), client.balance(dollars)) == ("95.00", "5.41")
    used = "SELECT count(*) FROM payments WHERE quote_id = %s"
    assert house.execute(used, made["id"]) == [1]


def test_exchange_replay_works_after_the_quote_expired(
    house: ApiHarness, client: ApiUser, euros: str, dollars: str
) -> None:
    made = quote(client, "5.00")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: exchange(client, euros, dollars, made["id"], "once"), range(10)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    over(house, made["id"])
    assert exchange(client, euros, dollars, made["id"], "once").headers["Idempotent-Replayed"] == "true"
    house.execute("UPDATE payments SET due_at = now() WHERE quote_id = %s", made["id"])


def over(house: ApiHarness, quote_id: str) -> None:
    """Date the quote back by an hour, as the table owner without triggers."""
    house.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    house.execute(
        "UPDATE quotes SET created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 hour'"
        " WHERE id = %s",
        quote_id,
    )
    house.execute("ALTER TABLE quotes ENABLE TRIGGER USER")


def test_expired_quote_is_refused(house: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    made = quote(client)
    over(house, made["id"])
    with house.unchanged():
        answer = exchange(client, euros, dollars, made["id"])
        assert (answer.status_code, answer.get_json()["code"]) == (409, "quote_expired")


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE quotes SET target_amount = target_amount - 1 WHERE id = %s",
        "UPDATE quotes SET rate = rate * 2 WHERE id = %s",
        "UPDATE quotes SET payment_id = NULL WHERE id = %s",
        "UPDATE quotes SET source_amount = NULL, target_amount = NULL, commission = NULL WHERE id = %s",
        "UPDATE quotes SET created_at = '2020-01-01', expires_at = '2020-01-02' WHERE id = %s",
    ],
)
def test_poster_checks_the_quote_again(
    house: ApiHarness, client: ApiUser, euros: str, dollars: str, forged: str
) -> None:
    made = quote(client)
    id = exchange(client, euros, dollars, made["id"]).get_json()["id"]
    house.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    house.execute(forged, made["id"])
    house.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
    house.post_payments()
    assert shown(client, id)["failure"]["code"] == "quote_expired"
    assert (client.balance(euros), client.balance(dollars)) == ("100.00", "0.00")


def test_exchange_created_in_time_is_posted_after_expiry(
    house: ApiHarness, client: ApiUser, euros: str, dollars: str
) -> None:
    made = quote(client)
    id = exchange(client, euros, dollars, made["id"]).get_json()["id"]
    house.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    house.execute(
        "UPDATE quotes q SET expires_at = (SELECT created_at + interval '1 microsecond' FROM payments p"
        " WHERE p.quote_id = q.id) WHERE id = %s",
        made["id"],
    )
    house.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
    house.post_payments()
    assert shown(client, id)["state"] == "COMPLETED"


def test_exchange_above_the_balance_fails(house: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    id = exchange(client, euros, dollars, quote(client, "100.01")["id"]).get_json()["id"]
    house.post_payments()
    assert shown(client, id)["failure"]["code"] == "insufficient_funds"
    assert (client.balance(euros), client.balance(dollars)) == ("100.00", "0.00")


def test_quote_of_another_or_for_another_use_is_refused(
    house: ApiHarness, client: ApiUser, stranger: ApiUser, euros: str, dollars: str
) -> None:
    made, foreign, theirs = quote(client), quote(stranger), stranger.wallet(currency="USD")
    order = {"source": euros, "target": theirs, "amount": "40.00", "currency": "EUR"}
    with house.unchanged():
        for id in (foreign["id"], str(uuids.uuid7())):
            assert exchange(client, euros, dollars, id).status_code == 404
        answers = {
            "the target is a stranger's": (exchange(client, euros, theirs, made["id"]), "not_found"),
            "a wallet to itself": (exchange(client, euros, euros, made["id"]), "same_source_and_target"),
            "the source is in another currency": (exchange(client, dollars, euros, made["id"]), "currency_mismatch"),
            "another amount": (
                client.order("/v1/transfers", order | {"quote": made["id"], "amount": "39.99"}), "quote_mismatch",
            ),
            "another currency": (
                client.order("/v1/transfers", order | {"quote": made["id"], "currency": "USD"}), "quote_mismatch",
            ),
            "later": (
                client.order("/v1/transfers", order | {"quote": made["id"], "scheduled_at": "2190-01-01T00:00:00Z"}),
                "invalid_value",
            ),
            "no quote": (client.order("/v1/transfers", order), "currency_mismatch"),
        }  # fmt: skip
    assert {what: answer.get_json()["code"] for what, (answer, _) in answers.items()} == {
        what: code for what, (_, code) in answers.items()
    }
