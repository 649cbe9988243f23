"""The main path: accepted at once, posted soon, exactly once under any race."""

from decimal import Decimal

import pytest

from tests.e2e.state_machine.audit import reckon, scalar, wait_until_decided
from tests.e2e.state_machine.users import ACCEPTED, Order, StackUsers
from tests.support import eventually

pytestmark = pytest.mark.slow
EXCHANGES = 300
CHARGES = 100
EQUAL = 20


def test_a_charge_goes_from_initiated_to_completed(users: StackUsers) -> None:
    client = users.clients[0]
    before = users.balance(client)
    answer = users.connection.submit(users.charge(client, "12.50"))
    assert (answer.status, answer.body["state"]) == (ACCEPTED, "INITIATED")
    assert answer.headers["Location"] == f"/v1/payments/{answer.payment_id}"
    payment = users.final(answer)
    assert (payment["id"], payment["state"], payment["amount"]) == (answer.payment_id, "COMPLETED", "12.50")
    assert Decimal(before) - Decimal(users.balance(client)) == Decimal("12.50")
    assert users.balance(users.merchant) == "12.50"


def test_two_parties_pay_each_other_at_once(users: StackUsers) -> None:
    alice, bob = users.clients[1:3]
    orders = [users.transfer(alice, bob, "1.00") for _ in range(EXCHANGES)]
    orders += [users.transfer(bob, alice, "1.00") for _ in range(EXCHANGES)]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = scalar(users.stack, deadlocks)
    answers = users.submit(orders[::2] + orders[1::2])
    assert {answer.status for answer in answers} == {ACCEPTED}
    wait_until_decided(users.stack, seconds=120)
    reckoning = reckon(users.stack, answers)
    assert (reckoning.completed, reckoning.lost, reckoning.doubled) == (2 * EXCHANGES, 0, 0)
    assert (users.balance(alice), users.balance(bob)) == ("10000.00", "10000.00")
    assert scalar(users.stack, deadlocks) == before


def test_racing_charges_stop_at_the_last_cent_that_is_there(users: StackUsers) -> None:
    client = users.clients[3]
    users.final(users.connection.submit(users.transfer(client, users.clients[4], "9000.00")))
    assert users.balance(client) == "1000.00"
    answers = users.submit([users.charge(client, "30.00") for _ in range(CHARGES)], threads=16)
    outcomes = [users.final(answer) for answer in answers]
    assert sum(payment["state"] == "COMPLETED" for payment in outcomes) == 33
    refusals = [payment["failure"]["code"] for payment in outcomes if payment["state"] == "FAILED"]
    assert refusals == ["insufficient_funds"] * 67
    assert users.balance(client) == "10.00"


def test_equal_posts_at_once_are_one_payment(users: StackUsers) -> None:
    order = users.transfer(users.clients[4], users.clients[5], "7.00")
    answers = users.submit([order] * EQUAL, threads=EQUAL)
    assert {answer.status for answer in answers} == {ACCEPTED}
    assert len({answer.payment_id for answer in answers}) == 1
    steady = [{**answer.body, **MOVING} for answer in answers]
    assert steady == [steady[0]] * EQUAL
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == EQUAL - 1
    assert users.final(answers[0])["state"] == "COMPLETED"
    reckoning = reckon(users.stack, answers)
    assert (reckoning.accepted, reckoning.completed, reckoning.doubled) == (1, 1, 0)


MOVING = dict.fromkeys(["state", "finalized_at", "balance_after", "attempts", "next_attempt_at"])
"""Members of a payment that posting changes: an answer shows the payment as it is now."""


def test_a_key_used_for_another_order_is_refused(users: StackUsers) -> None:
    order = users.transfer(users.clients[4], users.clients[5], "7.00")
    assert users.connection.submit(order).status == ACCEPTED
    other = Order(order.path, order.token, {**order.body, "amount": "8.00"}, order.key)
    answer = users.connection.submit(other)
    assert (answer.status, answer.body["code"]) == (422, "idempotency_key_reused")


def test_every_worker_says_that_it_lives(users: StackUsers) -> None:
    """Once each has ended a task that the clock gave it."""

    def is_well() -> bool:
        _, body, _ = users.connection.call("GET", "/status", users.clients[0].token)
        names = {worker["name"].partition("@")[0] for worker in body["workers"]}
        is_ok = (body["status"], body["database"], body["broker"]) == ("ok", "ok", "ok")
        return is_ok and names == {"posting", "rails", "upkeep", "webhooks"}

    eventually(is_well, seconds=90)
