"""Counting and summing up final payments: each once, a page at a time, also beside other workers; counts are exact."""

import pytest

from models import final_count, payment_count, payment_search, period_sum
from models.payment_count import PaymentCount
from models.payment_stuck import StuckFilter
from models.session import transaction
from tests.builders import scalar
from tests.support import at_once
from tests.workers.books import Books
from workers.final_counts import count_up

pytestmark = pytest.mark.shares_books

COUNTED = "SELECT coalesce(sum(number), 0)::int FROM final_payment_counts"
THERE = "SELECT count(*)::int FROM payments WHERE state IN ('COMPLETED', 'FAILED')"


def number(books: Books, statement: str) -> int:
    with transaction(books.worker) as connection:
        return int(scalar(connection, statement))


def count(books: Books, **members: object) -> PaymentCount:
    with transaction(books.worker) as connection:
        return payment_count.count(connection, StuckFilter(is_of_all=True, **members))  # type: ignore[arg-type]


@pytest.fixture
def unsearched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that has to read the payments one by one fails."""
    monkeypatch.delattr(payment_search, "count")


@pytest.mark.usefixtures("unsearched")
def test_counts_are_exact_whatever_is_counted_already(books: Books) -> None:
    before = {state: count(books, states=(state,)) for state in ("COMPLETED", "FAILED", "INITIATED")}
    alice, source = books.client(10_00)
    _, target = books.client()
    for amount in (1_00, 2_00, 99_00):
        books.order("transfer", alice, source, target, amount)
    books.post_payments()
    books.order("transfer", alice, source, target, 1_00)

    def grown() -> dict[str, int]:
        now = {state: count(books, states=(state,)) for state in before}
        assert all(found.is_exact for found in now.values())
        return {state: found.number - before[state].number for state, found in now.items()}

    expected = {"COMPLETED": grown()["COMPLETED"], "FAILED": 1, "INITIATED": 1}
    assert grown() == expected, "by events that are not counted"
    assert not count_up(books.worker, 60)
    assert grown() == expected, "by what is counted"
    total = count(books)
    assert total.number == sum(count(books, states=(state,)).number for state in (*before, "AUTHORIZED"))
    assert count(books, failures=("insufficient_funds",), types=("transfer",)).number >= 1
    assert count(books, currency="XXQ") == PaymentCount(0, is_exact=True)


def test_payments_are_counted_once_by_two_workers(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for summed in (final_count, period_sum):
        monkeypatch.setattr(summed, "PAGE", 2)
    books.transfers(5)
    books.post_payments()
    assert at_once(2, lambda _: count_up(books.worker, 60)) == [False, False]
    assert number(books, COUNTED) == number(books, THERE)
    assert books.violations() == []
    assert count_up(books.worker, -1), "without time it has to be called again"


def test_count_far_behind_is_the_least_there_is(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    count_up(books.worker, 60)
    monkeypatch.setattr(final_count, "NEWER_MAX", 1)
    monkeypatch.setattr(payment_count, "SCANNED_MAX", 1)
    known = count(books, states=("FAILED",))
    assert known.is_exact
    books.transfers(2)
    assert count(books, states=("FAILED",)) == known._replace(is_exact=False)
