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
from tests.workers.rails.conftest import Desk
from tests.workers.rails.scripted_rail import (
    CONFIRMED,
    PENDING,
    REJECTED,
    UNKNOWN,
    Death,
    DeskAt,
    Script,
    die,
    returns,
)
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, RailAway
from workers.rails.payouts import AWAY_SECONDS, PayoutSender


@pytest.fixture
def rail() -> Script:
    return Script()


@pytest.fixture
def desk(desk_at: DeskAt, rail: Script) -> Desk:
    return desk_at(rail)


def test_answer_repeated_is_ignored_and_contradiction_logged(desk: Desk, rail: Script, complaints: list[dict]) -> None:
    [id] = desk.hold(1_00)
    desk.instructor.drain()
    rail.pages += [[BankUpdate(id, CONFIRMED), BankUpdate(id, CONFIRMED)], [BankUpdate(id, REJECTED)]]
    assert desk.instructor.drain() == (False, False)
    [told] = [entry for entry in complaints if entry["log_level"] == "error"]
    assert (told["event"], told["earlier"], told["now"]) == ("the bank contradicts itself", "confirmed", "rejected")
    desk.post()
    assert desk.state(id) == "COMPLETED"


def test_update_of_an_unknown_payout_is_ignored(desk: Desk, rail: Script, complaints: list[dict]) -> None:
    transfer = desk.books.order("transfer", desk.client, desk.wallet, desk.books.client()[1], 1_00)
    rail.pages += [
        [BankUpdate("somebody else's", CONFIRMED), BankUpdate(transfer, CONFIRMED), Return("r", transfer, 1_00)]
    ]
    assert desk.instructor.drain() == (False, False)
    assert {entry["event"] for entry in complaints if entry["log_level"] != "info"} == {
        "update of an unknown key",
        "the bank answered about an unknown payment",
    }
    desk.post()
    assert desk.state(transfer) == "COMPLETED"


