"""A payment that cannot be posted is found by halving, tried again alone and parked; its neighbours complete."""

import pytest

from models.rules import posting as rules
from models.rules import retry
from models.rules.retry import ATTEMPTS_MAX
from tests.support import PATIENCE_SECONDS
from tests.workers.books import Books
from workers.posting.poster import BATCH_MAX, NO_PARTITION_SECONDS

NEIGHBOURS = 20


@pytest.fixture
def transfers(books: Books) -> list[str]:
    return books.transfers(NEIGHBOURS)


def post_all(books: Books, posting_log: list[dict]) -> int:
    """Drain, and return how often a batch was split."""
    poster = books.poster()
    poster.drain()
    assert poster.batch_limit <= BATCH_MAX
    return len([line for line in posting_log if line["event"] == "batch failed, splitting it"])


@pytest.mark.parametrize("position", [0, 7, NEIGHBOURS - 1])
def test_only_the_failing_payment_counts_an_attempt(
    books: Books, transfers: list[str], posting_log: list[dict], position: int
) -> None:
    culprit = transfers[position]
    books.poison(culprit)
    assert post_all(books, posting_log) >= 2
    kept = books.kept(culprit)
    assert (kept.state, kept.attempts, kept.is_parked) == ("INITIATED", 1, False)
    assert 0 < kept.due_in_seconds <= retry.BACKOFF_MIN_SECONDS
    assert "poison" in (kept.last_error or "")
    neighbours = [id for id in transfers if id != culprit]
    assert [(kept.state, kept.attempts) for kept in map(books.kept, neighbours)] == [("COMPLETED", 0)] * len(neighbours)


def test_splitting_a_batch_keeps_the_order(books: Books, transfers: list[str], posting_log: list[dict]) -> None:
    culprit = transfers[7]
    books.poison(culprit)
    assert post_all(books, posting_log) >= 2
    with books.as_owner() as connection:
        source = connection.exec_driver_sql(
            "SELECT source_id::text FROM payments WHERE id = %s", (culprit,)
        ).scalar_one()
    _deposit, *decided = books.decided(source)
    assert decided == [id for id in transfers if id != culprit]


def test_payment_accepted_first_is_decided_first(books: Books) -> None:
    alice, source = books.client(1_00)
    _, target = books.client()
    orders = [books.order("transfer", alice, source, target, 1_00) for _ in range(3)]
    books.poster().drain()
    assert books.outcomes(orders) == ["COMPLETED", "insufficient_funds", "insufficient_funds"]


def test_payment_that_always_fails_is_parked_and_reported(books: Books, transfers: list[str]) -> None:
    culprit = transfers[3]
    books.poison(culprit)
    waits = []
    for attempt in range(1, ATTEMPTS_MAX + 1):
        books.make_due(culprit)
        books.poster().drain()
        kept = books.kept(culprit)
        assert kept.attempts == attempt
        waits.append(kept.due_in_seconds)
        assert kept.is_parked == (attempt == ATTEMPTS_MAX)
    longest = [min(retry.BACKOFF_MAX_SECONDS, retry.BACKOFF_MIN_SECONDS * 2**n) for n in range(ATTEMPTS_MAX)]
    assert all(most / 2 - 20 < wait <= most for wait, most in zip(waits, longest, strict=True))
    assert books.events(culprit) == ["payment.initiated", "payment.parked"]
    books.make_due(culprit)
    assert books.poster().drain() == (0, False), "what is parked waits for a person"


def test_rule_that_raises_parks_its_payment_only(
    books: Books, transfers: list[str], posting_log: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    culprit, refusal = transfers[5], rules.first_refusal

    def raising(payment: rules.ClaimedPayment, *rest: object, **how: object) -> object:
        if payment.id == culprit:
            raise ZeroDivisionError("a rule with a bug")
        return refusal(payment, *rest, **how)

    monkeypatch.setattr(rules, "first_refusal", raising)
    assert post_all(books, posting_log) >= 2
    kept = books.kept(culprit)
    assert (kept.state, kept.attempts) == ("INITIATED", 1)
    assert "a rule with a bug" in (kept.last_error or "")
    assert books.outcomes(transfers).count("COMPLETED") == NEIGHBOURS - 1


def test_endless_statement_parks_its_payment_only(books: Books) -> None:
    alice, source = books.client(3_00)
    _, target = books.client()
    first, culprit, last = (books.order("transfer", alice, source, target, 1_00) for _ in range(3))
    books.poison(culprit, "PERFORM pg_sleep(60)")
    books.poster(books.impatient_worker(statement_timeout="1s")).drain(seconds=60)
    assert (books.kept(culprit).state, books.kept(culprit).attempts) == ("INITIATED", 1)
    assert books.outcomes([first, last]) == ["COMPLETED"] * 2


def test_repaired_payment_completes_once_due(books: Books, transfers: list[str]) -> None:
    books.poison(transfers[0])
    books.poster().drain()
    books.cure()
    books.make_due(transfers[0])
    books.poster().drain()
    kept = books.kept(transfers[0])
    assert (kept.state, kept.last_error) == ("COMPLETED", None)


def test_missing_partition_costs_no_attempt_of_a_payment(books: Books, transfers: list[str]) -> None:
    with books.without_partition():
        assert books.poster().drain(PATIENCE_SECONDS)[0] == 0
        for kept in map(books.kept, transfers):
            assert (kept.state, kept.attempts, kept.is_parked) == ("INITIATED", 0, False)
            assert 0 < kept.due_in_seconds <= NO_PARTITION_SECONDS
            assert "no partition of relation" in (kept.last_error or "")
    for id in transfers:
        books.make_due(id)
    books.poster().drain(PATIENCE_SECONDS)
    assert {books.kept(id).state for id in transfers} == {"COMPLETED"}
