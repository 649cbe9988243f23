"""Sending payouts: nothing is sent twice or guessed, whichever process dies."""

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models.bank_return import Return
from tests.support import costing
from tests.workers.rails.conftest import Desk
from tests.workers.rails.scripted_rail import (
    CONFIRMED,
    NOT_FOUND,
    PENDING,
    UNKNOWN,
    Death,
    DeskAt,
    Script,
    die,
    returns,
)
from workers.rails import payouts
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState
from workers.rails.payouts import ATTEMPTS_MAX, LEASE_SECONDS


@pytest.fixture
def rail() -> Script:
    return Script()


@pytest.fixture
def desk(desk_at: DeskAt, rail: Script) -> Desk:
    return desk_at(rail)


def test_payout_is_submitted_as_ordered(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(12_34)
    assert desk.instructor.drain() == (True, False)
    [(call, told)] = rail.calls
    assert (call, told.payment_id, told.amount, told.digits, told.currency) == ("told", id, 12_34, 2, "EUR")
    assert (told.iban, told.bic, told.name, told.description) == (
        *("DE89370400440532013000", "COBADEFFXXX", "Ann Example", "Rent"),
    )
    assert (told.rail, told.attempts, told.submitted_at) == ("script", 1, None)
    desk.post()
    assert desk.state(id) == "COMPLETED"
    assert desk.row(id, "answer", "answered_at IS NOT NULL", "due_at", "rail") == ("confirmed", True, None, "script")


def test_payout_amount_is_without_commission(desk: Desk, rail: Script, postgres: Postgres) -> None:
    costing(postgres, make_url(desk.books.database.owner).database, "withdrawal", percent="10")
    desk.hold(10_00)
    desk.instructor.drain()
    assert rail.calls[0][1].amount == 9_00


def test_rejected_payout_fails_and_is_released(desk: Desk, rail: Script) -> None:
    rail.says["told"] = PayoutAnswer(PayoutState.REJECTED, "no\u0000such\naccount" + "x" * 600)
    [id] = desk.hold(10_00)
    desk.instructor.drain()
    desk.post()
    assert (desk.state(id), desk.books.held(desk.wallet)) == ("rejected_by_bank", 0)
    assert desk.row(id, "answer", "length(reason)", "left(reason, 14)") == ("rejected", 500, "nosuch account")


def test_references_of_the_bank_are_stored_normalized(desk: Desk, rail: Script) -> None:
    rail.says["told"] = PayoutAnswer(PayoutState.CONFIRMED, bank_reference=" B\u00a0\u2009e\u0301\u200b\n1 ")
    [id] = desk.hold(10_00)
    rail.pages += [[Return(number, id, 5_00, None)] for number in ("R 1", "\u00a0R\t 1\u200b")]
    desk.instructor.drain()
    assert desk.row(id, "bank_reference") == ("B \u00e9 1",)
    desk.instructor.drain()
    assert [bank_id for bank_id, _ in returns(desk)] == ["R 1"]


def test_payout_is_not_submitted_before_its_hold(desk: Desk, rail: Script) -> None:
    desk.books.order("withdrawal", desk.client, desk.wallet, desk.wire, 1_00)
    assert desk.instructor.drain() == (False, False)
    assert rail.calls == []


def test_payout_of_a_killed_sender_is_inquired_about(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(10_00)
    rail.says["told"] = Death()
    die(desk)
    assert desk.row(id, "attempts", "submitted_at IS NULL", "answer") == (1, False, None)
    desk.instructor.drain()
    assert rail.happened == ["told"], "nobody asks while it may be under way"
    desk.hasten()
    desk.instructor.drain()
    assert rail.happened == ["told", "asked"]
    desk.post()
    assert desk.state(id) == "COMPLETED"


def test_payout_unknown_to_the_bank_is_submitted_again(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(10_00)
    rail.says = {"told": Death(), "asked": NOT_FOUND}
    die(desk)
    desk.hasten()
    rail.says["told"] = CONFIRMED
    desk.instructor.drain()
    assert desk.row(id, "submitted_at", "rail") == (None, None)
    desk.instructor.drain()
    assert rail.happened == ["told", "asked", "told"]
    assert len({one.payment_id for _, one in rail.calls}) == 1, "under the same key"


def test_lease_has_the_documented_length(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(10_00)
    rail.says["told"] = Death()
    die(desk)
    [seconds] = desk.row(id, "extract(epoch FROM due_at - now())::float")
    assert LEASE_SECONDS - 10 < seconds <= LEASE_SECONDS


@pytest.mark.parametrize("outcome", [UNKNOWN, RuntimeError("a bug")])
def test_unknown_payout_is_inquired_again_and_finally_parked(
    desk: Desk, rail: Script, outcome: PayoutAnswer | Exception
) -> None:
    rail.says = {"told": outcome, "asked": outcome}
    [id] = desk.hold(10_00)
    for attempt in range(1, ATTEMPTS_MAX):
        desk.instructor.drain()
        wait = min(payouts.BACKOFF_MIN_SECONDS * 2.0 ** (attempt - 1), payouts.BACKOFF_MAX_SECONDS)
        [attempts, seconds] = desk.row(id, "attempts", "extract(epoch FROM due_at - now())::float")
        assert attempts == attempt
        assert wait / 2 - 10 < seconds <= wait
        desk.hasten()
    desk.instructor.drain()
    assert rail.happened == ["told"] + ["asked"] * (ATTEMPTS_MAX - 1)
    assert (desk.state(id), desk.books.held(desk.wallet)) == ("parked", 10_00)
    assert desk.row(id, "due_at", "submitted_at IS NULL") == (None, False)
    desk.retry(id)
    rail.says["asked"] = CONFIRMED
    desk.instructor.drain()
    desk.post()
    assert rail.happened[-1] == "asked", "never told again unless the bank says that it was not"
    assert desk.state(id) == "COMPLETED"


def test_payout_without_an_outcome_is_unknown(desk: Desk, rail: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = desk.hold(1_00, 2_00)
    monkeypatch.setattr(rail, "submit", lambda _: {first: CONFIRMED})
    desk.instructor.drain()
    assert desk.row(second, "answer", "last_error") == (None, "the rail gave no outcome")


def test_payout_that_kills_its_sender_is_parked(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(1_00)
    rail.says = {"told": Death(), "asked": Death()}
    for _ in range(ATTEMPTS_MAX):
        die(desk)
        desk.hasten()
    desk.instructor.drain()
    assert desk.state(id) == "parked"
    assert len(rail.calls) == ATTEMPTS_MAX


def test_pending_payout_is_inquired_less_often_for_a_week(desk: Desk, rail: Script) -> None:
    rail.says = {"told": PENDING, "asked": PENDING}
    [id] = desk.hold(1_00)
    desk.instructor.drain()
    for age, most in (("40 seconds", 20), ("3 hours", 3600)):
        with desk.books.as_owner() as connection:
            statement = f"UPDATE instructions SET submitted_at = now() - interval '{age}', due_at = now()"
            connection.exec_driver_sql(statement)
        desk.instructor.drain()
        [attempts, seconds] = desk.row(id, "attempts", "extract(epoch FROM due_at - now())::float")
        assert attempts == 0
        assert most / 2 - 10 < seconds <= most + 10
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET submitted_at = now() - interval '8 days', due_at = now()")
    desk.instructor.drain()
    assert desk.state(id) == "parked"
    assert desk.row(id, "last_error") == ("no answer within 7 days",)
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    desk.instructor.drain()
    desk.post()
    assert desk.state(id) == "COMPLETED", "a late answer is enough"
