"""Open items, taking them and giving them back, and notes: each by one of ops, once, and audited."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import breach, overview
from models.breach import Breach
from models.open_item import KINDS
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.payouts import send, withdraw
from tests.gateway.ops.stuck_payments import order, park
from tests.gateway.reconciliation.statements import judged, row, table
from tests.gateway.webhooks.helpers import endpoint

ITEMS, ASSIGNMENTS = "/v1/ops/open-items", "/v1/ops/assignments"


@pytest.fixture
def parked(api: ApiHarness, client: ApiUser) -> str:
    """The id of a parked payment."""
    id = order(client, client.wallet())
    park(api, id)
    return id


def take(person: ApiUser, kind: str, subject: str, **members: str):
    return person.call("POST", ASSIGNMENTS, json={"kind": kind, "subject": subject, **members})


def test_kinds_are_counts_of_the_overview() -> None:
    assert KINDS.keys() <= overview.WAITING.keys()


def test_each_kind_of_item_is_listed_and_taken(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, merchant: ApiUser, parked: str
) -> None:
    payout = send(api, withdraw(api, client, customer_wallet))
    api.execute("UPDATE instructions SET last_error = 'no answer' WHERE payment_id = %s", payout)
    resolved = send(api, withdraw(api, client, customer_wallet), parks=True)
    assert ops.call(
        "POST", f"/v1/ops/payments/{resolved}/resolve", json={"outcome": "not_paid", "reason": "they say so"}
    )
    body = {"wallet": customer_wallet, "direction": "credit", "amount": "1.00", "currency": "EUR", "reason": "lost"}
    adjustment = ops.order("/v1/ops/adjustments", body).get_json()["id"]
    statement, _ = judged(ops, table(row(amount="3.00")))
    hook = endpoint(merchant)
    api.execute("UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'gone' WHERE id = %s", hook)
    with transaction(api.worker) as connection:
        breach.record(connection, [Breach("a rule", "x", {})])
    [found] = api.execute("SELECT id::text FROM breaches")
    subjects = {
        **{"parked": parked, "undecided": payout, "adjustments_proposed": adjustment},
        **{"resolutions_proposed": resolved, "reconciliation_exceptions": f"{statement}/1"},
        **{"endpoints_disabled": hook, "breaches": found},
    }
    assert subjects.keys() == KINDS.keys()
    for kind, subject in subjects.items():
        [item] = [one for one in ops.get(f"{ITEMS}?kind={kind}").get_json()["data"] if one["subject"] == subject]
        assert (item["kind"], item["assignment"]) == (kind, None)
        taken = take(ops, kind, subject, reason="I look at it")
        assert taken.status_code == 201, (kind, taken.get_json())
        assert taken.get_json()["since"] == item["since"]
        assert take(ops, kind, subject).status_code == 200
    listed = {item["subject"]: item for item in ops.get(ITEMS).get_json()["data"]}
    assert {listed[subject]["taken_by_name"] for subject in subjects.values()} == {"Ops"}
    assert len(ops.get(f"{ASSIGNMENTS}?in_force=true&user={ops.id}").get_json()["data"]) == len(KINDS)


@pytest.mark.usefixtures("ops", "unchanged")
def test_what_does_not_wait_is_not_taken(ops: ApiUser) -> None:
    for kind, subject in (
        *(("parked", ops.id), ("parked", "x"), ("undecided", "1"), ("breaches", "0"), ("breaches", "9" * 19)),
        *(("reconciliation_exceptions", ops.id), ("reconciliation_exceptions", f"{ops.id}/1")),
        *(("reconciliation_exceptions", f"{ops.id}/9999999"), ("endpoints_disabled", f"{ops.id}\u0661")),
    ):
        assert take(ops, kind, subject).status_code == 404, (kind, subject)
    assert take(ops, "lost", ops.id).status_code == 422
    assert ops.call("POST", f"{ASSIGNMENTS}/{ops.id}/give-back", json={}).status_code == 404


def test_of_twenty_at_once_one_has_it_until_it_is_given_back(api: ApiHarness, ops: ApiUser, parked: str) -> None:
    people = [api.person("ops", f"Ops {n}") for n in range(4)] * 5
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda person: take(person, "parked", parked), people))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 4, 409: 15}
    [mine] = {answer.get_json()["id"] for answer in answers if answer.status_code < 300}
    refused = next(answer.get_json() for answer in answers if answer.status_code == 409)
    assert refused["code"] == "item_taken"
    with ThreadPoolExecutor(20) as pool:
        given = list(
            pool.map(
                lambda person: person.call("POST", f"{ASSIGNMENTS}/{mine}/give-back", json={"reason": "gone home"}),
                people,
            )
        )
    assert {answer.status_code for answer in given} == {200}
    assert len({answer.get_json()["given_by"] for answer in given}) == 1
    assert [(entry["action"], entry["reason"]) for entry in api.audit_log(mine)] == [
        ("assignments.take", None),
        ("assignments.give_back", "gone home"),
    ]
    assert take(ops, "parked", parked).status_code == 201, "another takes it"
    api.execute("UPDATE payments SET parked_at = now() + interval '1 second' WHERE id = %s", parked)
    assert take(people[0], "parked", parked).status_code == 201, "parked again, it is another item"


def test_a_note_is_written_once_and_changes_nothing(api: ApiHarness, ops: ApiUser, parked: str) -> None:
    before = ops.payment(parked)
    path = f"/v1/ops/payments/{parked}/notes"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ops.call("POST", path, json={"text": "They called."}), range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    assert api.person("ops").call("POST", path, json={"text": "They called."}).status_code == 201
    assert ops.call("POST", path, json={"text": ""}).status_code == 422
    assert ops.payment(parked) == before
    notes = ops.get(f"/v1/ops/payments/{parked}").get_json()["notes"]
    assert [note["text"] for note in notes] == ["They called."] * 2
    assert notes[0]["written_by"] == ops.id
    assert [entry["action"] for entry in api.audit_log(parked)] == ["payments.note"] * 2
