"""Summing up what merchants took in: each operation once, a page at a time, also beside other workers."""

import pytest
import redis

from models import merchant_sum
from models.session import transaction
from models.user import Role
from tests.builders import scalar
from tests.support import at_once
from tests.workers.books import Books
from workers import merchant_sums, process, tasks
from workers.merchant_sums import sum_up

pytestmark = pytest.mark.shares_books

TOTALS = "SELECT ARRAY[sum(gross), sum(commission), sum(refunds)]::text FROM merchant_sums WHERE account_id = %s"
CHARGES = 7


@pytest.fixture
def till(books: Books, monkeypatch: pytest.MonkeyPatch) -> str:
    """The wallet of a merchant that was charged to: each charge is a page of its own."""
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(merchant_sum, "NEXT", merchant_sum.NEXT.replace(str(merchant_sum.PAGE), "1"))
    shop, (_, payer) = books.user(Role.MERCHANT), books.client(100_00)
    till = books.wallet(shop)
    for _ in range(CHARGES):
        books.order("charge", shop, payer, till, 2_00)
    books.post_payments()
    return till


def totals(books: Books, wallet: str) -> object:
    with transaction(books.worker) as connection:
        return scalar(connection, TOTALS, wallet)


def test_task_rings_for_itself_until_all_is_summed_up(
    books: Books, bells: redis.Redis, till: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(merchant_sums, "sum_up", lambda engine: sum_up(engine, -1))  # its time is over at once
        tasks.sum_up.apply(throw=True)
    assert (bells.llen("upkeep"), totals(books, till)) == (1, "{NULL,NULL,NULL}")
    tasks.sum_up.apply(throw=True)
    assert (bells.llen("upkeep"), totals(books, till)) == (1, f"{{{CHARGES * 2_00},0,0}}")


def test_operations_are_summed_once_by_two_workers(books: Books, till: str) -> None:
    assert at_once(2, lambda _: sum_up(books.worker, seconds=60)) == [False, False]
    assert totals(books, till) == f"{{{CHARGES * 2_00},0,0}}"
    assert books.violations() == []


def test_wallets_of_clients_are_not_summed_up(books: Books, till: str) -> None:
    _, wallet = books.client(1_00)
    with transaction(books.worker) as connection:
        assert wallet not in merchant_sum.behind(connection)
        assert till in merchant_sum.behind(connection)
