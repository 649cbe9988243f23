"""Answers, updates and returns of the bank: each counts once, whatever a rail brings."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from models import payout
from models.bank_return import Return
from models.circuit_breaker import CircuitBreaker
from models.rules import retry
from models.session import transaction
from tests.workers.rails.conftest import Withdrawals
from tests.workers.rails.scripted_rail import (
    CONFIRMED,
    PENDING,
    REJECTED,
    UNKNOWN,
    Death,
    Script,
    WithdrawalsBy,
    die,
    returns,
)
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, RailUnavailable
from workers.rails.payouts import UNREACHABLE_SECONDS, PayoutSender


@pytest.fixture
def rail() -> Script:
    return Script()


def test_answer_repeated_is_ignored_and_contradiction_logged(
    withdrawals: Withdrawals, rail: Script, complaints: list[dict]
) -> None:
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    rail.pages += [[BankUpdate(id, CONFIRMED), BankUpdate(id, CONFIRMED)], [BankUpdate(id, REJECTED)]]
    assert withdrawals.sender.drain() == (False, False)
    [error] = [entry for entry in complaints if entry["log_level"] == "error"]
    assert (error["event"], error["earlier"], error["now"]) == ("the bank contradicts itself", "confirmed", "rejected")
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"


def test_update_of_an_unknown_payout_is_ignored(withdrawals: Withdrawals, rail: Script, complaints: list[dict]) -> None:
    transfer = withdrawals.books.order(
        "transfer", withdrawals.client, withdrawals.wallet, withdrawals.books.client()[1], 1_00
    )
    rail.pages += [
        [BankUpdate("somebody else's", CONFIRMED), BankUpdate(transfer, CONFIRMED), Return("r", transfer, 1_00)]
    ]
    assert withdrawals.sender.drain() == (False, False)
    assert {entry["event"] for entry in complaints if entry["log_level"] != "info"} == {
        "update of an unknown key",
        "the bank answered about an unknown payment",
    }
    withdrawals.post()
    assert withdrawals.state(transfer) == "COMPLETED"


def test_return_confirms_the_payout_and_is_booked_once(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(50_00)
    rail.says["submit"] = UNKNOWN
    rail.pages += [[Return("r-1", id, 50_00, "closed")], [Return("r-1", id, 50_00, "closed")]]
    withdrawals.sender.drain()
    assert withdrawals.row(id, "answer") == ("confirmed",)
    assert returns(withdrawals) == [("r-1", None)], "the withdrawal is ended first"
    withdrawals.post()
    withdrawals.sender.drain()
    withdrawals.post()
    [(bank_id, payment_id)] = returns(withdrawals)
    assert (bank_id, withdrawals.state(payment_id)) == ("r-1", "COMPLETED")
    assert withdrawals.books.balance(withdrawals.wallet) == 1_000_000_00
    assert withdrawals.sender.drain() == (False, False)


def test_payout_of_another_rail_is_left_to_it(
    withdrawals_by: WithdrawalsBy, withdrawals: Withdrawals, rail: Script
) -> None:
    rail.says["submit"] = UNKNOWN
    withdrawals.hold(1_00)
    withdrawals.sender.drain()
    withdrawals.hasten()
    other = Script()
    other.name = "other"
    assert PayoutSender(withdrawals.books.worker, other).drain() == (False, False)
    assert other.calls == []


def test_payout_of_a_rail_without_worker_is_parked(
    withdrawals_by: WithdrawalsBy, withdrawals: Withdrawals, rail: Script
) -> None:
    rail.says["submit"] = UNKNOWN
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now() - interval '61 minutes'")
    other = Script()
    other.name = "other"
    PayoutSender(withdrawals.books.worker, other).drain()
    assert (withdrawals.state(id), withdrawals.row(id, "rail"), other.calls) == ("parked", ("script",), [])
    withdrawals.retry(id)
    withdrawals.sender.drain()
    withdrawals.post()
    assert (withdrawals.state(id), rail.happened) == ("COMPLETED", ["submit", "inquire"])


def test_unknown_payout_of_an_unavailable_bank_is_parked(withdrawals: Withdrawals, rail: Script) -> None:
    rail.says |= {"submit": UNKNOWN, "inquire": PayoutAnswer(PayoutState.UNREACHABLE)}
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET submitted_at = now() - interval '8 days', due_at = now()")
    withdrawals.sender.drain()
    assert withdrawals.state(id) == "parked"


@pytest.mark.parametrize(
    ("said", "noted"), [(PayoutState.UNREACHABLE, 1), (PayoutState.PENDING, 1), (PayoutState.UNKNOWN, 5)]
)
def test_free_retries_are_logged_once(withdrawals: Withdrawals, rail: Script, said: PayoutState, noted: int) -> None:
    """A bank that is unreachable for a day is asked thousands of times."""
    rail.says |= {"submit": PayoutAnswer(said), "inquire": PayoutAnswer(said)}
    [id] = withdrawals.hold(1_00)
    for _ in range(5):
        withdrawals.hasten()
        withdrawals.sender._breaker = CircuitBreaker(UNREACHABLE_SECONDS)
        assert withdrawals.sender.send() == (1, 0)
    with withdrawals.books.as_owner() as connection:
        rows = connection.exec_driver_sql("SELECT actor, error FROM payment_attempts WHERE payment_id = %s", (id,))
        assert [tuple(row) for row in rows] == [("bank", said.value)] * noted


def test_answer_without_an_open_payout_is_ignored(
    withdrawals: Withdrawals, rail: Script, complaints: list[dict]
) -> None:
    id = withdrawals.books.order("withdrawal", withdrawals.client, withdrawals.wallet, withdrawals.wire, 1_00)
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    assert withdrawals.sender.drain() == (False, False)
    assert [entry["event"] for entry in complaints if entry["log_level"] == "error"] == ["the bank contradicts itself"]
    withdrawals.post()
    withdrawals.sender.drain()
    withdrawals.post()
    assert (withdrawals.state(id), rail.happened) == ("COMPLETED", ["submit"])


def test_return_is_booked_though_its_key_is_taken(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(50_00)
    rail.pages.append([Return("news-1", id, 50_00)])
    withdrawals.sender.drain()
    withdrawals.post()
    key = f"return script {hashlib.sha256(b'news-1').hexdigest()}"
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql(
            "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id) VALUES (%s, %s, %s, %s)",
            (withdrawals.client, key, b"0" * 32, id),
        )
    withdrawals.sender.drain()
    withdrawals.post()
    assert withdrawals.books.balance(withdrawals.wallet) == 1_000_000_00


def test_return_to_full_wallet_is_parked_until_it_fits(withdrawals: Withdrawals, rail: Script) -> None:
    [id] = withdrawals.hold(50_00)
    rail.pages.append([Return("r", id, 50_00)])
    withdrawals.sender.drain()
    withdrawals.post()
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = balance WHERE id = %s", (withdrawals.wallet,))
    withdrawals.sender.drain()
    [(_, payment_id)] = returns(withdrawals)
    for _ in range(retry.ATTEMPTS_MAX):
        withdrawals.post()
        withdrawals.books.make_due(payment_id)
    assert withdrawals.state(payment_id) == "parked"
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = NULL WHERE id = %s", (withdrawals.wallet,))
    withdrawals.retry(payment_id)
    withdrawals.post()
    assert (withdrawals.state(payment_id), withdrawals.books.balance(withdrawals.wallet)) == ("COMPLETED", 1_000_000_00)


def test_position_advances_with_the_updates_read(
    withdrawals: Withdrawals, rail: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    [id] = withdrawals.hold(1_00)
    rail.says["submit"] = PENDING
    withdrawals.sender.drain()
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    with monkeypatch.context() as broken:
        broken.setattr(payout, "move_position", lambda *_: (_ for _ in ()).throw(Death()))
        die(withdrawals)
    assert withdrawals.row(id, "answer") == (None,)
    withdrawals.sender.drain()
    assert withdrawals.row(id, "answer") == ("confirmed",)
    with transaction(withdrawals.books.worker) as connection:
        assert payout.position(connection, "script") == "1"


def test_two_senders_at_once_submit_each_payout_once(withdrawals: Withdrawals) -> None:
    ids = withdrawals.hold(*[1_00] * 30)
    rails, together = [Script(), Script()], Barrier(2)

    def drain(rail: Script) -> None:
        together.wait()
        PayoutSender(withdrawals.books.open(withdrawals.books.database.worker), rail).drain()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(drain, rails))
    submitted = [payout.payment_id for rail in rails for _, payout in rail.calls]
    assert sorted(submitted) == sorted(ids)


def test_drain_reports_that_its_time_ran_out(withdrawals: Withdrawals, rail: Script) -> None:
    withdrawals.hold(*[1_00] * 11)
    assert withdrawals.sender.drain(seconds=0) == (False, True)
    assert withdrawals.sender.drain() == (True, False)
    assert len(rail.calls) == 11


@pytest.mark.parametrize("trouble", [RailUnavailable("not now"), ValueError("no news that could be read")])
def test_updates_unavailable_do_not_stop_sending(
    withdrawals: Withdrawals, rail: Script, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def updates(_: str) -> None:
        raise trouble

    [back] = withdrawals.hold(2_00)
    rail.pages.append([Return("r", back, 2_00)])
    withdrawals.sender.drain()
    withdrawals.post()
    [id] = withdrawals.hold(1_00)
    monkeypatch.setattr(rail, "updates", updates)
    assert withdrawals.sender.drain() == (True, False)
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"
    assert withdrawals.books.balance(withdrawals.wallet) == 1_000_000_00 - 1_00, "what came back before is given back"
