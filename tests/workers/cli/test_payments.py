"""`flask payments`, as ops call it."""

import json
import re
from collections.abc import Sequence
from uuid import uuid4

import pytest
import redis
from click.testing import Result

from celery_config import app as celery_app
from models import health
from models.bank_return import Return
from models.payout import Payout
from models.rules.retry import ATTEMPTS_MAX
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited
from workers import process
from workers.posting.poster import Poster
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState
from workers.rails.payouts import PayoutSender


@pytest.fixture
def parked(books: Books, waiting: str) -> str:
    """A payment that could not be posted and was set aside."""
    books.poison(waiting)
    for _ in range(ATTEMPTS_MAX):
        books.make_due(waiting)
        books.poster().drain()
    books.cure()
    assert books.kept(waiting).is_parked
    return waiting


def listed(result: Result) -> list[str]:
    return [json.loads(line)["id"] for line in result.output.splitlines()]


def test_stuck_lists_payments_that_wait_too_long(flask: Run, waiting: str) -> None:
    assert flask("payments", "stuck", "--older-than", "3600").output == "none\n"
    assert listed(flask("payments", "stuck", "--older-than", "0", "--json")) == [waiting]
    shown = json.loads(flask("payments", "stuck", "--older-than", "0", "--json").output)
    assert (shown["amount"], shown["currency"]) == ("4.00", "EUR")
    line = flask("payments", "stuck", "--older-than", "0").output.splitlines()[1]
    assert re.fullmatch(rf"{waiting}  transfer  4\.00 EUR  \d+ seconds? ago +\d+ seconds? ago +0", line)


def test_stuck_prints_the_remedy(flask: Run, waiting: str) -> None:
    assert "flask payments sweep" in flask("payments", "stuck", "--older-than", "0").output
    assert "sweep" not in flask("payments", "stuck", "--older-than", "3600").output


