"""Sending payouts: nothing is sent twice or guessed, whichever process dies."""

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models.bank_return import Return
from tests.support import costing
from tests.workers.rails.conftest import Withdrawals
from tests.workers.rails.scripted_rail import (
    CONFIRMED,
    NOT_FOUND,
    PENDING,
    UNKNOWN,
    Death,
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


def test_payout_is_submitted_as_ordered(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(12_34)
    assert withdrawals.sender.drain() == (True, False)
    [(call, payout)] = rail.calls
    assert (call, payout.payment_id, payout.amount, payout.digits, payout.currency) == ("submit", id, 12_34, 2, "EUR")
    assert (payout.iban, payout.bic, payout.name, payout.description) == (
        *("DE89370400440532013000", "COBADEFFXXX", "Ann Example", "Rent"),
    )
    assert (payout.rail, payout.attempts, payout.submitted_at) == ("script", 1, None)
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"
    assert withdrawals.row(id, "answer", "answered_at IS NOT NULL", "due_at", "rail") == (
        "confirmed",
        True,
        None,
        "script",
    )


def test_payout_amount_is_without_commission(withdrawals: Withdrawals, rail: Script, postgres: Postgres) -> None:
    costing(postgres, make_url(withdrawals.books.database.owner).database, "withdrawal", percent="10")
    withdrawals.hold(10_00)
    withdrawals.sender.drain()
    assert rail.calls[0][1].amount == 9_00


def test_rejected_payout_fails_and_is_released(withdrawals: Withdrawals, rail: Script) -> None:
    rail.says["submit"] = PayoutAnswer(PayoutState.REJECTED, "no\u0000such\naccount" + "x" * 600)
    [id] = withdrawals.hold(10_00)
    withdrawals.sender.drain()
    withdrawals.post()
    assert (withdrawals.state(id), withdrawals.books.held(withdrawals.wallet)) == ("rejected_by_bank", 0)
    assert withdrawals.row(id, "answer", "length(reason)", "left(reason, 14)") == ("rejected", 500, "nosuch account")


def test_references_of_the_bank_are_stored_normalized(withdrawals: Withdrawals, rail: Script) -> None:
    rail.says["submit"] = PayoutAnswer(PayoutState.CONFIRMED, bank_reference=" B\u00a0\u2009e\u0301\u200b\n1 ")
    [id] = withdrawals.hold(10_00)
    rail.pages += [[Return(number, id, 5_00, None)] for number in ("R 1", "\u00a0R\t 1\u200b")]
    withdrawals.sender.drain()
    assert withdrawals.row(id, "bank_reference") == ("B \u00e9 1",)
    withdrawals.sender.drain()
    assert [bank_id for bank_id, _ in returns(withdrawals)] == ["R 1"]


def test_payout_is_not_submitted_before_its_hold(withdrawals: Withdrawals, rail: Script) -> None:
    withdrawals.books.order("withdrawal", withdrawals.client, withdrawals.wallet, withdrawals.wire, 1_00)
    assert withdrawals.sender.drain() == (False, False)
    assert rail.calls == []


def test_payout_of_a_killed_sender_is_inquired_about(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(10_00)
    rail.says["submit"] = Death()
    die(withdrawals)
    assert withdrawals.row(id, "attempts", "submitted_at IS NULL", "answer") == (1, False, None)
    withdrawals.sender.drain()
    assert rail.happened == ["submit"], "nobody asks while it may be under way"
    withdrawals.hasten()
    withdrawals.sender.drain()
    assert rail.happened == ["submit", "inquire"]
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"


def test_payout_unknown_to_the_bank_is_submitted_again(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(10_00)
    rail.says = {"submit": Death(), "inquire": NOT_FOUND}
    die(withdrawals)
    withdrawals.hasten()
    rail.says["submit"] = CONFIRMED
    withdrawals.sender.drain()
    assert withdrawals.row(id, "submitted_at", "rail") == (None, None)
    withdrawals.sender.drain()
    assert rail.happened == ["submit", "inquire", "submit"]
    assert len({payout.payment_id for _, payout in rail.calls}) == 1, "under the same key"


def test_lease_has_the_documented_length(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(10_00)
    rail.says["submit"] = Death()
    die(withdrawals)
    [seconds] = withdrawals.row(id, "extract(epoch FROM due_at - now())::float")
    assert LEASE_SECONDS - 10 < seconds <= LEASE_SECONDS


@pytest.mark.parametrize("outcome", [UNKNOWN, RuntimeError("a bug")])
def test_unknown_payout_is_inquired_again_and_finally_parked(
    withdrawals: Withdrawals, rail: Script, outcome: PayoutAnswer | Exception
) -> None:
    rail.says = {"submit": outcome, "inquire": outcome}
    [id] = withdrawals.hold(10_00)
    for attempt in range(1, ATTEMPTS_MAX):
        withdrawals.sender.drain()
        wait = min(payouts.BACKOFF_MIN_SECONDS * 2.0 ** (attempt - 1), payouts.BACKOFF_MAX_SECONDS)
        [attempts, seconds] = withdrawals.row(id, "attempts", "extract(epoch FROM due_at - now())::float")
        assert attempts == attempt
        assert wait / 2 - 10 < seconds <= wait
        withdrawals.hasten()
    withdrawals.sender.drain()
    assert rail.happened == ["submit"] + ["inquire"] * (ATTEMPTS_MAX - 1)
    assert (withdrawals.state(id), withdrawals.books.held(withdrawals.wallet)) == ("parked", 10_00)
    assert withdrawals.row(id, "due_at", "submitted_at IS NULL") == (None, False)
    withdrawals.retry(id)
    rail.says["inquire"] = CONFIRMED
    withdrawals.sender.drain()
    withdrawals.post()
    assert rail.happened[-1] == "inquire", "never submitted again unless the bank does not know it"
    assert withdrawals.state(id) == "COMPLETED"


def test_payout_without_an_outcome_is_unknown(
    withdrawals: Withdrawals, rail: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = withdrawals.hold(1_00, 2_00)
    monkeypatch.setattr(rail, "submit", lambda _: {first: CONFIRMED})
    withdrawals.sender.drain()
    assert withdrawals.row(second, "answer", "last_error") == (None, "the rail gave no answer")


def test_payout_that_kills_its_sender_is_parked(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(1_00)
    rail.says = {"submit": Death(), "inquire": Death()}
    for _ in range(ATTEMPTS_MAX):
        die(withdrawals)
        withdrawals.hasten()
    withdrawals.sender.drain()
    assert withdrawals.state(id) == "parked"
    assert len(rail.calls) == ATTEMPTS_MAX


def test_pending_payout_is_inquired_less_often_for_a_week(withdrawals: Withdrawals, rail: Script) -> None:
    rail.says = {"submit": PENDING, "inquire": PENDING}
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    for age, most in (("40 seconds", 20), ("3 hours", 3600)):
        with withdrawals.books.as_owner() as connection:
            statement = f"UPDATE instructions SET submitted_at = now() - interval '{age}', due_at = now()"
            connection.exec_driver_sql(statement)
        withdrawals.sender.drain()
        [attempts, seconds] = withdrawals.row(id, "attempts", "extract(epoch FROM due_at - now())::float")
        assert attempts == 0
        assert most / 2 - 10 < seconds <= most + 10
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET submitted_at = now() - interval '8 days', due_at = now()")
    withdrawals.sender.drain()
    assert withdrawals.state(id) == "parked"
    assert withdrawals.row(id, "last_error") == ("no answer within 7 days",)
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    withdrawals.sender.drain()
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED", "a late answer is enough"
