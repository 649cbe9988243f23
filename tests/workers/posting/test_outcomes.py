"""Outcomes of payments: one poor payer fails alone, and orders of a compromised gateway are refused."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.workers.books import Books

pytestmark = pytest.mark.shares_books

CHARGES = 100
EXCHANGES = 300


def test_insufficient_funds_fail_one_payment_only(books: Books) -> None:
    alice, rich = books.client(10_00)
    bob, poor = books.client(1_00)
    orders = [
        books.order("transfer", alice, rich, poor, 4_00),
        books.order("transfer", bob, poor, rich, 9_00),
        books.order("transfer", alice, rich, poor, 5_00),
    ]
    assert books.poster().post_batch() == 3
    assert books.outcomes(orders) == ["COMPLETED", "insufficient_funds", "COMPLETED"]
    assert (books.balance(rich), books.balance(poor)) == (1_00, 10_00)
    assert books.events(orders[1]) == ["payment.initiated", "payment.failed"]


def test_unknown_account_fails_its_payment_only(books: Books) -> None:
    alice, source = books.client(10_00)
    _, target = books.client()
    orders = [
        books.order("transfer", alice, source, target, 1_00),
        books.order("transfer", alice, str(uuid4()), target, 1_00),
        books.order("transfer", alice, source, str(uuid4()), 1_00),
        books.order("transfer", str(uuid4()), source, target, 1_00),
        books.order("transfer", alice, source, target, 2_00),
    ]
    assert books.poster().post_batch() == 5
    assert books.outcomes(orders) == ["COMPLETED", *["account_unknown"] * 3, "COMPLETED"]


def test_inactive_frozen_or_other_currency_account_is_refused(books: Books) -> None:
    alice, source = books.client(10_00)
    _, target = books.client()
    _, frozen = books.client()
    gone, inactive = books.client(5_00)
    francs = books.wallet(alice, currency="CHF")
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET is_frozen = true WHERE id = %s", (frozen,))
        connection.exec_driver_sql("UPDATE users SET is_active = false WHERE id = %s", (gone,))
    orders = [
        books.order("transfer", alice, source, frozen, 1_00),
        books.order("transfer", gone, inactive, target, 1_00),
        books.order("transfer", alice, source, francs, 1_00),
    ]
    books.poster().drain()
    assert books.outcomes(orders) == ["account_frozen", "account_inactive", "currency_mismatch"]


@pytest.fixture
def stolen(books: Books) -> dict[str, str]:
    """Payments that an honest gateway refuses, as a compromised one would write them."""
    _, alices = books.client(10_00)
    mallory, mallorys = books.client(10_00)
    merchant = books.user("merchant")
    merchant_wallet = books.wallet(merchant)
    wire, internal = books.technical("wire"), books.technical("internal")
    return {
        "deposit into an own wallet while deposits are closed": books.order("deposit", mallory, wire, mallorys, 1_00),
        "deposit into another's wallet": books.order("deposit", mallory, wire, alices, 1_00),
        "deposit from an account money does not come in by": books.order(
            "deposit", books.user("ops"), internal, mallorys, 1_00
        ),
        "deposit from a customer's wallet": books.order("deposit", books.user("ops"), alices, mallorys, 1_00),
        "transfer out of another's wallet": books.order("transfer", mallory, alices, mallorys, 1_00),
        "transfer out of another's wallet by ops": books.order("transfer", books.user("ops"), alices, mallorys, 1_00),
        "transfer out of a technical account": books.order("transfer", mallory, internal, mallorys, 1_00),
        "transfer into a technical account": books.order("transfer", mallory, mallorys, internal, 1_00),
        "charge by a client": books.order("charge", mallory, alices, mallorys, 1_00),
        "charge into another's wallet": books.order("charge", merchant, alices, mallorys, 1_00),
        "charge of a technical account": books.order("charge", merchant, internal, merchant_wallet, 1_00),
        "charge of the merchant's own wallet": books.order(
            "charge", merchant, merchant_wallet, books.wallet(merchant), 1_00
        ),
    }


def test_worker_checks_again_what_the_gateway_checked(books: Books, stolen: dict[str, str]) -> None:
    books.poster(deposits_open=False).drain()
    assert {what: books.kept(id).failure_code for what, id in stolen.items()} == dict.fromkeys(stolen, "not_permitted")


def test_deposits_open_owner_deposits_only_to_own_wallet(books: Books) -> None:
    alice, alices = books.client()
    mallory, _ = books.client()
    wire = books.technical("wire")
    orders = [books.order("deposit", alice, wire, alices, 1_00), books.order("deposit", mallory, wire, alices, 1_00)]
    books.poster(deposits_open=True).drain()
    assert books.outcomes(orders) == ["COMPLETED", "not_permitted"]


def test_racing_charges_stop_at_the_last_cent(books: Books) -> None:
    _, wallet = books.client(1_000_00)
    merchant = books.user("merchant")
    merchant_wallet = books.wallet(merchant)
    first, second = books.poster(), books.poster()
    with ThreadPoolExecutor(10) as pool:
        posting = [pool.submit(poster.drain, 2.0) for poster in (first, second)]
        charges = [pool.submit(books.order, "charge", merchant, wallet, merchant_wallet, 30_00) for _ in range(CHARGES)]
        orders = [charge.result() for charge in charges]
        for drained in posting:
            drained.result()
    first.drain()
    outcomes = books.outcomes(orders)
    assert (outcomes.count("COMPLETED"), outcomes.count("insufficient_funds")) == (33, 67)
    assert (books.balance(wallet), books.balance(merchant_wallet)) == (10_00, 990_00)


def test_two_parties_paying_each_other_do_not_deadlock(books: Books, posting_log: list[dict]) -> None:
    alice, alices = books.client(EXCHANGES * 1_00)
    bob, bobs = books.client(EXCHANGES * 1_00)
    with ThreadPoolExecutor(6) as pool:
        posting = [pool.submit(books.poster().drain, 3.0) for _ in range(2)]
        there = [pool.submit(books.order, "transfer", alice, alices, bobs, 1_00) for _ in range(EXCHANGES)]
        back = [pool.submit(books.order, "transfer", bob, bobs, alices, 1_00) for _ in range(EXCHANGES)]
        orders = [order.result() for order in there + back]
        for drained in posting:
            drained.result()
    books.poster().drain()
    assert set(books.outcomes(orders)) == {"COMPLETED"}
    assert (books.balance(alices), books.balance(bobs)) == (EXCHANGES * 1_00, EXCHANGES * 1_00)
    assert not [line for line in posting_log if line["log_level"] in ("warning", "error")]
