"""A paused rail: nothing is sent over it nor asked, what its bank says is read, and afterwards it goes on."""

import pytest

from models import pause, payment_stuck
from models.audit import SHELL
from models.pause import Pause, Scope
from models.payment_stuck import StuckFilter
from models.session import transaction
from tests.workers.rails.conftest import Withdrawals
from tests.workers.rails.scripted_rail import CONFIRMED, PENDING, Script, WithdrawalsBy
from workers.rails.base import BankUpdate
from workers.rails.payouts import PayoutSender


@pytest.fixture
def rail() -> Script:
    return Script()


@pytest.fixture
def withdrawals(withdrawals_by: WithdrawalsBy, rail: Script) -> Withdrawals:
    return withdrawals_by(rail)


def paused(withdrawals: Withdrawals, rail: str) -> Pause:
    with transaction(withdrawals.books.worker) as connection:
        kept = pause.pause(connection, Scope(rail=rail), "the bank is confused", None, SHELL)
    assert kept is not None
    return kept[0]


def resume(withdrawals: Withdrawals, record: Pause) -> None:
    with transaction(withdrawals.books.worker) as connection:
        pause.resume(connection, record, "it is clear", SHELL)


def test_paused_rail_is_sent_nothing_and_its_updates_are_read(withdrawals: Withdrawals, rail: Script) -> None:
    rail.says["submit"] = PENDING
    [sent] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    record = paused(withdrawals, "script")
    [waiting] = withdrawals.hold(2_00)
    withdrawals.hasten()
    rail.pages.append([BankUpdate(sent, CONFIRMED)])
    assert withdrawals.sender.drain() == (True, False)
    withdrawals.post()
    assert rail.happened == ["submit"], "nothing is sent or asked"
    assert [withdrawals.state(id) for id in (sent, waiting)] == ["COMPLETED", "AUTHORIZED"]
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now() - interval '2 hours' WHERE answer IS NULL")
        assert payment_stuck.find(connection, StuckFilter(undecided=True), 10) == [], "it waits by design"
    rail.says["submit"] = CONFIRMED
    resume(withdrawals, record)
    withdrawals.sender.drain()
    withdrawals.post()
    assert withdrawals.state(waiting) == "COMPLETED"


def test_payout_of_a_paused_rail_is_not_taken_over_by_another(withdrawals: Withdrawals, rail: Script) -> None:
    """Otherwise it would be parked after an hour."""
    rail.says["submit"] = PENDING
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    record = paused(withdrawals, "script")
    with withdrawals.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now() - interval '2 hours'")
    other = Script()
    other.name = "other"
    PayoutSender(withdrawals.books.worker, other).drain()
    assert (withdrawals.state(id), other.calls) == ("AUTHORIZED", [])
    resume(withdrawals, record)
    PayoutSender(withdrawals.books.worker, other).drain()
    assert withdrawals.state(id) == "parked"


def test_rail_is_paused_by_its_own_name_alone(withdrawals: Withdrawals) -> None:
    paused(withdrawals, "other")
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.drain()
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"
