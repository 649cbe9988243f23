"""Pausing over HTTP: what is paused stays INITIATED and says so, and is posted in its order afterwards."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.audit import Actor
from models.pause import Ending, Scope
from models.pause import pause as create_pause
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser

AT_ONCE = 20
PATH = "/v1/ops/pauses"
WHY = {"reason": "The bank is confused"}
LATER = "2999-01-01T00:00:00+00:00"


def pause(ops: ApiUser, **scope: Any) -> TestResponse:
    return ops.call("POST", PATH, json={**WHY, **scope})


def resume(ops: ApiUser, id: str) -> TestResponse:
    return ops.call("POST", f"{PATH}/{id}/resume", json={"reason": "It is clear again"})


def paused(ops: ApiUser, **scope: Any) -> dict[str, Any]:
    """A new pause."""
    answer = pause(ops, **scope)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def ended(api: ApiHarness, ops: ApiUser, id: str) -> None:
    """End the pause and post what it held."""
    assert resume(ops, id).status_code == 200
    api.post_payments()


def transfer(person: ApiUser, source: str, target: str, **members: Any) -> str:
    body = {"source": source, "target": target, "amount": "1.00", "currency": "EUR", **members}
    return person.order("/v1/transfers", body).get_json()["id"]


def test_paused_payment_says_so_and_why_to_ops_alone(
    api: ApiHarness, ops: ApiUser, client: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    told = paused(ops, type="transfer", until=LATER)
    id, target = transfer(client, customer_wallet, stranger.wallet()), client.wallet()
    assert client.payment(id)["paused"] is None, "no poster has seen it"
    api.post_payments()
    shown = client.payment(id)
    assert (shown["state"], shown["next_attempt_at"], shown["attempts"]) == ("INITIATED", None, 0)
    assert (shown["paused"]["reason"], shown["paused"]["until"]) == (None, LATER)
    [listed] = client.get("/v1/payments?type=transfer").get_json()["data"]
    assert listed == shown
    for reader in (ops, api.person("auditor")):
        assert reader.payment(id)["paused"]["reason"] == WHY["reason"]
    status = api.anonymous().get("/status").get_json()
    [note] = status["pauses"]
    assert (note["type"], note["until"], status["paused"]) == ("transfer", LATER, 1)
    assert WHY["reason"] not in str(status)
    assert not {problem["code"] for problem in status["problems"]} & {"payments_overdue", "payments_parked"}
    assert id not in str(ops.get("/v1/ops/payments?stuck=0").get_json())
    assert client.order("/v1/deposits", {"wallet": target, "amount": "1.00", "currency": "EUR", "source": "wire"})
    api.post_payments()
    assert client.balance(target) == "1.00", "other types are posted"
    ended(api, ops, told["id"])
    done = client.payment(id)
    assert (done["state"], done["paused"]) == ("COMPLETED", None)
    assert api.anonymous().get("/status").get_json()["pauses"] == []


def test_pause_of_a_merchant_and_of_a_currency(
    api: ApiHarness, ops: ApiUser, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    dollars, other = client.wallet("9.00", "USD"), api.person("merchant")
    theirs, euros = other.wallet(), client.wallet()
    of_merchant, of_currency = paused(ops, merchant=merchant.id), paused(ops, currency="USD")
    held = merchant.charge(customer_wallet, "1.00")
    free = other.charge(customer_wallet, "1.00")
    in_dollars = transfer(client, dollars, client.wallet(currency="USD"), currency="USD")
    in_euros = transfer(client, customer_wallet, euros)
    api.post_payments()
    states = {id: ops.payment(id)["state"] for id in (held, free, in_dollars, in_euros)}
    assert states == {held: "INITIATED", free: "COMPLETED", in_dollars: "INITIATED", in_euros: "COMPLETED"}
    status = api.anonymous().get("/status").get_json()
    assert merchant.id not in str(status)
    assert [note["currency"] for note in status["pauses"]] == [None, "USD"]
    for one in (of_merchant, of_currency):
        ended(api, ops, one["id"])
    assert {ops.payment(id)["state"] for id in states} == {"COMPLETED"}
    assert other.balance(theirs) == merchant.balance(merchant_wallet) == "1.00"


def test_paused_payment_can_be_canceled_and_expires(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    told, target = paused(ops, type="transfer"), client.wallet()
    canceled = transfer(client, customer_wallet, target)
    expiring = transfer(client, customer_wallet, target, expires_at=LATER)
    api.post_payments()
    assert [client.payment(id)["paused"] is not None for id in (canceled, expiring)] == [True, True]
    assert client.order(f"/v1/payments/{canceled}/cancel", {}).status_code == 202
    api.post_payments()
    assert client.payment(canceled)["failure"]["code"] == "canceled"
    ended(api, ops, told["id"])
    assert [client.payment(id)["state"] for id in (canceled, expiring)] == ["FAILED", "COMPLETED"]


def test_twenty_pauses_at_once_are_one_and_so_are_twenty_resumes(api: ApiHarness, ops: ApiUser) -> None:
    people = [api.person("ops") for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda person: pause(person, type="refund"), people))
        assert sorted(answer.status_code for answer in answers) == [200] * (AT_ONCE - 1) + [201]
        [id] = {answer.get_json()["id"] for answer in answers}
        told = [answer.get_json() for answer in pool.map(lambda person: resume(person, id), people)]
    assert len({str(one) for one in told}) == 1
    assert (told[0]["in_force"], told[0]["resume_reason"]) == (False, "It is clear again")
    actions = api.execute("SELECT actor || ' ' || action FROM audit_log WHERE target = %s ORDER BY id", id)
    assert actions == [f"{told[0]['paused_by']} pauses.pause", f"{told[0]['resumed_by']} pauses.resume"]
    again = paused(ops, type="refund")
    assert again["id"] != id, "what was resumed can be paused again"
    ended(api, ops, again["id"])


def test_what_others_resume_meanwhile_is_to_be_paused_again(
    api: ApiHarness, ops: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = paused(ops, type="exchange")
    with transaction(api.gateway) as connection:
        execute = connection.exec_driver_sql

        def resumed_behind(statement: str, *parameters: Any) -> Any:
            result = execute(statement, *parameters)
            if statement.startswith("INSERT INTO pauses"):
                resume(ops, told["id"])
            return result

        monkeypatch.setattr(connection, "exec_driver_sql", resumed_behind)
        with pytest.raises(Ending):
            create_pause(connection, Scope(type="exchange"), "Checked", None, Actor(ops.id))
    again = paused(ops, type="exchange")
    ended(api, ops, again["id"])


def test_pauses_are_listed(api: ApiHarness, ops: ApiUser) -> None:
    first, second = paused(ops, rail="sepa"), paused(ops, currency="CHF", until=LATER)
    resume(ops, first["id"])
    auditor = api.person("auditor")
    assert [one["id"] for one in auditor.get(PATH).get_json()["data"]][:2] == [second["id"], first["id"]]
    assert auditor.get(f"{PATH}?in_force=true").get_json()["data"] == [second]
    ended(api, ops, second["id"])


@pytest.mark.parametrize(
    ("scope", "pointer", "code"),
    [
        ({}, "/type", "required"),
        ({"type": "charge", "currency": "EUR"}, "/currency", "invalid_value"),
        ({"merchant": "00000000-0000-7000-8000-000000000000"}, "/merchant", "not_found"),
        ({"currency": "XXX"}, "/currency", "currency_unknown"),
        ({"rail": "SEPA"}, "/rail", "invalid_value"),
        ({"type": "charge", "until": "2020-01-01T00:00:00Z"}, "/until", "invalid_value"),
    ],
)
def test_pause_of_what_does_not_exist_is_refused(
    api: ApiHarness, ops: ApiUser, scope: dict[str, str], pointer: str, code: str
) -> None:
    with api.unchanged():
        [flaw] = pause(ops, **scope).get_json()["errors"]
    assert (flaw["pointer"], flaw["code"]) == (pointer, code)