class Failing:
    """A bank that answers every call with one answer."""

    name, batch_max = "failing", 10

    def __init__(self, answer: PayoutState) -> None:
        self.answer = PayoutAnswer(answer, f"the bank said {answer}")

    def submit(self, payouts: Sequence[Payout]) -> dict[str, PayoutAnswer]:
        return {payout.payment_id: self.answer for payout in payouts}

    inquire = submit

    def updates(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        return [], position


def withdrawal(books: Books) -> str:
    """A withdrawal whose money is held and whose payout is to be sent."""
    client, wallet = books.client(1_00)
    id = books.order("withdrawal", client, wallet, books.technical("wire"), 1_00)
    books.poster().drain()
    assert books.kept(id).state == "AUTHORIZED"
    return id


@pytest.mark.parametrize("answer", [PayoutState.UNKNOWN, PayoutState.UNREACHABLE, PayoutState.PENDING])
def test_undecided_lists_unanswered_payouts_from_first_attempt(flask: Run, books: Books, answer: PayoutState) -> None:
    id = withdrawal(books)
    assert flask("payments", "undecided").output == "none\n", "no try yet"
    PayoutSender(books.worker, Failing(answer)).send()
    shown = json.loads(flask("payments", "undecided", "--json").output)
    assert (shown["id"], shown["last_error"]) == (id, f"the bank said {answer}")
    assert shown["attempts"] == (1 if answer is PayoutState.UNKNOWN else 0)
    assert shown["parked_at"] is None
    for other in (("parked",), ("stuck", "--older-than", "0")):
        assert flask("payments", *other).output == "none\n"
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now()")
    PayoutSender(books.worker, Failing(PayoutState.CONFIRMED)).send()
    assert flask("payments", "undecided").output == "none\n"
    books.poster().drain()


def test_undecided_lists_payouts_that_are_not_tried(flask: Run, books: Books) -> None:
    id = withdrawal(books)
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now() - interval '61 seconds'")
    assert listed(flask("payments", "undecided", "--json")) == [id]


def test_payout_unanswered_for_a_minute_is_a_problem(books: Books) -> None:
    def codes() -> list[str]:
        with transaction(books.worker) as connection:
            found = health.report(connection, broker_is_up=True)
        return [problem.code for problem in found.problems if problem.code == "payments_undecided"]

    id = withdrawal(books)
    PayoutSender(books.worker, Failing(PayoutState.UNKNOWN)).send()
    assert codes() == []
    with books.superuser.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("UPDATE payments SET created_at = now() - interval '61 s' WHERE id = %s", (id,))
    assert codes() == ["payments_undecided"]


def test_parked_lists_payments_that_wait_for_ops(flask: Run, parked: str) -> None:
    shown = json.loads(flask("payments", "parked", "--json").output)
    assert (shown["id"], shown["attempts"]) == (parked, ATTEMPTS_MAX)
    assert "poison" in shown["last_error"]
    assert flask("payments", "stuck", "--older-than", "0").output == "none\n", "parked is not stuck"


def test_retry_by_id_is_due_rings_and_is_audited(flask: Run, books: Books, bells: redis.Redis, parked: str) -> None:
    result = flask("payments", "retry", parked, "--reason", "the row is mended")
    assert "1 are due now" in result.output
    kept = books.kept(parked)
    assert (kept.attempts, kept.is_parked, kept.due_in_seconds <= 0) == (0, False, True)
    assert bells.llen("payments") == 1
    assert audited(books, parked) == [("shell", "payments.retry", "the row is mended")]
    books.poster().drain()
    assert books.kept(parked).state == "COMPLETED"
    assert "0 are due now, 1 are final" in flask("payments", "retry", parked, "--reason", "again").output
    assert len(audited(books, parked)) == 1, "what is final is not touched, so there is nothing to note"


def test_retry_with_dry_run_only_lists(flask: Run, books: Books, bells: redis.Redis, parked: str) -> None:
    [row] = flask("payments", "retry", "--parked", "--reason", "to see", "--dry-run", "--json").output.splitlines()
    assert json.loads(row)["id"] == parked
    result = flask("payments", "retry", "--parked", "--reason", "to see", "--dry-run")
    assert parked in result.output
    assert "1 would be due now" in result.output
    assert books.kept(parked).is_parked
    assert audited(books, parked) == []
    assert bells.llen("payments") == 0


def test_retry_of_all_parked(flask: Run, books: Books, parked: str) -> None:
    flask("payments", "retry", "--parked", "--reason", "mended")
    flask("payments", "sweep")
    assert books.kept(parked).state == "COMPLETED"


def test_retry_of_all_stuck(flask: Run, books: Books, waiting: str) -> None:
    books.poison(waiting)
    books.poster().drain()
    assert books.kept(waiting).due_in_seconds > 0
    flask("payments", "retry", "--stuck", "--older-than", "0", "--reason", "no patience")
    kept = books.kept(waiting)
    assert (kept.attempts, kept.due_in_seconds <= 0) == (0, True)


def test_retry_needs_one_choice_a_reason_and_existing_payments(flask: Run, parked: str) -> None:
    assert "name payments by id" in flask("payments", "retry", "--reason", "x", fails=True).output
    assert "name payments by id" in flask("payments", "retry", parked, "--parked", "--reason", "x", fails=True).output
    assert "--reason" in flask("payments", "retry", parked, fails=True).output
    stranger = str(uuid4())
    assert stranger in flask("payments", "retry", parked, stranger, "--reason", "x", fails=True).output


def test_retry_reports_that_the_broker_is_unavailable(
    flask: Run, books: Books, parked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(celery_app.conf, "broker_url", "redis+socket:///nowhere/valkey.sock")
    monkeypatch.setattr("bell._publishing", None)
    result = flask("payments", "retry", parked, "--reason", "mended")
    assert "flask payments sweep" in result.output
    assert books.kept(parked).attempts == 0


def test_show_prints_the_whole_timeline(flask: Run, books: Books, parked: str) -> None:
    flask("payments", "retry", parked, "--reason", "mended")
    flask("payments", "sweep")
    story = json.loads(flask("payments", "show", parked).output)
    [line] = flask("payments", "show", parked, "--json").output.splitlines()
    assert json.loads(line) == story
    assert story["actions"] == []
    assert (story["id"], story["state"], story["amount"], story["currency"]) == (parked, "COMPLETED", "4.00", "EUR")
    assert story["request_id"] == parked.replace("-", "")
    assert [operation["amount"] for operation in story["operations"]] == ["-4.00", "4.00"]
    assert [event["name"] for event in story["events"]] == [
        "payment.initiated",
        "payment.parked",
        "payment.completed",
    ]
    assert [line["reason"] for line in story["audit"]] == ["mended"]
    assert story["audit"][0]["before"]["attempts"] == ATTEMPTS_MAX
    stranger = str(uuid4())
    assert f"there is no payment {stranger}" in flask("payments", "show", stranger, fails=True).output


def test_sweep_posts_due_payments(flask: Run, books: Books, waiting: str) -> None:
    assert flask("payments", "sweep").output == "1 payments posted, nothing of what was due is left\n"
    assert books.kept(waiting).state == "COMPLETED"
    assert flask("payments", "sweep").output == "0 payments posted, nothing of what was due is left\n"


def test_sweep_ends_after_the_payments_due_at_its_start(
    flask: Run, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though more becomes due all the time."""
    poster, later = books.poster(), []
    alice, source = books.client(100_00)
    _, target = books.client()
    first = books.order("transfer", alice, source, target, 1_00)

    def drain() -> tuple[int, bool]:
        assert len(later) < 3, "it goes on with what became due meanwhile"
        posted, _ = Poster.drain(poster)
        later.append(books.order("transfer", alice, source, target, 1_00))
        return posted, True

    monkeypatch.setattr(process, "poster", lambda: poster)
    monkeypatch.setattr(poster, "drain", drain)
    assert flask("payments", "sweep").output == "1 payments posted, nothing of what was due is left\n"
    assert (books.kept(first).state, books.kept(later[0]).state) == ("COMPLETED", "INITIATED")


def test_sweep_gives_up_on_locked_payments(
    flask: Run, books: Books, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poster = books.poster()
    monkeypatch.setattr(process, "poster", lambda: poster)
    monkeypatch.setattr(poster, "drain", lambda: (0, True))
    assert "locked by another transaction" in flask("payments", "sweep", fails=True).output
    assert books.kept(waiting).state == "INITIATED"
