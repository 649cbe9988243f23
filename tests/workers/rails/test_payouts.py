"""Telling the bank: whoever dies amid it, and whatever a rail brings, nothing is told twice or guessed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models import payout
from models.bank_return import Return
from models.circuit_breaker import CircuitBreaker
from models.payout import Payout
from models.rules import retry
from models.session import transaction
from tests.support import costing
from tests.workers.rails.conftest import Desk
from workers.rails import payouts
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, RailAway
from workers.rails.payouts import ATTEMPTS_MAX, AWAY_SECONDS, LEASE_SECONDS, PayoutSender

CONFIRMED, REJECTED = PayoutAnswer(PayoutState.CONFIRMED), PayoutAnswer(PayoutState.REJECTED, "no such account")
PENDING, UNKNOWN, NOT_FOUND = (
    PayoutAnswer(PayoutState.PENDING),
    PayoutAnswer(PayoutState.UNKNOWN),
    PayoutAnswer(PayoutState.NOT_FOUND),
)

DeskAt = Callable[[object], Desk]


class Death(BaseException):
    """Ends the worker where it stands."""


class Script:
    """A rail whose outcomes are set beforehand, and which remembers what it was told and asked."""

    name = "script"
    batch_max = 10

    def __init__(
        self, told: PayoutAnswer | BaseException = CONFIRMED, asked: PayoutAnswer | BaseException = CONFIRMED
    ) -> None:
        self.says = {"told": told, "asked": asked}
        self.calls: list[tuple[str, Payout]] = []
        self.pages: list[list[BankUpdate | Return]] = []

    def submit(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("told", instructions)

    def inquire(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("asked", instructions)

    def news(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        number = int(position or 0)
        return (self.pages[number], str(number + 1)) if number < len(self.pages) else ([], position)

    def _answer(self, call: str, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        self.calls += [(call, one) for one in instructions]
        said = self.says[call]
        if isinstance(said, BaseException):
            raise said
        return {one.payment_id: said for one in instructions}

    @property
    def happened(self) -> list[str]:
        return [call for call, _ in self.calls]


@pytest.fixture
def rail() -> Script:
    return Script()


@pytest.fixture
def desk(desk_at: DeskAt, rail: Script) -> Desk:
    return desk_at(rail)


def die(desk: Desk) -> None:
    with pytest.raises(Death):
        desk.instructor.drain()


def test_the_bank_is_told_what_was_ordered(desk: Desk, rail: Script) -> None:
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


def test_the_bank_is_told_what_is_to_arrive(desk: Desk, rail: Script, postgres: Postgres) -> None:
    costing(postgres, make_url(desk.books.database.owner).database, "withdrawal", percent="10")
    desk.hold(10_00)
    desk.instructor.drain()
    assert rail.calls[0][1].amount == 9_00


def test_what_the_bank_rejects_fails_and_is_released(desk: Desk, rail: Script) -> None:
    rail.says["told"] = PayoutAnswer(PayoutState.REJECTED, "no\u0000such\naccount" + "x" * 600)
    [id] = desk.hold(10_00)
    desk.instructor.drain()
    desk.post()
    assert (desk.state(id), desk.books.held(desk.wallet)) == ("rejected_by_bank", 0)
    assert desk.row(id, "answer", "length(reason)", "left(reason, 14)") == ("rejected", 500, "nosuch account")


def test_the_bank_s_numbers_are_kept_in_one_spelling(desk: Desk, rail: Script) -> None:
    rail.says["told"] = PayoutAnswer(PayoutState.CONFIRMED, bank_reference=" B\u00a0\u2009e\u0301\u200b\n1 ")
    [id] = desk.hold(10_00)
    rail.pages += [[Return(number, id, 5_00, None)] for number in ("R 1", "\u00a0R\t 1\u200b")]
    desk.instructor.drain()
    assert desk.row(id, "bank_reference") == ("B \u00e9 1",)
    desk.instructor.drain()
    assert [bank_id for bank_id, _ in returns(desk)] == ["R 1"]


def test_nothing_is_told_before_the_money_is_held(desk: Desk, rail: Script) -> None:
    desk.books.order("withdrawal", desk.client, desk.wallet, desk.wire, 1_00)
    assert desk.instructor.drain() == (False, False)
    assert rail.calls == []


def test_who_dies_amid_telling_leaves_it_to_be_asked_about(desk: Desk, rail: Script) -> None:
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


def test_what_the_bank_does_not_know_is_told_again(desk: Desk, rail: Script) -> None:
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


def test_the_lease_is_as_long_as_said(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(10_00)
    rail.says["told"] = Death()
    die(desk)
    [seconds] = desk.row(id, "extract(epoch FROM due_at - now())::float")
    assert LEASE_SECONDS - 10 < seconds <= LEASE_SECONDS


@pytest.mark.parametrize("outcome", [UNKNOWN, RuntimeError("a bug")])
def test_what_is_unknown_is_asked_again_later_and_in_the_end_set_aside(
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


def test_a_rail_that_forgets_one_of_its_batch(desk: Desk, rail: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = desk.hold(1_00, 2_00)
    monkeypatch.setattr(rail, "submit", lambda _: {first: CONFIRMED})
    desk.instructor.drain()
    assert desk.row(second, "answer", "last_error") == (None, "the rail gave no outcome")


def test_an_instruction_that_kills_whoever_tells_it_is_set_aside(desk: Desk, rail: Script) -> None:
    [id] = desk.hold(1_00)
    rail.says = {"told": Death(), "asked": Death()}
    for _ in range(ATTEMPTS_MAX):
        die(desk)
        desk.hasten()
    desk.instructor.drain()
    assert desk.state(id) == "parked"
    assert len(rail.calls) == ATTEMPTS_MAX


def test_what_is_pending_is_asked_about_ever_more_rarely_and_for_a_week(desk: Desk, rail: Script) -> None:
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


def test_an_answer_told_again_changes_nothing_and_another_is_complained_of(
    desk: Desk, rail: Script, complaints: list[dict]
) -> None:
    [id] = desk.hold(1_00)
    desk.instructor.drain()
    rail.pages += [[BankUpdate(id, CONFIRMED), BankUpdate(id, CONFIRMED)], [BankUpdate(id, REJECTED)]]
    assert desk.instructor.drain() == (False, False)
    [told] = [entry for entry in complaints if entry["log_level"] == "error"]
    assert (told["event"], told["known"], told["told"]) == ("the bank contradicts itself", "confirmed", "rejected")
    desk.post()
    assert desk.state(id) == "COMPLETED"


def test_news_of_what_is_not_ours(desk: Desk, rail: Script, complaints: list[dict]) -> None:
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


def test_what_comes_back_had_gone_out_and_comes_back_once(desk: Desk, rail: Script) -> None:
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


def returns(desk: Desk) -> list[tuple[str, str | None]]:
    with desk.books.as_owner() as connection:
        rows = connection.exec_driver_sql("SELECT bank_id, payment_id::text FROM returns ORDER BY bank_id")
        return [tuple(row) for row in rows]


def test_what_another_rail_was_told_is_its_own_to_ask(desk_at: DeskAt, desk: Desk, rail: Script) -> None:
    rail.says["told"] = UNKNOWN
    desk.hold(1_00)
    desk.instructor.drain()
    desk.hasten()
    other = Script()
    other.name = "other"
    assert PayoutSender(desk.books.worker, other).drain() == (False, False)
    assert other.calls == []


def test_what_no_worker_of_its_rail_asks_about_is_set_aside(desk_at: DeskAt, desk: Desk, rail: Script) -> None:
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


def test_a_bank_that_is_away_for_good_leaves_nothing_unknown(desk: Desk, rail: Script) -> None:
    rail.says |= {"told": UNKNOWN, "asked": PayoutAnswer(PayoutState.AWAY)}
    [id] = desk.hold(1_00)
    desk.instructor.drain()
    with desk.books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET submitted_at = now() - interval '8 days', due_at = now()")
    desk.instructor.drain()
    assert desk.state(id) == "parked"


@pytest.mark.parametrize(("said", "noted"), [(PayoutState.AWAY, 1), (PayoutState.PENDING, 1), (PayoutState.UNKNOWN, 5)])
def test_what_costs_no_attempt_is_noted_once(desk: Desk, rail: Script, said: PayoutState, noted: int) -> None:
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


def test_no_answer_is_kept_of_what_does_not_wait_for_one(desk: Desk, rail: Script, complaints: list[dict]) -> None:
    id = desk.books.order("withdrawal", desk.client, desk.wallet, desk.wire, 1_00)
    rail.pages.append([BankUpdate(id, CONFIRMED)])
    assert desk.instructor.drain() == (False, False)
    assert [entry["event"] for entry in complaints if entry["log_level"] == "error"] == ["the bank contradicts itself"]
    desk.post()
    desk.instructor.drain()
    desk.post()
    assert (desk.state(id), rail.happened) == ("COMPLETED", ["told"])


def test_nobody_takes_the_key_of_a_return_first(desk: Desk, rail: Script) -> None:
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


def test_what_comes_back_to_a_full_wallet_is_set_aside_until_there_is_room(desk: Desk, rail: Script) -> None:
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


def test_the_position_moves_with_what_was_read(desk: Desk, rail: Script, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_two_at_once_tell_each_thing_once(desk: Desk) -> None:
    ids = desk.hold(*[1_00] * 30)
    rails, together = [Script(), Script()], Barrier(2)

    def drain(rail: Script) -> None:
        together.wait()
        PayoutSender(desk.books.open(desk.books.database.worker), rail).drain()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(drain, rails))
    told = [one.payment_id for rail in rails for _, one in rail.calls]
    assert sorted(told) == sorted(ids)


def test_it_says_when_its_time_ran_out(desk: Desk, rail: Script) -> None:
    desk.hold(*[1_00] * 11)
    assert desk.instructor.drain(seconds=0) == (False, True)
    assert desk.instructor.drain() == (True, False)
    assert len(rail.calls) == 11


@pytest.mark.parametrize("trouble", [RailAway("not now"), ValueError("no news that could be read")])
def test_news_that_cannot_be_had_do_not_keep_the_bank_from_being_told(
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
