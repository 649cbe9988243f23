"""Questions of ops users to the bank: asked at once, shown beside what is known, and final answers recorded once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import inquiry, payment_action
from models.audit import SHELL, Actor
from models.inquiry import Inquiry
from models.rules.ops_actions import OpsAction, Refusal
from models.session import transaction
from tests.workers.rails.conftest import Withdrawals
from tests.workers.rails.scripted_rail import CONFIRMED, NOT_FOUND, PENDING, REJECTED, UNKNOWN, Script, WithdrawalsBy
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState

pytestmark = pytest.mark.shares_books

AT_ONCE = 20


@pytest.fixture
def rail() -> Script:
    return Script(submit=PENDING, inquire=PENDING)


@pytest.fixture
def withdrawals(withdrawals_by: WithdrawalsBy, rail: Script) -> Withdrawals:
    return withdrawals_by(rail)


def ask(withdrawals: Withdrawals, id: str, actor: Actor = SHELL) -> Refusal | None:
    books = withdrawals.books
    with transaction(books.worker if actor == SHELL else books.gateway) as connection:
        return payment_action.order(connection, OpsAction.ASK, id, actor, "the customer calls")


def asked(withdrawals: Withdrawals, id: str) -> list[Inquiry]:
    with transaction(withdrawals.books.worker) as connection:
        return inquiry.about(connection, id)


def sent(withdrawals: Withdrawals) -> str:
    """A withdrawal that the bank has, and about which it is asked again in a while."""
    [id] = withdrawals.hold(10_00)
    withdrawals.sender.drain()
    return id


def test_bank_is_asked_although_nothing_is_due(withdrawals: Withdrawals, rail: Script) -> None:
    id = sent(withdrawals)
    assert ask(withdrawals, id) is None
    withdrawals.sender.drain()
    assert rail.happened == ["submit", "inquire"]
    [said] = asked(withdrawals, id)
    assert (said.answer, said.known_answer, said.differences) == ("pending", "pending", [])
    withdrawals.sender.drain()
    assert rail.happened == ["submit", "inquire"], "a question is asked once"


@pytest.mark.parametrize(("answer", "state"), [(CONFIRMED, "COMPLETED"), (REJECTED, "rejected_by_bank")])
def test_final_answer_ends_the_payment(
    withdrawals: Withdrawals, rail: Script, answer: PayoutAnswer, state: str
) -> None:
    id = sent(withdrawals)
    rail.says["inquire"] = answer._replace(bank_reference="B 1")
    ask(withdrawals, id)
    assert withdrawals.sender.drain()[0] is True
    withdrawals.post()
    assert withdrawals.state(id) == state
    [said] = asked(withdrawals, id)
    assert (said.answer, said.bank_reference, said.known_answer) == (answer.state, "B 1", "pending")
    assert said.differences == ["answer", "bank_reference"]
    assert ask(withdrawals, id) is Refusal.FINAL


@pytest.mark.parametrize("answer", [NOT_FOUND, UNKNOWN, PayoutAnswer(PayoutState.UNREACHABLE, "closed")])
def test_other_answers_change_nothing_but_are_shown(
    withdrawals: Withdrawals, rail: Script, answer: PayoutAnswer
) -> None:
    id = sent(withdrawals)
    before = withdrawals.row(id, "submitted_at", "attempts", "due_at", "pending_at")
    rail.says["inquire"] = answer
    ask(withdrawals, id)
    withdrawals.sender.answer_inquiries()
    assert withdrawals.row(id, "submitted_at", "attempts", "due_at", "pending_at") == before
    assert [said.answer for said in asked(withdrawals, id)] == [answer.state.value]


def test_parked_payout_is_asked_about(withdrawals: Withdrawals, rail: Script) -> None:
    id = sent(withdrawals)
    rail.says["inquire"] = NOT_FOUND
    withdrawals.hasten()
    withdrawals.sender.drain()
    assert withdrawals.state(id) == "parked"
    rail.says["inquire"] = CONFIRMED
    ask(withdrawals, id)
    withdrawals.sender.drain()
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"


def test_payout_taken_back_meanwhile_is_not_asked_about(withdrawals: Withdrawals, rail: Script) -> None:
    id = sent(withdrawals)
    ask(withdrawals, id)
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET submitted_at = NULL WHERE payment_id = %s", (id,))
    withdrawals.sender.answer_inquiries()
    assert ([said.answer for said in asked(withdrawals, id)], rail.happened) == (["not_sent"], ["submit"])


def test_rail_that_raises_is_unknown(withdrawals: Withdrawals, rail: Script, complaints: list[dict]) -> None:
    id = sent(withdrawals)
    rail.says["inquire"] = RuntimeError("a bug")
    ask(withdrawals, id)
    withdrawals.sender.answer_inquiries()
    assert [said.answer for said in asked(withdrawals, id)] == ["unknown"]


def test_twenty_questions_at_once_and_the_banks_answer_are_one(withdrawals: Withdrawals, rail: Script) -> None:
    id, together = sent(withdrawals), threading.Barrier(AT_ONCE + 1)
    people = [Actor(withdrawals.books.user("ops")) for _ in range(AT_ONCE)]
    rail.says["inquire"] = CONFIRMED
    rail.pages.append([BankUpdate(id, REJECTED)])

    def race(actor: Actor) -> Refusal | None:
        together.wait()
        return ask(withdrawals, id, actor)

    def update() -> None:
        together.wait()
        withdrawals.sender.poll_updates()

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        answers = [pool.submit(race, person) for person in people]
        pool.submit(update).result()
        assert {answer.result() for answer in answers} <= {None, Refusal.ANSWERED}
    withdrawals.sender.drain()
    withdrawals.post()
    assert len(asked(withdrawals, id)) <= 1
    assert (withdrawals.state(id), withdrawals.books.held(withdrawals.wallet)) == ("rejected_by_bank", 0)
