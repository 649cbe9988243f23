"""The timeline of a payment: each step with its time and actor, and what each viewer may read of it."""

from datetime import datetime
from typing import Any

import pytest

from models import payment, payout
from models.payout import FinalAnswer, Retry
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into, wire_withdrawal
from workers.posting.retries import decide

POISON = "duplicate key value violates unique constraint of our inside"
"""The error of an attempt, for ops and auditors only."""


def timeline(person: ApiUser, id: str) -> list[dict[str, Any]]:
    return person.get(f"/v1/payments/{id}/timeline").get_json()["data"]


def steps(person: ApiUser, id: str) -> list[tuple[str, str]]:
    return [(step["step"], step["actor"]) for step in timeline(person, id)]


def deposit(person: ApiUser) -> str:
    order = deposit_into(person.wallet())
    return person.order("/v1/deposits", order).get_json()["id"]


def fail(api: ApiHarness, id: str, attempts: int, *, park: bool = False) -> None:
    with transaction(api.worker) as connection:
        assert payment.postpone(connection, id, attempts, POISON, 0.0, park=park)


def test_timeline_of_a_payment_without_failures(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    id = deposit(client)
    api.post_payments()
    begun, done = timeline(client, id)
    assert (begun["step"], begun["actor"], begun["actor_id"]) == ("initiated", "maker", client.id)
    assert (done["step"], done["actor"], done["actor_id"]) == ("completed", "worker", None)
    assert begun["waited_seconds"] is None
    waited = datetime.fromisoformat(done["at"]) - datetime.fromisoformat(begun["at"])
    assert done["waited_seconds"] == round(waited.total_seconds(), 3) >= 0
    shown = client.payment(id)
    assert (begun["at"], done["at"]) == (shown["created_at"], shown["finalized_at"])
    assert stranger.get(f"/v1/payments/{id}/timeline").status_code == 404


def test_timeline_shows_failed_attempts_and_retries(api: ApiHarness, client: ApiUser) -> None:
    id, ops = deposit(client), api.person("ops")
    fail(api, id, 1)
    fail(api, id, 2, park=True)
    answer = ops.call("POST", f"/v1/ops/payments/{id}/retry", json={"reason": "after the fix"})
    assert answer.status_code == 202
    decide(api.worker)
    api.post_payments()
    ways = [
        ("initiated", "maker"),
        ("attempt_failed", "worker"),
        ("attempt_failed", "worker"),
        ("parked", "worker"),
        ("retry", "ops"),
        ("completed", "worker"),
    ]
    by_ops, by_client = timeline(ops, id), timeline(client, id)
    assert steps(ops, id) == steps(client, id) == ways
    assert [step["attempt"] for step in by_client] == [None, 1, 2, None, None, None]
    assert by_client[1]["next_attempt_at"] is not None
    assert by_client[2]["next_attempt_at"] is None
    assert [step["error"] for step in by_ops[1:3]] == [POISON] * 2
    assert [step["error"] for step in by_client[1:3]] == ["The payment could not be posted yet."] * 2
    assert (by_ops[4]["actor_id"], by_ops[4]["reason"], by_ops[4]["outcome"]) == (ops.id, "after the fix", "done")
    assert (by_client[4]["actor_id"], by_client[4]["reason"], by_client[4]["outcome"]) == (None, None, "done")
    assert by_ops[0]["actor_id"] == client.id
    assert POISON not in client.get(f"/v1/payments/{id}/timeline").get_data(as_text=True)


def test_timeline_of_a_failed_payment_shows_the_failure(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    order = {"source": client.wallet(), "target": stranger.wallet(), "amount": "1.00", "currency": "EUR"}
    id = client.order("/v1/transfers", order).get_json()["id"]
    api.post_payments()
    assert steps(client, id) == [("initiated", "maker"), ("failed", "worker")]
    assert timeline(client, id)[1]["failure"] == client.payment(id)["failure"]
    assert timeline(stranger, id)[0]["actor_id"] is None


def test_timeline_of_a_captured_and_refunded_charge(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet, _ = client.wallet("5.00"), merchant.wallet()
    order = {"wallet": customer_wallet, "amount": "2.00", "currency": "EUR", "capture": False}
    id = merchant.order("/v1/charges", order).get_json()["id"]
    api.post_payments()
    assert merchant.order(f"/v1/charges/{id}/capture", {"amount": "1.50"}).status_code == 202
    api.post_payments()
    refund = merchant.order("/v1/refunds", {"charge": id, "amount": "0.50", "reason": "duplicate"}).get_json()["id"]
    api.post_payments()
    names = ["initiated", "authorized", "capture", "completed", "refunded"]
    assert [step for step, _ in steps(merchant, id)] == names
    capture, _, refunded = timeline(client, id)[2:]
    assert (capture["actor"], capture["actor_id"], capture["outcome"]) == ("maker", None, "done")
    assert timeline(merchant, id)[2]["actor_id"] == merchant.id
    assert refunded["payment"] == refund


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_timeline_of_a_withdrawal_shows_the_bank(api: ApiHarness, client: ApiUser, is_confirmed: bool) -> None:
    id = client.order("/v1/withdrawals", wire_withdrawal(client.wallet("9.00"))).get_json()["id"]
    api.post_payments()
    with transaction(api.worker) as connection:
        [claimed] = payout.claim(connection, "simulator", 1, 30.0)
        wait = Retry(id, claimed.attempts, claimed.attempts, 0.0, "no answer within 5 s", is_pending=True)
        payout.postpone(connection, [wait])
    with transaction(api.worker) as connection:
        payout.store_answers(connection, [FinalAnswer(id, is_confirmed, "AC04 closed account")])
    api.post_payments()
    names = ["initiated", "authorized", "submitted", "attempt_failed", "pending"]
    names += ["confirmed", "completed"] if is_confirmed else ["rejected", "failed"]
    found = timeline(client, id)
    assert sorted(step["step"] for step in found) == sorted(names)
    assert [step["step"] for step in found][-2:] == names[-2:]
    by_name = {step["step"]: step for step in found}
    assert (by_name["attempt_failed"]["actor"], by_name["pending"]["actor"], by_name[names[-2]]["actor"]) == (
        "bank",
    ) * 3
    assert by_name["attempt_failed"]["error"].startswith("The bank could not be reached")
    assert by_name[names[-2]]["reason"] is None
    reasons = {step["step"]: (step["error"], step["reason"]) for step in timeline(api.person("auditor"), id)}
    assert reasons["attempt_failed"] == ("no answer within 5 s", None)
    assert reasons[names[-2]] == (None, "AC04 closed account")
