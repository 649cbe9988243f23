"""Resolutions over HTTP: one ops user proposes with evidence, another approves, and only a parked payout ends so."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models import resolution
from models.audit import SHELL
from models.payout import FinalAnswer
from models.resolution import Resolution
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.payouts import EVIDENCE, PAID, WHY, send, withdraw

AT_ONCE = 20
PATH = "/v1/ops/resolutions"


@pytest.fixture
def spent(api: ApiHarness, client: ApiUser, customer_wallet: str) -> str:
    """The id of a withdrawal that is parked without an answer."""
    return send(api, withdraw(api, client, customer_wallet), parks=True)


def propose(person: ApiUser, id: str, **members: Any) -> TestResponse:
    return person.call("POST", f"/v1/ops/payments/{id}/resolve", json={**PAID, **members})


def proposed(person: ApiUser, id: str, **members: Any) -> str:
    answer = propose(person, id, **members)
    assert answer.status_code == 201, answer.get_json()
    return str(answer.get_json()["id"])


def decide(person: ApiUser, id: str, verb: str = "approve") -> TestResponse:
    return person.call("POST", f"{PATH}/{id}/{verb}", json=WHY)


def listed(person: ApiUser, payment: str, **query: str) -> list[dict[str, Any]]:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return list(person.get(f"{PATH}?payment={payment}{more}").get_json()["data"])


@pytest.mark.parametrize(
    ("outcome", "state", "code"), [("paid", "COMPLETED", None), ("not_paid", "FAILED", "rejected_by_bank")]
)
def test_two_ops_users_end_a_parked_payout(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, spent: str, outcome: str, state: str, code: str
) -> None:
    id = proposed(ops, spent, outcome=outcome)
    api.post_payments()
    assert client.payment(spent)["state"] == "AUTHORIZED", "a proposal moves nothing"
    with api.unchanged():
        assert decide(ops, id).get_json()["code"] == "own_resolution"
    answer = decide(chief, id)
    assert (answer.status_code, answer.get_json()["state"]) == (202, "approved")
    with api.unchanged():
        assert decide(chief, id).get_json() == answer.get_json()
    api.post_payments()
    shown = client.payment(spent)
    assert (shown["state"], shown["failure"] and shown["failure"]["code"]) == (state, code)
    [done] = listed(ops, spent)
    assert (done["state"], done["approved_by"], done["is_contradicted"]) == ("done", chief.id, False)
    assert ops.get(f"/v1/ops/payments/{spent}").get_json()["payout"]["resolution"] == id
    lines = api.execute("SELECT to_jsonb(l) FROM audit_log l WHERE target = %s ORDER BY id", id)
    assert [(line["action"], line["actor"]) for line in lines] == [
        ("resolutions.propose", ops.id),
        ("resolutions.approve", chief.id),
        ("resolutions.execute", "worker"),
    ]


def test_same_proposal_is_stored_once_and_another_is_refused(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, spent: str
) -> None:
    id = proposed(ops, spent)
    with api.unchanged():
        assert proposed(ops, spent) == id
        assert propose(ops, spent, outcome="not_paid").get_json()["code"] == "resolution_open"
        assert propose(chief, spent).get_json()["code"] == "resolution_open"


def test_rejected_resolution_makes_room_for_another(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, spent: str
) -> None:
    first, third_person = proposed(ops, spent), api.person("ops")
    answer = decide(chief, first, "reject")
    assert (answer.status_code, answer.get_json()["rejected_by"]) == (200, chief.id)
    with api.unchanged():
        assert decide(chief, first).get_json()["code"] == "resolution_decided"
        assert decide(third_person, first, "reject").get_json()["code"] == "resolution_decided"
    second = proposed(ops, spent, outcome="not_paid")
    assert decide(ops, second, "reject").status_code == 200, "a proposer withdraws"
    third = proposed(chief, spent)
    assert decide(ops, third).status_code == 202
    assert [row["id"] for row in listed(chief, spent)] == [third, second, first]
    assert [row["id"] for row in listed(api.person("auditor"), spent, state="rejected")] == [second, first]
    api.post_payments()
    assert client.payment(spent)["state"] == "COMPLETED"


def test_resolution_that_the_bank_overtook_is_refused(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, spent: str
) -> None:
    from models import payout  # noqa: PLC0415 - beside the fixture's name

    id = proposed(ops, spent, outcome="not_paid")
    with transaction(api.worker) as connection:
        payout.store_answers(connection, [FinalAnswer(spent, True)])
    assert decide(chief, id).status_code == 202
    api.post_payments()
    [row] = listed(ops, spent)
    assert (row["state"], row["refusal"]) == ("refused", "payout_answered")
    assert client.payment(spent)["state"] == "COMPLETED"


def test_proposal_of_the_shell_is_approved_over_http(
    api: ApiHarness, ops: ApiUser, client: ApiUser, spent: str
) -> None:
    with transaction(api.worker) as connection:
        found = resolution.propose(connection, spent, EVIDENCE, SHELL, "seen")
    assert isinstance(found, Resolution)
    assert decide(ops, found.id).get_json()["proposed_by"] == "shell"
    api.post_payments()
    assert client.payment(spent)["state"] == "COMPLETED"


def test_twenty_decisions_at_once_have_one_effect(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, spent: str
) -> None:
    id, together = proposed(ops, spent, outcome="not_paid"), threading.Barrier(AT_ONCE)
    people = [api.person("ops") for _ in range(AT_ONCE)]

    def race(number: int) -> int:
        together.wait()
        verb = ("approve", "reject")[number % 2]
        return next(code for _ in range(AT_ONCE) if (code := decide(people[number], id, verb).status_code) != 503)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = sorted(pool.map(race, range(AT_ONCE)))
    assert statuses[1:] == [409] * (AT_ONCE - 1)
    api.post_payments()
    expected = {202: ("FAILED", "100.00"), 200: ("AUTHORIZED", "100.00")}[statuses[0]]
    assert (client.payment(spent)["state"], client.balance(customer_wallet)) == expected
    assert api.execute("SELECT count(*) FROM audit_log WHERE target = %s AND actor <> 'worker'", id) == [2]
