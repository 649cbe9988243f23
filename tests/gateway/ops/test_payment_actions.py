"""Actions of ops over HTTP: shown as they are possible, ordered once, refused with the reason."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.invariants import violations
from models.session import transaction
from tests.gateway.bulks import builders
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.payouts import PAID, WHY, answer, send, withdraw
from tests.gateway.ops.stuck_payments import order, park
from tests.support import eventually

AT_ONCE = 20


def act(person: ApiUser, id: str, action: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
    done = person.call("POST", f"/v1/ops/payments/{id}/{action}", json=body or WHY, headers=headers)
    return done.status_code, done.get_json()


def review(person: ApiUser, id: str) -> dict[str, Any]:
    return dict(person.get(f"/v1/ops/payments/{id}").get_json())


@pytest.fixture
def parked(api: ApiHarness, client: ApiUser, customer_wallet: str) -> str:
    """The id of a parked deposit."""
    id = order(client, customer_wallet)
    park(api, id)
    return id


@pytest.fixture
def unsent(api: ApiHarness, client: ApiUser, customer_wallet: str) -> str:
    """The id of a withdrawal that is not sent yet."""
    return withdraw(api, client, customer_wallet)


@pytest.fixture
def held(api: ApiHarness, merchant: ApiUser, customer_wallet: str, merchant_wallet: str) -> str:
    """The id of a charge of 10.00 that is held."""
    id = merchant.charge(customer_wallet, "10.00", capture=False)
    api.post_payments()
    return id


@pytest.mark.parametrize(("action", "code"), [("cancel", "canceled_by_ops"), ("fail", "system_failure")])
def test_parked_payment_is_ended(
    api: ApiHarness, ops: ApiUser, client: ApiUser, parked: str, action: str, code: str
) -> None:
    assert set(review(ops, parked)["actions"]) == {"retry", "cancel", "fail"}
    status, body = act(ops, parked, action)
    assert (status, body["id"], body["state"]) == (202, parked, "INITIATED")
    api.post_payments()
    assert client.payment(parked)["failure"]["code"] == code
    after = review(ops, parked)
    assert (after["actions"], after["parked_at"]) == ([], None)
    [command] = after["commands"]
    assert (command["kind"], command["user"], command["is_by_ops"]) == (action, ops.id, True)
    assert (command["reason"], command["outcome"]) == ("mended by hand", "done")
    lines = api.execute("SELECT to_jsonb(l) FROM audit_log l WHERE target = %s", parked)
    assert [(line["action"], line["actor"], line["reason"]) for line in lines] == [
        (f"payments.{action}", ops.id, "mended by hand")
    ]
    steps = ops.get(f"/v1/payments/{parked}/timeline").get_json()["data"]
    assert (action, "ops", ops.id, "mended by hand") in [
        (step["step"], step["actor"], step["actor_id"], step["reason"]) for step in steps
    ]
    seen = client.get(f"/v1/payments/{parked}/timeline").get_json()["data"]
    assert [step["actor_id"] for step in seen if step["step"] == action] == [None]
    with api.unchanged():
        assert act(ops, parked, action)[1]["code"] == "payment_final"


def test_hold_is_captured_and_voided_for_the_merchant(
    api: ApiHarness, ops: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, held: str
) -> None:
    assert set(review(ops, held)["actions"]) == {"fail", "capture", "void"}
    with api.unchanged():
        assert act(ops, held, "capture", {"amount": "10.01", **WHY})[1]["errors"][0]["code"] == "amount_too_large"
        assert act(ops, held, "cancel")[1]["code"] == "illegal_transition"
    assert act(ops, held, "capture", {"amount": "4.00", **WHY})[0] == 202
    assert merchant.order(f"/v1/charges/{held}/void", {}).get_json()["code"] == "ending_ordered"
    assert act(api.person("ops"), held, "void")[1]["code"] == "ending_ordered"
    api.post_payments()
    assert merchant.payment(held)["captured_amount"] == "4.00"
    second = merchant.charge(customer_wallet, "10.00", capture=False)
    api.post_payments()
    assert act(ops, second, "void")[0] == 202
    api.post_payments()
    assert merchant.payment(second)["failure"]["code"] == "canceled_by_ops"
    assert merchant.balance(merchant_wallet) == "4.00"


def test_refused_actions_are_shown_with_the_code_of_the_call(api: ApiHarness, ops: ApiUser, unsent: str) -> None:
    assert set(review(ops, unsent)["actions"]) == {"fail"}
    send(api, unsent)
    shown = review(ops, unsent)
    assert shown["actions"] == ["ask"]
    codes = {one["action"]: one["code"] for one in shown["refused"]}
    assert codes == {
        **dict.fromkeys(("retry", "cancel", "capture", "void"), "illegal_transition"),
        **{"fail": "money_may_be_outside", "resolve": "payout_in_progress"},
    }
    with api.unchanged():
        for action, code in codes.items():
            body = PAID if action == "resolve" else WHY
            status, problem = act(ops, unsent, action, body)
            assert (action, status, problem["code"]) == (action, 409, code)


def test_list_of_waiting_payments_shows_their_actions(api: ApiHarness, ops: ApiUser, parked: str) -> None:
    listed = ops.get("/v1/ops/payments?parked=true").get_json()["data"]
    [shown] = [row for row in listed if row["id"] == parked]
    assert shown["actions"] == review(ops, parked)["actions"]


def test_unsent_withdrawal_is_failed(api: ApiHarness, ops: ApiUser, client: ApiUser, unsent: str) -> None:
    assert act(ops, unsent, "fail")[0] == 202
    api.post_payments()
    assert client.payment(unsent)["failure"]["code"] == "system_failure"
    assert api.execute("SELECT due_at FROM instructions WHERE payment_id = %s", unsent) == [None]


def test_twenty_ops_users_at_once_have_one_effect(
    api: ApiHarness, ops: ApiUser, customer_wallet: str, merchant_wallet: str, merchant: ApiUser, held: str
) -> None:
    together, people = threading.Barrier(AT_ONCE), [ops] * 5 + [api.person("ops") for _ in range(AT_ONCE - 5)]

    def race(number: int) -> int:
        together.wait()
        action = "capture" if number < 5 else ("void", "fail")[number % 2]
        return next(status for _ in range(AT_ONCE) if (status := act(people[number], held, action)[0]) != 503)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = sorted(pool.map(race, range(AT_ONCE)))
    assert statuses in ([202] + [409] * (AT_ONCE - 1), [202] * 5 + [409] * (AT_ONCE - 5))
    api.post_payments()
    assert merchant.payment(held)["state"] in ("COMPLETED", "FAILED")
    assert api.execute("SELECT count(*) FROM audit_log WHERE target = %s", held) == [1]
    assert merchant.balance(merchant_wallet) in ("0.00", "10.00")


def test_bank_is_asked_and_its_answer_shown_beside_ours(
    api: ApiHarness, ops: ApiUser, unsent: str, rings: list[str | None]
) -> None:
    id = send(api, unsent)
    status, body = act(ops, id, "ask")
    assert (status, body["payment"]["id"], body["inquiries"][0]["answer"]) == (202, id, None)
    other = api.person("ops")
    with api.unchanged():
        assert act(other, id, "ask")[0] == 202, "one question is enough"
    answer(api, id, "not_found")
    [said] = review(ops, id)["inquiries"]
    assert (said["asked_by"], said["reason"], said["answer"]) == (ops.id, "mended by hand", "not_found")
    assert (said["known_answer"], said["differences"]) == ("unknown", ["answer", "bank_reference"])


def test_question_is_answered_within_the_wait(api: ApiHarness, ops: ApiUser, unsent: str) -> None:
    id = send(api, unsent)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(act, ops, id, "ask", None, Prefer="wait=20")
        eventually(lambda: api.execute("SELECT count(*) FROM inquiries WHERE payment_id = %s", id) == [1])
        answer(api, id, "pending")
        status, body = asking.result()
    assert (status, body["inquiries"][0]["answer"]) == (200, "pending")


@pytest.mark.parametrize("action", ["cancel", "fail", "capture", "void", "ask", "resolve"])
def test_action_without_a_reason_is_refused(api: ApiHarness, ops: ApiUser, parked: str, action: str) -> None:
    with api.unchanged():
        for reason in (None, "", "x" * 501, 1):
            body = {**PAID, "reason": reason} if action == "resolve" else {"reason": reason}
            assert act(ops, parked, action, body)[0] == 422


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_actions_need_the_scopes_of_ops(api: ApiHarness, parked: str, role: str) -> None:
    person = api.person(role)
    with api.unchanged():
        for action in ("cancel", "fail", "capture", "void", "ask", "resolve"):
            assert act(person, parked, action, PAID if action == "resolve" else WHY)[0] == 403


def test_lines_of_bulks_are_failed_once_their_money_is_held(api: ApiHarness, ops: ApiUser) -> None:
    payer, wallet = builders.organization(api, "10.00")
    for mode in ("atomic", "best_effort"):
        ordered = payer.order(
            "/v1/bulk-transfers", builders.order(builders.line("1.00"), builders.line("2.00", 2), mode=mode)
        )
        first, second = (row["payment"] for row in builders.lines(payer, ordered))
        status, problem = act(ops, first, "fail")
        assert (status, problem.get("code")) == ((409, "atomic_bulk_line") if mode == "atomic" else (202, None))
        api.post_payments()
        if mode == "atomic":
            assert act(ops, first, "fail")[0] == 202
            api.post_payments()
        builders.answer_of_the_bank(api, "confirm", [second])
        api.post_payments()
        bulk = builders.read(payer, ordered)
        assert (bulk["state"], bulk["counts"]["failed"], bulk["counts"]["completed"]) == ("PARTIALLY_COMPLETED", 1, 1)
    assert payer.balance(wallet) == "6.00"
    assert violations_of(api) == []


def violations_of(api: ApiHarness) -> list[str]:
    with transaction(api.owner) as connection:
        return violations(connection)