def test_return_confirms_the_payout_and_is_booked_once(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(50_00)
    rail.says["told"] = UNKNOWN
    rail.pages += [[Return("r-1", id, 50_00, "closed")], [Return("r-1", id, 50_00, "closed")]]
    desk.instructor.drain()
    assert desk.row(id, "answer") == ("confirmed",)
    assert returns(desk) == [("r-1", None)], "the withdrawal is ended first"
    desk.post()
    desk.instructor.drain()
    desk.post()
    [(bank_id, payment_id)] = returns(desk)
    assert (bank_id, desk.state(payment_id)) == ("r-1", "COMPLETED")
    assert desk.books.balance(desk.wallet) == 1_000_000_00
    assert desk.instructor.drain() == (False, False)


def test_payout_of_another_rail_is_left_to_it(desk_at: DeskAt, desk: Desk, rail: Script) -> None:
    rail.says["told"] = UNKNOWN
    desk.hold(1_00)
    desk.instructor.drain()
    desk.hasten()
    other = Script()
    other.name = "other"
    assert PayoutSender(desk.books.worker, other).drain() == (False, False)
    assert other.calls == []


def test_payout_of_a_rail_without_worker_is_parked(desk_at: DeskAt, desk: Desk, rail: Script) -> None:
    rail.says["told"] = UNKNOWN
    [id] = desk.hold(1_00)
    desk.instructor.drain()
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now() - interval '61 minutes'")
    other = Script()
    other.name = "other"
    PayoutSender(desk.books.worker, other).drain()
    assert (desk.state(id), desk.row(id, "rail"), other.calls) == ("parked", ("script",), [])
    desk.retry(id)
    desk.instructor.drain()
    desk.post()
    assert (desk.state(id), rail.happened) == ("COMPLETED", ["told", "asked"])


def test_unknown_payout_of_an_unavailable_bank_is_parked(desk: Desk, rail: Script) -> None:
    rail.says |= {"told": UNKNOWN, "asked": PayoutAnswer(PayoutState.AWAY)}
    [id] = desk.hold(1_00)
    desk.instructor.drain()
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET submitted_at = now() - interval '8 days', due_at = now()")
    desk.instructor.drain()
    assert desk.state(id) == "parked"


@pytest.mark.parametrize(("said", "noted"), [(PayoutState.AWAY, 1), (PayoutState.PENDING, 1), (PayoutState.UNKNOWN, 5)])
def test_free_retries_are_logged_once(desk: Desk, rail: Script, said: PayoutState, noted: int) -> None:
    """A bank that is away for a day is asked thousands of times."""
    rail.says |= {"told": PayoutAnswer(said), "asked": PayoutAnswer(said)}
    [id] = desk.hold(1_00)
    for _ in range(5):
        desk.hasten()
        desk.instructor._breaker = CircuitBreaker(AWAY_SECONDS)
        assert desk.instructor.send() == (1, 0)
    with desk.books.as_owner() as connection:
        rows = connection.exec_driver_sql("SELECT actor, error FROM payment_attempts WHERE payment_id = %s", (id,))
        assert [tuple(row) for row in rows] == [("bank", said.value)] * noted


def test_answer_without_an_open_payout_is_ignored(desk: Desk, rail: Script, complaints: list[dict]) -> None:
    id = desk.books.order("withdrawal", desk.client, desk.wallet, desk.wire, 1_00)
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    assert desk.instructor.drain() == (False, False)
    assert [entry["event"] for entry in complaints if entry["log_level"] == "error"] == ["the bank contradicts itself"]
    desk.post()
    desk.instructor.drain()
    desk.post()
    assert (desk.state(id), rail.happened) == ("COMPLETED", ["told"])


def test_return_is_booked_though_its_key_is_taken(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(50_00)
    rail.pages.append([Return("news-1", id, 50_00)])
    desk.instructor.drain()
    desk.post()
    key = f"return script {hashlib.sha256(b'news-1').hexdigest()}"
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql(
            "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id) VALUES (%s, %s, %s, %s)",
            (desk.client, key, b"0" * 32, id),
        )
    desk.instructor.drain()
    desk.post()
    assert desk.books.balance(desk.wallet) == 1_000_000_00


def test_return_to_full_wallet_is_parked_until_it_fits(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(50_00)
    rail.pages.append([Return("r", id, 50_00)])
    desk.instructor.drain()
    desk.post()
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = balance WHERE id = %s", (desk.wallet,))
    desk.instructor.drain()
    [(_, payment_id)] = returns(desk)
    for _ in range(retry.ATTEMPTS_MAX):
        desk.post()
        desk.books.make_due(payment_id)
    assert desk.state(payment_id) == "parked"
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = NULL WHERE id = %s", (desk.wallet,))
    desk.retry(payment_id)
    desk.post()
    assert (desk.state(payment_id), desk.books.balance(desk.wallet)) == ("COMPLETED", 1_000_000_00)


def test_position_advances_with_the_updates_read(desk: Desk, rail: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    [id] = desk.hold(1_00)
    rail.says["told"] = PENDING
    desk.instructor.drain()
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    with monkeypatch.context() as broken:
        broken.setattr(payout, "move_position", lambda *_: (_ for _ in ()).throw(Death()))
        die(desk)
    assert desk.row(id, "answer") == (None,)
    desk.instructor.drain()
    assert desk.row(id, "answer") == ("confirmed",)
    with transaction(desk.books.worker) as connection:
        assert payout.position(connection, "script") == "1"


def test_two_senders_at_once_submit_each_payout_once(desk: Desk) -> None:
    ids = desk.hold(*[1_00] * 30)
    rails, together = [Script(), Script()], Barrier(2)

    def drain(rail: Script) -> None:
        together.wait()
        PayoutSender(desk.books.open(desk.books.database.worker), rail).drain()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(drain, rails))
    told = [one.payment_id for rail in rails for _, one in rail.calls]
    assert sorted(told) == sorted(ids)


def test_drain_reports_that_its_time_ran_out(desk: Desk, rail: Script) -> None:
    desk.hold(*[1_00] * 11)
    assert desk.instructor.drain(seconds=0) == (False, True)
    assert desk.instructor.drain() == (True, False)
    assert len(rail.calls) == 11


@pytest.mark.parametrize("trouble", [RailAway("not now"), ValueError("no news that could be read")])
def test_updates_unavailable_do_not_stop_sending(
    desk: Desk, rail: Script, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def news(_: str) -> None:
        raise trouble

    [back] = desk.hold(2_00)
    rail.pages.append([Return("r", back, 2_00)])
    desk.instructor.drain()
    desk.post()
    [id] = desk.hold(1_00)
    monkeypatch.setattr(rail, "news", news)
    assert desk.instructor.drain() == (True, False)
    desk.post()
    assert desk.state(id) == "COMPLETED"
    assert desk.books.balance(desk.wallet) == 1_000_000_00 - 1_00, "what came back before is given back"
