"""Refunds never exceed what was captured, whatever the clocks that the ids come from; the database enforces it."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from models import bank_return
from models.bank_return import Return
from models.session import transaction
from tests.workers.books import Books

pytestmark = pytest.mark.shares_books

COMPLETE = "UPDATE payments SET state = 'COMPLETED', finalized_at = clock_timestamp() WHERE id = %s"


def id_at(seconds: float) -> str:
    """An id by a clock that is this many seconds ahead, or behind if negative."""
    rest = uuid7().int & (1 << 80) - 1
    return str(UUID(int=int((time.time() + seconds) * 1000) << 80 | rest))


def order(
    books: Books, clock: float, type: str, user: str, source: str, target: str, amount: int, **rest: Any
) -> str:  # fmt: skip
    """Accept a payment by a gateway whose clock is that many seconds off."""
    return books.order(type, user, source, target, amount, id=id_at(clock), **rest)


def charged(books: Books, amount: int, clock: float = 0) -> tuple[str, Callable[[int, float], str]]:
    """A COMPLETED charge, and how to order a refund of it by a clock."""
    merchant, (_, customer_wallet) = books.user("merchant"), books.client(amount * 10)
    merchant_wallet = books.wallet(merchant, amount * 10)
    charge = order(books, clock, "charge", merchant, customer_wallet, merchant_wallet, amount)
    books.poster().drain()

    def refund(amount: int, clock: float) -> str:
        return order(books, clock, "refund", merchant, merchant_wallet, customer_wallet, amount, parent_id=charge)

    return charge, refund


def withdrawn(books: Books, amount: int) -> tuple[str, str]:
    """A COMPLETED withdrawal and the wallet that it came from."""
    user, wallet = books.client(amount * 10)
    withdrawal = order(books, 0, "withdrawal", user, wallet, books.technical("wallet"), amount)
    books.poster().drain()
    assert books.outcomes([withdrawal]) == ["COMPLETED"]
    return withdrawal, wallet


def total(books: Books, payment_id: str) -> tuple[int, int] | None:
    """The captured and the refunded amount, as the database counts them."""
    with transaction(books.gateway) as connection:
        row = connection.exec_driver_sql(
            "SELECT captured::int, refunded::int FROM refund_totals WHERE payment_id = %s", (payment_id,)
        ).first()
    return row and tuple(row)


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize(("charge_clock", "refund_clock"), [(2, 0), (0, -7200), (0, 0), (-300, 300)])
def test_charge_is_refunded_once_whatever_the_clocks(
    books: Books, charge_clock: float, refund_clock: float, at_once: bool
) -> None:
    charge, refund = charged(books, 50_00, charge_clock)
    ids = []
    for _ in range(2):
        ids.append(refund(50_00, refund_clock))
        if not at_once:
            books.poster().drain()
    books.poster().drain()
    assert sorted(books.outcomes(ids)) == ["COMPLETED", "refund_exceeds_charge"]
    assert total(books, charge) == (50_00, 50_00)
    assert books.violations() == []


def test_withdrawal_returns_once_with_a_late_clock(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    withdrawal, wallet = withdrawn(books, 100_00)
    monkeypatch.setattr("models.payment.uuid7", lambda: id_at(-120))
    before = books.balance(wallet)
    for number in range(3):
        with transaction(books.worker) as connection:
            bank_return.keep(connection, "script", [Return(f"r-{number}", withdrawal, 100_00)])
            assert bank_return.give_back(connection, 10) == 1
        books.poster().drain()
    assert (books.balance(wallet) - before, total(books, withdrawal)) == (100_00, (100_00, 100_00))
    assert books.violations() == []


def test_partial_refunds_add_up_to_the_charge(books: Books) -> None:
    charge, refund = charged(books, 10_00)
    ids = [refund(amount, clock) for amount, clock in ((4_00, -7200), (6_00, 7200), (1, 0))]
    books.poster().drain()
    assert books.outcomes(ids) == ["COMPLETED", "COMPLETED", "refund_exceeds_charge"]
    assert total(books, charge) == (10_00, 10_00)


def test_database_refuses_refunds_beyond_the_charge(books: Books) -> None:
    charge, refund = charged(books, 50_00)
    first, second = refund(30_00, 0), refund(30_00, 0)
    for engine in (books.owner, books.worker):
        with engine.connect() as connection:
            connection.exec_driver_sql(COMPLETE, (first,))
            with pytest.raises(DBAPIError, match="refund_totals_are_within_captured"):
                connection.exec_driver_sql(COMPLETE, (second,))
    assert total(books, charge) is None, "both were rolled back"


@pytest.mark.parametrize("state", ["AUTHORIZED", "INITIATED", "of another type"])
def test_database_refuses_refunds_of_uncaptured_charges(books: Books, state: str) -> None:
    merchant, (ann, customer_wallet) = books.user("merchant"), books.client(50_00)
    merchant_wallet = books.wallet(merchant, 50_00)
    parent = {
        "AUTHORIZED": lambda: order(
            books, 0, "charge", merchant, customer_wallet, merchant_wallet, 50_00, capture=False
        ),
        "INITIATED": lambda: order(books, 0, "charge", merchant, customer_wallet, merchant_wallet, 50_01),
        "of another type": lambda: order(books, 0, "transfer", ann, customer_wallet, merchant_wallet, 50_00),
    }[state]()
    if state != "INITIATED":
        books.poster().drain()
    assert books.outcomes([parent]) == ["COMPLETED" if state == "of another type" else state]
    refund = order(books, 0, "refund", merchant, merchant_wallet, customer_wallet, 1, parent_id=parent)
    with (
        books.worker.connect() as connection,
        pytest.raises(DBAPIError, match="of which nothing was taken"),
    ):
        connection.exec_driver_sql(COMPLETE, (refund,))
