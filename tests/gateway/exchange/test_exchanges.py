"""Exchanges and transfers across currencies over HTTP; a quote serves one payment, in its time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from uuid_utils import compat as uuids

from tests.gateway.exchange.quotes import exchange, over, position, quote, send
from tests.gateway.harness import ApiHarness, ApiUser

pytestmark = pytest.mark.usefixtures("rates", "kept_promises")


def test_exchange_is_accepted_and_completed(api: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    before = position(api, "exchange", "EUR"), position(api, "exchange", "USD")
    answer = exchange(client, euros, dollars, quote(client)["id"])
    assert (answer.status_code, answer.get_json()["state"]) == (202, "INITIATED")
    api.post_payments()
    done = client.payment(answer.get_json()["id"])
    assert (done["type"], done["state"], done["amount"], done["currency"]) == ("exchange", "COMPLETED", "40.00", "EUR")
    assert (done["target_amount"], done["target_currency"], done["rate"]) == ("43.34", "USD", "1.0837")
    assert (client.balance(euros), client.balance(dollars)) == ("60.00", "43.34")
    assert (position(api, "exchange", "EUR") - before[0], position(api, "exchange", "USD") - before[1]) == (
        4000,
        -4334,
    )
    lines = client.get(f"/v1/payments/{done['id']}/operations").get_json()["data"]
    assert [(line["amount"], line["currency"], line["kind"]) for line in lines] == [
        ("-40.00", "EUR", "exchange"), ("40.00", "EUR", "exchange"),
        ("-43.34", "USD", "exchange"), ("43.34", "USD", "exchange"),
    ]  # fmt: skip


def test_the_spread_is_commission_and_in_no_rate(api: ApiHarness, client: ApiUser, euros: str) -> None:
    yen, taken = client.wallet(currency="JPY"), position(api, "commission", "EUR")
    id = exchange(client, euros, yen, quote(client, target="JPY")["id"]).get_json()["id"]
    api.post_payments()
    done = client.payment(id)
    assert (done["amount"], done["commission"], done["rate"], done["target_amount"]) == (
        "40.00",
        "0.40",
        "162.456",
        "6433",
    )
    assert (client.balance(euros), client.balance(yen)) == ("60.00", "6433")
    assert position(api, "commission", "EUR") - taken == 40


def test_a_transfer_across_currencies(api: ApiHarness, client: ApiUser, stranger: ApiUser, euros: str) -> None:
    target, made = stranger.wallet(currency="USD"), quote(client)
    answer = send(client, euros, target, made, "40.00")
    assert (answer.status_code, answer.get_json()["target_amount"]) == (202, "43.34")
    assert stranger.payment(answer.get_json()["id"])["amount"] == "43.34", "known before it is posted"
    api.post_payments()
    assert (client.balance(euros), stranger.balance(target)) == ("60.00", "43.34")
    seen = stranger.payment(answer.get_json()["id"])
    assert (seen["amount"], seen["currency"], seen["commission"]) == ("43.34", "USD", None)
    assert (seen["balance_after"], seen["target_amount"], seen["target_currency"]) == ("43.34", "43.34", "USD")
    assert client.payment(answer.get_json()["id"])["balance_after"] == "60.00"


def test_transfer_must_match_its_quote(
    client: ApiUser, stranger: ApiUser, euros: str, dollars: str, terms: Any
) -> None:
    terms("percent = 2")
    made, foreign = quote(client, "43.34", side="target"), stranger.wallet(currency="USD")
    for target, wrong, right in ((foreign, "40.00", "40.82"), (dollars, "40.82", "40.00")):
        answer = send(client, euros, target, made, wrong)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "quote_mismatch")
        assert f"{right} EUR" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE quotes SET transfer_target_amount = transfer_target_amount - 1 WHERE id = %s",
        "UPDATE quotes SET transfer_source_amount = NULL, transfer_target_amount = NULL, transfer_commission = NULL"
        " WHERE id = %s",
    ],
)
def test_poster_checks_the_transfer_offer(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, euros: str, forged: str
) -> None:
    target, made = stranger.wallet(currency="USD"), quote(client)
    id = send(client, euros, target, made, "40.00").get_json()["id"]
    api.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    api.execute(forged, made["id"])
    api.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
    api.post_payments()
    assert client.payment(id)["failure"]["code"] == "quote_expired"
    assert (client.balance(euros), stranger.balance(target)) == ("100.00", "0.00")


def test_twenty_racing_uses_of_a_quote_one_wins(api: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    made = quote(client, "5.00")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: exchange(client, euros, dollars, made["id"]), range(20)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 19
    assert {a.get_json()["code"] for a in answers if a.status_code == 409} == {"quote_used"}
    api.post_payments()
    assert (client.balance(euros), client.balance(dollars)) == ("95.00", "5.41")
    used = "SELECT count(*) FROM payments WHERE quote_id = %s"
    assert api.execute(used, made["id"]) == [1]


def test_exchange_replay_works_after_the_quote_expired(
    api: ApiHarness, client: ApiUser, euros: str, dollars: str
) -> None:
    made = quote(client, "5.00")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: exchange(client, euros, dollars, made["id"], "once"), range(10)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    over(api, made["id"])
    assert exchange(client, euros, dollars, made["id"], "once").headers["Idempotent-Replayed"] == "true"
    api.execute("UPDATE payments SET due_at = now() WHERE quote_id = %s", made["id"])


def test_expired_quote_is_refused(api: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    made = quote(client)
    over(api, made["id"])
    with api.unchanged():
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
def test_poster_checks_the_quote_again(api: ApiHarness, client: ApiUser, euros: str, dollars: str, forged: str) -> None:
    made = quote(client)
    id = exchange(client, euros, dollars, made["id"]).get_json()["id"]
    api.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    api.execute(forged, made["id"])
    api.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
    api.post_payments()
    assert client.payment(id)["failure"]["code"] == "quote_expired"
    assert (client.balance(euros), client.balance(dollars)) == ("100.00", "0.00")


def test_exchange_created_in_time_is_posted_after_expiry(
    api: ApiHarness, client: ApiUser, euros: str, dollars: str
) -> None:
    made = quote(client)
    id = exchange(client, euros, dollars, made["id"]).get_json()["id"]
    api.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    api.execute(
        "UPDATE quotes q SET expires_at = (SELECT created_at + interval '1 microsecond' FROM payments p"
        " WHERE p.quote_id = q.id) WHERE id = %s",
        made["id"],
    )
    api.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
    api.post_payments()
    assert client.payment(id)["state"] == "COMPLETED"


def test_exchange_above_the_balance_fails(api: ApiHarness, client: ApiUser, euros: str, dollars: str) -> None:
    id = exchange(client, euros, dollars, quote(client, "100.01")["id"]).get_json()["id"]
    api.post_payments()
    assert client.payment(id)["failure"]["code"] == "insufficient_funds"
    assert (client.balance(euros), client.balance(dollars)) == ("100.00", "0.00")


def test_quote_of_another_or_for_another_use_is_refused(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, euros: str, dollars: str
) -> None:
    made, foreign, target = quote(client), quote(stranger), stranger.wallet(currency="USD")
    order = {"source": euros, "target": target, "amount": "40.00", "currency": "EUR"}
    with api.unchanged():
        for id in (foreign["id"], str(uuids.uuid7())):
            assert exchange(client, euros, dollars, id).status_code == 404
        answers = {
            "the target is a stranger's": (exchange(client, euros, target, made["id"]), "not_found"),
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
