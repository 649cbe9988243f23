"""The cost of limits for the poster, none where there are no limits, and that it knows the newest."""

import threading
from collections.abc import Iterator

import pytest

from models import account, charge_limit
from models.rules.charge_limits import ChargeLimit
from models.session import transaction
from tests.support import eventually, statements_of
from tests.workers.books import Books
from workers.posting.batch_point import BatchPoint

pytestmark = pytest.mark.shares_books

FUNDS = 100_00
ABOUT_LIMITS = ("charge_limits", "blocked_merchants", "scheduled_at >=")


@pytest.fixture
def statements(books: Books) -> Iterator[list[tuple[str, object]]]:
    """The statements of the worker, in their order."""
    with statements_of(books.database.worker) as statements:
        yield statements


def about_limits(statements: list[tuple[str, object]]) -> int:
    return sum(any(name in statement for name in ABOUT_LIMITS) for statement, _ in statements)


def limit(books: Books, account_id: str, *limits: ChargeLimit, blocked: tuple[str, ...] = ()) -> None:
    """Set the limits as the gateway does."""
    with transaction(books.gateway) as connection:
        wallet = account.wallet_by_id(connection, account_id)
        limited = wallet._replace(charge_limits=limits, blocked_merchants=blocked)
        assert account.change_wallet(connection, limited) is not None


def test_only_limited_wallets_that_are_charged_cost_a_statement(books: Books, statements: list) -> None:
    ann, customer_wallet = books.client(FUNDS)
    _, other = books.client(FUNDS)
    shop = books.user("merchant")
    merchant_wallet = books.wallet(shop)
    statements.clear()

    def cost(*orders: tuple[str, str, str]) -> int:
        statements.clear()
        ids = [books.order(type, maker, source, merchant_wallet, 1_00) for type, maker, source in orders]
        books.poster().drain()
        assert {books.kept(id).state for id in ids} == {"COMPLETED"}
        return about_limits(statements)

    both = ("charge", shop, customer_wallet), ("charge", shop, other), ("transfer", ann, customer_wallet)
    assert cost(*both) == 0
    limit(books, other, ChargeLimit(None, FUNDS, None))
    assert cost(both[0], both[2]) == 0, "another wallet is limited"
    limit(books, customer_wallet, ChargeLimit(None, FUNDS, None))
    assert cost(both[2]) == 0, "limited, but not charged"
    assert cost(*both) == 1
    limit(books, customer_wallet, ChargeLimit(shop, None, FUNDS))
    assert cost(*both) == 2, "and what was taken of the day"
    limit(books, customer_wallet)
    limit(books, other)
    assert cost(*both) == 0
    assert books.violations() == []


def test_limit_set_while_batch_waits_for_wallet_applies(books: Books) -> None:
    """They are read after the lock is had, in a statement of its own."""
    _, customer_wallet = books.client(FUNDS)
    shop = books.user("merchant")
    merchant_wallet = books.wallet(shop)
    id = books.order("charge", shop, customer_wallet, merchant_wallet, 10_00)
    poster = books.poster(books.impatient_worker(lock_timeout="60s"))
    claimed = threading.Event()
    poster.hook = lambda point: claimed.set() if point is BatchPoint.CLAIMED else None
    with transaction(books.gateway) as connection:
        wallet = account.wallet_by_id(connection, customer_wallet)
        account.change_wallet(connection, wallet._replace(charge_limits=(ChargeLimit(shop, 9_99, None),)))
        posting = threading.Thread(target=poster.drain)
        posting.start()
        assert claimed.wait(60)
        eventually(lambda: _is_anybody_waiting(books))
    posting.join(60)
    assert books.kept(id).failure_code == "limit_exceeded"


def _is_anybody_waiting(books: Books) -> bool:
    with books.as_owner() as connection:
        return bool(connection.exec_driver_sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").scalar_one())


def test_charges_are_summed_by_merchant_and_day(books: Books) -> None:
    _, customer_wallet = books.client(FUNDS)
    shops = [books.user("merchant") for _ in range(2)]
    for shop in shops:
        merchant_wallet = books.wallet(shop)
        for amount in (1_00, 2_00):
            books.order("charge", shop, customer_wallet, merchant_wallet, amount)
        books.order("charge", shop, customer_wallet, merchant_wallet, 3_00, capture=False)
        books.order("charge", shop, customer_wallet, merchant_wallet, 2 * FUNDS)
    books.poster().drain()
    with transaction(books.worker) as connection:
        today = connection.exec_driver_sql("SELECT (now() AT TIME ZONE 'UTC')::date").scalar_one()
        taken = charge_limit.daily_totals(connection, [customer_wallet], today)
    assert sorted(taken) == sorted((customer_wallet, shop, 6_00) for shop in shops)
