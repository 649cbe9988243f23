"""Every way in which the bank misbehaves, over HTTP: it acts once, and the payment ends as the bank has it."""

from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from embedded.bank import DELAY_SECONDS, RETURN_SECONDS, Bank
from models.bank_return import Return
from models.circuit_breaker import CircuitBreaker
from tests.workers.rails.conftest import HANG_SECONDS, TIMEOUT_SECONDS, Withdrawals
from workers.rails.base import PayoutState, RailUnavailable
from workers.rails.payouts import ATTEMPTS_MAX, UNREACHABLE_SECONDS
from workers.rails.simulator import SimulatorRail

pytestmark = pytest.mark.shares_books

CONFIRM, REJECT, DELAY, LATE, NEVER, BROKEN, DEAD, TWICE, BACK = range(6660_01, 6660_10)


def until_ended(withdrawals: Withdrawals, id: str, turns: int = 2 * ATTEMPTS_MAX) -> str:
    """Ask again and again, without the waits between."""
    for _ in range(turns):
        withdrawals.sender.drain()
        withdrawals.post()
        if withdrawals.state(id) != "AUTHORIZED":
            break
        withdrawals.hasten()
    return withdrawals.state(id)


def counted(bank: Bank, id: str) -> tuple[int, int]:
    """The number of submissions that the bank received, and of those that it executed."""
    counts = bank.counts()[0][id]
    return counts["submitted"], counts["acted"]


@pytest.mark.parametrize(
    ("amount", "outcome", "submitted", "executed"),
    [
        (1_00, "COMPLETED", 1, 1),
        (CONFIRM, "COMPLETED", 1, 1),
        (REJECT, "rejected_by_bank", 1, 0),
        (LATE, "COMPLETED", 1, 1),
        (NEVER, "COMPLETED", 3, 1),
        (BROKEN, "COMPLETED", 1, 1),
        (DEAD, "parked", ATTEMPTS_MAX // 2, 0),
        (TWICE, "COMPLETED", 1, 1),
        (BACK, "COMPLETED", 1, 1),
    ],
)
def test_each_simulated_behaviour_has_its_outcome(
    withdrawals: Withdrawals, bank: Bank, amount: int, outcome: str, submitted: int, executed: int
) -> None:
    before = withdrawals.books.balance(withdrawals.wallet)
    [id] = withdrawals.hold(amount)
    assert until_ended(withdrawals, id) == outcome
    assert counted(bank, id) == (submitted, executed)
    assert before - withdrawals.books.balance(withdrawals.wallet) == (amount if executed else 0)
    assert withdrawals.books.held(withdrawals.wallet) == (amount if outcome == "parked" else 0)
    withdrawals.sender.drain()
    withdrawals.post()
    assert (withdrawals.state(id), counted(bank, id)) == (outcome, (submitted, executed)), "nothing more comes of it"


@pytest.mark.own_books
def test_delayed_payout_is_answered_by_an_update(withdrawals: Withdrawals, bank: Bank) -> None:
    [id] = withdrawals.hold(DELAY)
    withdrawals.sender.drain()
    withdrawals.hasten()
    withdrawals.sender.drain()
    assert withdrawals.row(id, "attempts", "last_error", "due_at > now()") == (0, "pending", True)
    assert withdrawals.state(id) == "AUTHORIZED"
    bank.put_forward(DELAY_SECONDS)
    assert withdrawals.sender.drain() == (True, False)
    withdrawals.post()
    assert withdrawals.state(id) == "COMPLETED"
    assert counted(bank, id) == (1, 1)


@pytest.mark.own_books
def test_return_days_later_is_a_separate_payment(withdrawals: Withdrawals, bank: Bank) -> None:
    [id] = withdrawals.hold(BACK)
    balance = withdrawals.books.balance(withdrawals.wallet)
    until_ended(withdrawals, id)
    assert withdrawals.sender.drain() == (False, False)
    bank.put_forward(RETURN_SECONDS)
    assert withdrawals.sender.drain() == (True, False)
    withdrawals.post()
    assert (withdrawals.state(id), withdrawals.books.balance(withdrawals.wallet)) == ("COMPLETED", balance)
    [(type, state, parent)] = given_back(withdrawals)
    assert (type, state, parent) == ("return", "COMPLETED", id)


def given_back(withdrawals: Withdrawals) -> list[tuple[str, str, str]]:
    with withdrawals.books.as_owner() as connection:
        rows = connection.exec_driver_sql("SELECT type, state, parent_id::text FROM payments WHERE type = 'return'")
        return [tuple(row) for row in rows]


@pytest.mark.own_books
def test_partial_returns_are_booked_up_to_the_payout(withdrawals: Withdrawals, bank: Bank) -> None:
    [id] = withdrawals.hold(100_00)
    until_ended(withdrawals, id)
    for amount in ("30.00", "70.00", "0.01"):
        bank.send_back(id, amount, "account closed")
    withdrawals.sender.drain()
    withdrawals.post()
    assert sorted(state for _, state, _ in given_back(withdrawals)) == ["COMPLETED", "COMPLETED", "FAILED"]
    assert withdrawals.books.balance(withdrawals.wallet) == 1_000_000_00


@pytest.mark.own_books
def test_parked_payout_resumes_by_retry_or_late_answer(withdrawals: Withdrawals, bank: Bank) -> None:
    revived, late = withdrawals.hold(DEAD, DEAD)
    assert [until_ended(withdrawals, id) for id in (revived, late)] == ["parked", "parked"]
    assert withdrawals.row(revived, "due_at", "submitted_at IS NULL") == (None, True)
    for id in (revived, late):
        bank.steer(id, "confirm")
    withdrawals.retry(revived)
    assert until_ended(withdrawals, revived) == "COMPLETED"
    order = {"amount": "6660.07", "iban": "DE89370400440532013000", "name": "Ann"}
    bank.steer(late, "answer twice")
    assert bank.submit(late, order)[1] == 200, "what was under way for hours arrives there after all"
    assert until_ended(withdrawals, late) == "COMPLETED"
    assert counted(bank, late)[1] == 1


def test_unavailable_bank_costs_no_attempt(withdrawals: Withdrawals, bank_url: str, complaints: list[dict]) -> None:
    [id] = withdrawals.hold(1_00)
    withdrawals.sender.rail = SimulatorRail("http://127.0.0.1:1", TIMEOUT_SECONDS)
    assert withdrawals.sender.drain() == (False, False)
    assert withdrawals.row(id, "attempts", "submitted_at", "due_at > now()") == (0, None, True)
    warnings = [entry["event"] for entry in complaints if entry["log_level"] == "warning"]
    assert warnings == ["the bank cannot be reached"], "and is not asked for updates either"
    withdrawals.hasten()
    assert withdrawals.sender.send() == (0, 0), "it is left alone for a while"
    withdrawals.sender._breaker = CircuitBreaker(UNREACHABLE_SECONDS)
    withdrawals.sender.rail = SimulatorRail(bank_url, TIMEOUT_SECONDS)
    assert until_ended(withdrawals, id) == "COMPLETED"


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        ((200, {"status": "confirmed"}), PayoutState.CONFIRMED),
        ((200, {"status": "done"}), PayoutState.UNKNOWN),
        ((200, ["confirmed"]), PayoutState.UNKNOWN),
        ((200, "<html>"), PayoutState.UNKNOWN),
        ((302, {"status": "confirmed"}), PayoutState.UNKNOWN),
        ((404, {"code": "payout_unknown"}), PayoutState.NOT_FOUND),
        ((404, {"code": "no_such_route"}), PayoutState.UNKNOWN),
        ((404, "not here"), PayoutState.UNKNOWN),
        ((409, {"code": "key_reused"}), PayoutState.UNKNOWN),
        ((422, {"code": "payout_refused", "reason": "no"}), PayoutState.REJECTED),
        ((422, {"code": "other"}), PayoutState.UNKNOWN),
        ((500, {"status": "confirmed"}), PayoutState.UNKNOWN),
        ((503, {"code": "payout_unknown"}), PayoutState.UNKNOWN),
    ],
)
def test_only_answers_of_the_bank_are_trusted(
    withdrawals: Withdrawals, rail: SimulatorRail, answer: tuple, known: PayoutState
) -> None:
    status, body = answer
    content = {"text": body} if isinstance(body, str) else {"json": body}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, **content))
    rail._client = httpx.Client(base_url="http://bank", transport=transport)
    assert rail._call("GET", "/payouts/x").state is known


