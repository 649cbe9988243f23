"""The worker is killed while it calls the bank, and the bank misbehaves in every way: each payout happens once."""

import os
import signal
from collections.abc import Iterator
from typing import NamedTuple

import click
import pytest

from embedded import api
from embedded.bank import BEHAVIOURS, RETURN_SECONDS
from embedded.stack import Stack
from models.session import transaction
from tests.e2e.state_machine.audit import owner, scalar
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import is_running, kill_the_parent
from tests.faults.ops import flask
from tests.support import eventually
from workers.rails.payouts import ATTEMPTS_MAX

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PAYOUTS, KILLS = 150, 4
PAYOUTS_FULL, KILLS_FULL = 2_000, 20
ENDED_SECONDS_MAX = 600

UNDER_WAY = """
SELECT count(*) FROM instructions
WHERE answer IS NULL AND due_at BETWEEN now() + interval '18 seconds' AND now() + interval '20 seconds'
"""
"""Claimed within the last two seconds, and not answered yet."""

UNDECIDED = "SELECT count(*) FROM payments WHERE state IN ('INITIATED', 'AUTHORIZED') AND parked_at IS NULL"
HASTEN = """
WITH waiting AS (
    SELECT payment_id FROM instructions JOIN payments p ON p.id = payment_id
    WHERE p.amount = 666007 AND instructions.due_at > now() + interval '1 second'
    ORDER BY payment_id FOR NO KEY UPDATE OF instructions SKIP LOCKED
)
UPDATE instructions i SET due_at = now() FROM waiting WHERE i.payment_id = waiting.payment_id
"""
"""As if the waits before the next try were over: for what the bank never takes they add up to forty minutes."""

OUTCOMES = """
SELECT p.id::text, mod(p.amount, 100)::int, CASE WHEN p.parked_at IS NULL THEN p.state ELSE 'parked' END,
       (SELECT count(*) FROM payments r WHERE r.parent_id = p.id AND r.state = 'COMPLETED'), i.attempts
FROM payments p JOIN instructions i ON i.payment_id = p.id
"""

ENDS = dict.fromkeys(range(1, 10), "COMPLETED") | {2: "FAILED", 7: "parked"}
"""The outcome of each magic amount, by its cents."""

TOLD = dict.fromkeys(range(1, 10), 1) | {5: 3}
"""The submissions to the bank: again only if it did not know the payout. One never taken is sent until parked."""


class Payout(NamedTuple):
    """The outcome of a withdrawal here, and at the bank."""

    id: str
    cents: int
    state: str
    given_back: int
    attempts: int


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    return {"RAIL_TIMEOUT_SECONDS": "1", "BANK_HANG_SECONDS": "1.5"}


@pytest.fixture(scope="module")
def users(stack: Stack) -> Iterator[StackUsers]:
    """Clients rich enough for all payouts."""
    users = StackUsers(stack, clients=10, funds="2000000.00")
    yield users
    users.close()


def outcomes(stack: Stack) -> list[Payout]:
    with transaction(owner(stack)) as connection:
        return [Payout(*row) for row in connection.exec_driver_sql(OUTCOMES)]


def until_decided(stack: Stack) -> None:
    def is_decided() -> bool:
        with transaction(owner(stack)) as connection:
            connection.exec_driver_sql(HASTEN)
        return scalar(stack, UNDECIDED) == 0

    eventually(is_decided, ENDED_SECONDS_MAX, message="every payout is final or parked")


def catch(stack: Stack) -> int:
    """Stop the worker while it calls the bank; returns the number of payouts under way, 0 if it was not caught."""
    if scalar(stack, UNDER_WAY) == 0:
        return 0
    [process] = stack.doing("rails").values()
    pid = process.pid
    os.kill(pid, signal.SIGSTOP)
    if (count := scalar(stack, UNDER_WAY)) == 0:
        os.kill(pid, signal.SIGCONT)
    return count


def test_the_bank_acts_once_for_each(
    stack: Stack, users: StackUsers, reckoned: Reckon, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    count, kills = (PAYOUTS, KILLS) if times == 1 else (PAYOUTS_FULL, KILLS_FULL)
    orders = [users.withdrawal(users.clients[n % 10], f"6660.0{n % 9 + 1}") for n in range(count)]
    killed, left = [], []
    with users.submitting(orders, per_second=count / (5 * kills)) as submitted:
        for _ in range(kills):
            left.append(eventually(lambda: catch(stack), seconds=120, message="the bank is being told"))
            killed.append(kill_the_parent(stack, *stack.doing("rails")))
    answers = [answer.result() for answer in submitted]
    assert {answer.status for answer in answers} == {ACCEPTED}
    assert len(set(killed)) == kills
    assert not any(map(is_running, killed))
    until_decided(stack)

    api.call(f"{stack.bank_url}/admin/clock", body={"seconds": RETURN_SECONDS})
    returns = sum(1 for order in orders if order.body["amount"] == "6660.09")
    come_back = "SELECT count(*) FROM payments WHERE type = 'return' AND state = 'COMPLETED'"
    eventually(lambda: scalar(stack, come_back) == returns, seconds=120, message="what came back is given back")

    reckoned(answers)
    bank, payouts = api.call(f"{stack.bank_url}/admin/payouts"), outcomes(stack)
    assert {payout.id for payout in payouts} == {answer.payment_id for answer in answers} == bank.keys()
    with capsys.disabled():
        click.echo(f"{count} payouts, {kills} kills, {sum(left)} left during a call, {returns} came back")
    assert [payout for payout in payouts if payout.state != ENDS[payout.cents]] == []
    for payout in payouts:
        there = bank[payout.id]
        assert there["acted"] == (1 if payout.state == "COMPLETED" else 0), (payout, there)
        assert there["returned"] == payout.given_back == (1 if payout.cents == 9 else 0), (payout, there)
        if payout.state == "parked":
            assert payout.attempts == ATTEMPTS_MAX, payout
        else:
            assert there["submitted"] == TOLD[payout.cents], (payout, there)
    assert len(BEHAVIOURS) == len({payout.cents for payout in payouts})


def test_what_was_parked_is_paid_out_once_the_bank_takes_it(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    parked = [payout.id for payout in outcomes(stack) if payout.state == "parked"]
    assert parked
    for id in parked:
        api.call(f"{stack.bank_url}/admin/payouts/{id}/behaviour", body={"behaviour": "confirm"})
    flask(stack, "payments", "retry", "--parked", "--limit", "1000", "--reason", "the bank takes them now")
    until_decided(stack)
    assert {payout.state for payout in outcomes(stack) if payout.id in parked} == {"COMPLETED"}
    bank = api.call(f"{stack.bank_url}/admin/payouts")
    assert {bank[id]["acted"] for id in parked} == {1}


def test_without_anybody_who_tells_it_the_money_waits(stack: Stack, users: StackUsers) -> None:
    [process] = stack.doing("rails").values()
    process.kill()
    try:
        [answer] = users.submit_until_accepted([users.withdrawal(users.clients[0], "1.00")])
        held = "SELECT count(*) FROM payments WHERE state = 'AUTHORIZED' AND parked_at IS NULL"
        eventually(lambda: scalar(stack, held) == 1, message="the money is held")
    finally:
        process.start()
    until_decided(stack)
    assert {payout.state for payout in outcomes(stack) if payout.id == answer.payment_id} == {"COMPLETED"}
