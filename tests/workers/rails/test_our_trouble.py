"""Our own trouble with the database costs the bank no attempt: it was not called, or it has answered."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import make_url

from models import payout, payout_claim
from models.payout import Payout
from models.session import Contention, DatabaseUnavailable, transaction
from tests.lossy_postgres_proxy import SOCKET_NAME, Line, Loss
from tests.workers.books import Books
from tests.workers.rails.conftest import Withdrawals
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState
from workers.rails.payouts import ATTEMPTS_MAX, LEASE_SECONDS, PayoutSender

pytestmark = pytest.mark.shares_books

CONFIRMED, UNKNOWN = PayoutAnswer(PayoutState.CONFIRMED), PayoutAnswer(PayoutState.UNKNOWN)
LINES = "SELECT count(*) FROM payment_attempts WHERE payment_id = %s"


class Script:
    """A rail with preset answers that runs a step of the test during the call."""

    name, batch_max = "script", 10

    def __init__(self, answer: PayoutAnswer = CONFIRMED) -> None:
        self.answer = answer
        self.calls: list[str] = []
        self.during_call = lambda: None

    def submit(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("submit", payouts)

    def inquire(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("inquire", payouts)

    def updates(self, position: str) -> tuple[list[BankUpdate], str]:
        return [], position

    def _answer(self, call: str, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        self.calls += [call] * len(payouts)
        self.during_call()
        return {payout.payment_id: self.answer for payout in payouts}


@pytest.fixture
def rail() -> Script:
    return Script()


@pytest.fixture
def line(books: Books, tmp_path: Path) -> Iterator[Line]:
    """The connections of the withdrawals's sender."""
    line = Line(tmp_path, Path(make_url(books.database.worker).query["host"]) / SOCKET_NAME)
    yield line
    line.close()


@pytest.fixture
def withdrawals(books: Books, line: Line, rail: Script) -> Withdrawals:
    url = make_url(books.database.worker).update_query_dict({"host": str(line.directory)})
    return Withdrawals(books, PayoutSender(books.open(url.render_as_string(hide_password=False)), rail))


@pytest.mark.parametrize("loss", Loss)
def test_lost_commit_of_a_claim_costs_no_attempt(
    withdrawals: Withdrawals, line: Line, rail: Script, monkeypatch: pytest.MonkeyPatch, loss: Loss
) -> None:
    """However often it is lost: the payout is submitted once in the end, without an inquiry."""
    [id] = withdrawals.hold(1_00)
    claim = payout.claim

    def claim_and_lose(*args: object) -> list[Payout]:
        claimed = claim(*args)
        line.to_lose += [loss] if claimed else []
        return claimed

    with monkeypatch.context() as broken:
        broken.setattr(payout, "claim", claim_and_lose)
        for _ in range(ATTEMPTS_MAX + 1):
            with pytest.raises(DatabaseUnavailable):
                withdrawals.sender.drain()
    assert line.lost == [loss] * (ATTEMPTS_MAX + 1)
    assert rail.calls == []
    withdrawals.sender.drain()
    assert rail.calls == ["submit"]
    assert withdrawals.row(id, "attempts", "answer") == (1, "confirmed")
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"


@pytest.mark.parametrize("outcome", [CONFIRMED, UNKNOWN])
@pytest.mark.parametrize("loss", Loss)
def test_lost_commit_of_an_answer_is_asked_again(
    withdrawals: Withdrawals, line: Line, rail: Script, books: Books, loss: Loss, outcome: PayoutAnswer
) -> None:
    """It is kept at the next time, once, and the bank is not called for it again."""
    [id] = withdrawals.hold(1_00)
    rail.answer = outcome
    rail.during_call = lambda: line.to_lose.append(loss)
    with pytest.raises(DatabaseUnavailable):
        withdrawals.sender.drain()
    rail.during_call = lambda: None
    for _ in range(2):
        withdrawals.sender.drain()
    assert rail.calls == ["submit"]
    answer = "confirmed" if outcome is CONFIRMED else None
    assert withdrawals.row(id, "attempts", "answer") == (1, answer)
    with books.as_owner() as connection:
        assert connection.exec_driver_sql(LINES, (id,)).scalar_one() == (0 if outcome is CONFIRMED else 1)


def test_locked_payout_is_answered_later(withdrawals: Withdrawals, rail: Script, books: Books) -> None:
    [id] = withdrawals.hold(1_00)
    with transaction(books.worker) as holder:
        holder.exec_driver_sql("SELECT FROM payments WHERE id = %s FOR NO KEY UPDATE", (id,))
        with pytest.raises(Contention):
            withdrawals.sender.drain()
    withdrawals.sender.drain()
    assert rail.calls == ["submit"]
    assert withdrawals.row(id, "attempts", "answer") == (1, "confirmed")


def test_answer_stored_by_another_worker_is_stored_once(withdrawals: Withdrawals, rail: Script) -> None:
    """The lease ran out, and another worker asked: what it has kept stands."""
    [id] = withdrawals.hold(1_00)
    rail.answer = UNKNOWN
    withdrawals.sender.drain()
    before = withdrawals.row(id, "attempts", "due_at")
    withdrawals.sender._unsaved = [(claimed_long_ago(id), UNKNOWN)]
    withdrawals.sender.drain()
    assert withdrawals.row(id, "attempts", "due_at") == before


def claimed_long_ago(id: str) -> Payout:
    """The payout as a worker claimed it whose lease ended long ago."""
    return Payout(id, 100, 2, "EUR", "", None, "", None, "script", 1, None, lease="2001-01-01 00:00:00+00")


def test_claim_taken_by_another_worker_is_not_released(withdrawals: Withdrawals, books: Books) -> None:
    [id] = withdrawals.hold(1_00)

    def claim() -> list[Payout]:
        with transaction(books.worker) as connection:
            return payout.claim(connection, "script", 10, LEASE_SECONDS)

    first = claim()
    withdrawals.hasten()
    second = claim()
    attempts = []
    for claimed in (first, second):
        with transaction(books.worker) as connection:
            payout_claim.give_back(connection, claimed)
        attempts.append(withdrawals.row(id, "attempts", "submitted_at IS NULL", "rail"))
    assert attempts == [(2, False, "script"), (1, False, "script")], "the first worker may have submitted it"