def test_failing_updates_raise_rail_unavailable(rail: SimulatorRail) -> None:
    assert rail.updates("") == ([], "0")
    rail._client = httpx.Client(base_url="http://bank", transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    with pytest.raises(RailUnavailable, match="500"):
        rail.updates("")


@pytest.fixture
def trickle() -> Iterator[str]:
    """A bank whose answers never end: each part of them comes in time."""
    is_over = Event()

    class Trickle(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not is_over.wait(TIMEOUT_SECONDS / 4):
                self.wfile.write(b" ")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    is_over.set()
    server.shutdown()
    server.server_close()


def test_slow_answer_is_bounded_by_the_timeout(withdrawals: Withdrawals, rail: SimulatorRail, trickle: str) -> None:
    [id] = withdrawals.hold(LATE)
    withdrawals.sender.drain()
    withdrawals.hasten()
    with closing(SimulatorRail(trickle, TIMEOUT_SECONDS)) as slow:
        withdrawals.sender.rail = slow
        assert withdrawals.sender.drain() == (False, False)
    assert withdrawals.row(id, "attempts", "answer") == (2, None)
    withdrawals.sender.rail = rail
    assert until_ended(withdrawals, id) == "COMPLETED"


def test_amounts_return_with_their_digits(bank: Bank, rail: SimulatorRail, tmp_path: Path) -> None:
    for key, amount in (("k", "7.125"), ("y", "7"), ("e", "7.10")):
        bank.submit(key, {"amount": amount, "iban": "x", "name": "y"})
        bank.send_back(key, None, "closed")
    items, position = rail.updates("0")
    assert [item.amount for item in items if isinstance(item, Return)] == [7125, 7, 710]
    assert rail.updates(position) == ([], position)


def test_simulated_hang_is_longer_than_the_timeout() -> None:
    assert HANG_SECONDS > TIMEOUT_SECONDS
