"""Resolutions: executed once, by two people, in the bank's place, and only when the rail is done."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from models import payment_timeline, payment_view, resolution
from models.audit import SHELL, Actor
from models.resolution import Evidence, Resolution
from models.rules.ops_actions import Refusal
from models.session import transaction
from tests.workers.books import Books
from tests.workers.rails.conftest import Withdrawals
from tests.workers.rails.scripted_rail import CONFIRMED, NOT_FOUND, PENDING, REJECTED, Script, WithdrawalsBy
from workers.posting import resolutions
from workers.rails.base import BankUpdate

pytestmark = pytest.mark.shares_books

AT_ONCE = 20
PAID = Evidence("paid", "BANK 77", date(2026, 1, 31))
NOT_PAID = Evidence("not_paid")


@pytest.fixture
def rail() -> Script:
    return Script(submit=PENDING, inquire=NOT_FOUND)


@pytest.fixture
def withdrawals(withdrawals_by: WithdrawalsBy, rail: Script) -> Withdrawals:
    return withdrawals_by(rail)


@pytest.fixture
def parked(withdrawals: Withdrawals) -> str:
    """A withdrawal that the bank had and no longer knows."""
    [id] = withdrawals.hold(10_00)
    withdrawals.sender.drain()
    withdrawals.hasten()
    withdrawals.sender.drain()
    assert withdrawals.state(id) == "parked"
    return id


def people(books: Books, count: int = 2) -> list[Actor]:
    return [Actor(books.user("ops")) for _ in range(count)]


def propose(books: Books, id: str, evidence: Evidence, actor: Actor) -> Resolution | Refusal:
    with transaction(books.worker if actor == SHELL else books.gateway) as connection:
        return resolution.propose(connection, id, evidence, actor, "seen in the statement")


def decide(books: Books, proposed: Resolution, actor: Actor, *, approves: bool = True) -> bool:
    with transaction(books.worker if actor == SHELL else books.gateway) as connection:
        deed: Callable[..., resolution.Decided | None] = resolution.approve if approves else resolution.reject
        return deed(connection, proposed, actor, "agreed") is not None


def resolved(books: Books, id: str, evidence: Evidence, *actors: Actor) -> Resolution:
    """The resolution that two people agreed on, not yet executed."""
    proposer, approver = actors or people(books)
    proposed = propose(books, id, evidence, proposer)
    assert isinstance(proposed, Resolution)
    assert decide(books, proposed, approver)
    return proposed


def again(books: Books, proposed: Resolution) -> Resolution:
    with transaction(books.worker) as connection:
        found = resolution.by_id(connection, proposed.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("evidence", "state", "answer"), [(PAID, "COMPLETED", "confirmed"), (NOT_PAID, "rejected_by_bank", "rejected")]
)
@pytest.mark.parametrize("proposer", ["shell", "ops"])
def test_agreed_resolution_ends_the_payment(
    withdrawals: Withdrawals, parked: str, evidence: Evidence, state: str, answer: str, proposer: str
) -> None:
    books, [first, second] = withdrawals.books, people(withdrawals.books)
    actors = (SHELL, second) if proposer == "shell" else (first, SHELL)
    proposed = resolved(books, parked, evidence, *actors)
    withdrawals.post()
    assert (withdrawals.state(parked), books.held(withdrawals.wallet)) == (state, 0)
    assert withdrawals.row(parked, "answer", "bank_reference", "reason", "resolution_id::text") == (
        *(answer, evidence.bank_reference, "seen in the statement", proposed.id),
    )
    done = again(books, proposed)
    assert (done.state, done.refusal, done.is_contradicted) == ("done", None, False)
    with transaction(books.worker) as connection:
        lines = connection.exec_driver_sql(
            "SELECT action, actor FROM audit_log WHERE target = %s ORDER BY id", (proposed.id,)
        ).all()
        view = payment_view.by_id(connection, parked)
        assert view is not None
        steps = [(entry.step, entry.actor) for entry in payment_timeline.of_payment(connection, view)]
    assert [tuple(line) for line in lines] == [
        ("resolutions.propose", actors[0].name),
        ("resolutions.approve", actors[1].name),
        ("resolutions.execute", "worker"),
    ]
    assert ("resolve", "ops") in steps
    assert (answer, "ops") in steps


def test_rail_that_may_still_act_is_waited_for(withdrawals: Withdrawals, rail: Script) -> None:
    rail.says["submit"] = CONFIRMED
    [unsent] = withdrawals.hold(1_00)
    [ops] = people(withdrawals.books, 1)
    assert propose(withdrawals.books, unsent, PAID, ops) is Refusal.NOT_SENT
    rail.says["submit"] = PENDING
    withdrawals.sender.drain()
    assert propose(withdrawals.books, unsent, PAID, ops) is Refusal.IN_PROGRESS


def test_retry_meanwhile_refuses_the_execution(withdrawals: Withdrawals, parked: str) -> None:
    proposed = resolved(withdrawals.books, parked, NOT_PAID)
    withdrawals.retry(parked)
    withdrawals.post()
    done = again(withdrawals.books, proposed)
    assert (done.state, done.refusal) == ("refused", "payout_in_progress")
    assert withdrawals.state(parked) == "AUTHORIZED"
    assert withdrawals.row(parked, "answer", "resolution_id") == (None, None)


def test_answer_of_the_bank_meanwhile_stands(withdrawals: Withdrawals, rail: Script, parked: str) -> None:
    proposed = resolved(withdrawals.books, parked, NOT_PAID)
    rail.pages.append([BankUpdate(parked, CONFIRMED)])
    withdrawals.sender.drain()
    withdrawals.post()
    assert (withdrawals.state(parked), again(withdrawals.books, proposed).state) == ("COMPLETED", "refused")


@pytest.mark.own_books
def test_bank_that_says_otherwise_later_is_shown_and_logged(
    withdrawals: Withdrawals, rail: Script, parked: str, complaints: list[dict]
) -> None:
    proposed = resolved(withdrawals.books, parked, NOT_PAID)
    withdrawals.post()
    rail.pages += [[BankUpdate(parked, CONFIRMED)], [BankUpdate(parked, REJECTED)]]
    withdrawals.sender.drain()
    assert "the bank contradicts itself" in [one["event"] for one in complaints]
    done = again(withdrawals.books, proposed)
    assert (done.bank_answer, done.is_contradicted, done.state) == ("confirmed", True, "done")
    assert withdrawals.state(parked) == "rejected_by_bank"


@pytest.mark.own_books
def test_bank_that_says_the_same_later_does_not_contradict(withdrawals: Withdrawals, rail: Script, parked: str) -> None:
    proposed = resolved(withdrawals.books, parked, PAID)
    withdrawals.post()
    rail.pages.append([BankUpdate(parked, CONFIRMED)])
    withdrawals.sender.drain()
    done = again(withdrawals.books, proposed)
    assert (done.bank_answer, done.is_contradicted) == ("confirmed", False)


def test_person_who_is_no_operator_any_more_does_not_count(withdrawals: Withdrawals, parked: str) -> None:
    books = withdrawals.books
    first, second = people(books)
    proposed = resolved(books, parked, PAID, first, second)
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE users SET is_active = false WHERE id = %s", (first.name,))
    withdrawals.post()
    assert (again(books, proposed).refusal, withdrawals.state(parked)) == ("not_two_ops_users", "parked")
    resolved(books, parked, PAID)
    withdrawals.post()
    assert withdrawals.state(parked) == "COMPLETED"


def test_twenty_proposals_of_two_people_are_one(withdrawals: Withdrawals, parked: str) -> None:
    books, together = withdrawals.books, threading.Barrier(AT_ONCE)
    first, second = people(books)

    def race(number: int) -> str:
        together.wait()
        answer = propose(books, parked, PAID, (first, second)[number % 2])
        return answer.id if isinstance(answer, Resolution) else answer.value

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(race, range(AT_ONCE)))
    assert len(set(answers)) == 2
    assert answers.count(Refusal.PROPOSED) == AT_ONCE // 2


@pytest.mark.own_books
def test_twenty_decisions_and_the_bank_at_once_have_one_effect(
    withdrawals: Withdrawals, rail: Script, parked: str
) -> None:
    books, together = withdrawals.books, threading.Barrier(AT_ONCE + 2)
    deciders = people(books, AT_ONCE)
    proposed = propose(books, parked, NOT_PAID, SHELL)
    assert isinstance(proposed, Resolution)
    rail.pages.append([BankUpdate(parked, CONFIRMED)])

    def race(number: int) -> bool:
        together.wait()
        return decide(books, proposed, deciders[number], approves=number % 2 == 0)

    def run(work: Callable[[], object]) -> None:
        together.wait()
        work()

    with ThreadPoolExecutor(AT_ONCE + 2) as pool:
        decisions = [pool.submit(race, number) for number in range(AT_ONCE)]
        for done in [pool.submit(run, withdrawals.sender.poll_updates), pool.submit(run, withdrawals.post)]:
            done.result()
        assert [decision.result() for decision in decisions].count(True) == 1
    withdrawals.post()
    final = again(books, proposed)
    assert final.state in ("done", "refused", "rejected")
    expected = "rejected_by_bank" if final.state == "done" else "COMPLETED"
    assert (withdrawals.state(parked), books.held(withdrawals.wallet)) == (expected, 0)
    assert final.is_contradicted is (final.state == "done")


def test_killed_worker_loses_no_resolution(
    withdrawals: Withdrawals, parked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = resolved(withdrawals.books, parked, PAID)

    def die(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(resolution, "executed", die)
        with pytest.raises(MemoryError):
            resolutions.execute(withdrawals.books.worker)
    assert withdrawals.row(parked, "answer") == (None,)
    withdrawals.post()
    assert (again(withdrawals.books, proposed).state, withdrawals.state(parked)) == ("done", "COMPLETED")
