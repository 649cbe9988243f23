"""Commission as it is posted: out of the amount, from who bears it, on the terms of its acceptance; and given back."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import make_url
from uuid_utils.compat import uuid7

from embedded.postgres import Postgres
from models import operation, payment_command
from models.audit import Actor
from models.rules.types import PaymentAction
from models.session import transaction
from tests.support import charge_commission, costing
from tests.workers.books import Books


@pytest.fixture
def house(books: Books) -> str:
    """Our commission account."""
    return books.technical("commission")


@pytest.fixture
def impose(books: Books, postgres: Postgres) -> Any:
    """Makes terms that are in force at once."""
    return partial(costing, postgres, make_url(books.database.owner).database)


@pytest.fixture(autouse=True)
def two_percent(books: Books, postgres: Postgres) -> None:
    """The terms that the house begins with."""
    charge_commission(postgres, make_url(books.database.owner).database or "")


def end(books: Books, id: str, merchant: str, ending: PaymentAction, amount: int | None = None) -> None:
    with transaction(books.gateway) as connection:
        assert payment_command.order_action(connection, str(uuid7()), ending, id, amount, Actor(merchant))


def lines(books: Books, id: str) -> list[tuple[str, int, str, int]]:
    """What was posted: account, amount, kind and the balance it left."""
    with transaction(books.worker) as connection:
        rows = operation.of_payment(connection, id)
    return [(row.account_id, row.amount, row.kind, row.balance_after) for row in rows]


def taken(books: Books, id: str) -> int:
    """What the payment's row says was taken, or given back."""
    with transaction(books.worker) as connection:
        return int(connection.exec_driver_sql("SELECT commission FROM payments WHERE id = %s", (id,)).scalar_one())


def balances(books: Books, *accounts: str) -> list[int]:
    return [books.balance(account) for account in accounts]


def shop(books: Books, funds: int = 0) -> tuple[str, str]:
    """A new merchant and their wallet: (user id, account id)."""
    id = books.user("merchant")
    return id, books.wallet(id, funds)


def test_transfer_of_ten_arrives_as_nine_eighty(books: Books, house: str) -> None:
    ann, purse = books.client(10_00)
    _, target = books.client()
    id = books.order("transfer", ann, purse, target, 10_00)
    assert books.poster().post_batch() == 1
    assert balances(books, purse, target, house) == [0, 9_80, 20]
    assert taken(books, id) == 20
    assert lines(books, id) == [
        (purse, -9_80, "transfer", 20),
        (target, 9_80, "transfer", 9_80),
        (purse, -20, "commission", 0),
        (house, 20, "commission", 20),
    ]


def test_charge_of_ten_leaves_merchant_nine_eighty(books: Books, house: str) -> None:
    _, purse = books.client(10_00)
    merchant, till = shop(books)
    id = books.order("charge", merchant, purse, till, 10_00)
    books.poster().drain()
    assert balances(books, purse, till, house) == [0, 9_80, 20]
    assert lines(books, id) == [
        (purse, -10_00, "transfer", 0),
        (till, 10_00, "transfer", 10_00),
        (till, -20, "commission", 9_80),
        (house, 20, "commission", 20),
    ]


def test_own_transfer_and_deposit_pay_no_commission(books: Books, house: str) -> None:
    ann, purse = books.client(10_00)
    savings = books.wallet(ann)
    id = books.order("transfer", ann, purse, savings, 10_00)
    books.poster().drain()
    assert (taken(books, id), len(lines(books, id))) == (0, 2)
    assert balances(books, purse, savings, house) == [0, 10_00, 0]


def test_commission_is_on_the_captured_amount(books: Books, house: str) -> None:
    _, purse = books.client(50_00)
    merchant, till = shop(books)
    id = books.order("charge", merchant, purse, till, 40_00, capture=False)
    books.poster().drain()
    assert (books.kept(id).state, taken(books, id), books.balance(house)) == ("AUTHORIZED", 0, 0)
    end(books, id, merchant, PaymentAction.CAPTURE, 12_50)
    books.poster().drain()
    assert (books.kept(id).state, taken(books, id)) == ("COMPLETED", 25)
    assert balances(books, purse, till, house) == [37_50, 12_25, 25]


@pytest.mark.parametrize("ending", [PaymentAction.VOID, PaymentAction.CANCEL])
def test_failed_payment_costs_no_commission(books: Books, house: str, ending: PaymentAction) -> None:
    _, purse = books.client(50_00)
    merchant, till = shop(books)
    id = books.order("charge", merchant, purse, till, 40_00, capture=False)
    if ending is PaymentAction.VOID:
        books.poster().drain()
    end(books, id, merchant, ending)
    books.poster().drain()
    assert (books.outcomes([id]), taken(books, id)) == (["canceled"], 0)
    assert balances(books, purse, till, house) == [50_00, 0, 0]


def charged(books: Books) -> tuple[str, str, str, str]:
    """A COMPLETED charge of 9.99, of which 0.20 were taken: (id, merchant, till, purse)."""
    _, purse = books.client(9_99)
    merchant, till = shop(books)
    id = books.order("charge", merchant, purse, till, 9_99)
    books.poster().drain()
    assert taken(books, id) == 20
    return id, merchant, till, purse


def refund(books: Books, charge: str, merchant: str, till: str, purse: str, amount: int) -> str:
    reason = "requested_by_customer"
    return books.order("refund", merchant, till, purse, amount, parent_id=charge, reason=reason)


def test_full_refund_returns_the_commission(books: Books, house: str) -> None:
    charge, merchant, till, purse = charged(books)
    id = refund(books, charge, merchant, till, purse, 9_99)
    books.poster().drain()
    assert (books.outcomes([id]), taken(books, id)) == (["COMPLETED"], 20)
    assert balances(books, purse, till, house) == [9_99, 0, 0]
    assert lines(books, id) == [
        (house, -20, "commission", 0),
        (till, 20, "commission", 9_99),
        (till, -9_99, "transfer", 0),
        (purse, 9_99, "transfer", 9_99),
    ]


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("parts", [(3_33, 3_33, 3_33), (1, 1, 9_97), (5_00, 4_98, 1)])
def test_partial_refunds_return_exactly_the_commission(
    books: Books, house: str, parts: tuple[int, ...], at_once: bool
) -> None:
    charge, merchant, till, purse = charged(books)
    ids = []
    for part in parts:
        ids.append(refund(books, charge, merchant, till, purse, part))
        if not at_once:
            books.poster().drain()
    books.poster().drain()
    assert books.outcomes(ids) == ["COMPLETED"] * len(parts)
    assert sum(taken(books, id) for id in ids) == 20
    assert balances(books, purse, till, house) == [9_99, 0, 0]


def test_refund_keeps_the_commission_if_so_configured(books: Books, house: str) -> None:
    charge, merchant, till, purse = charged(books)
    poster = books.poster()
    poster.refunds_commission = False
    whole = refund(books, charge, merchant, till, purse, 9_99)
    poster.drain()
    assert books.outcomes([whole]) == ["insufficient_funds"]
    part = refund(books, charge, merchant, till, purse, 9_79)
    poster.drain()
    assert (books.outcomes([part]), taken(books, part)) == (["COMPLETED"], 0)
    assert balances(books, purse, till, house) == [9_79, 0, 20]


def test_minimum_above_the_amount_fails_the_payment(books: Books, house: str, impose: Any) -> None:
    impose("transfer", "2", currency="EUR", minimum=50)
    ann, purse = books.client(10_00)
    _, target = books.client()
    ids = [books.order("transfer", ann, purse, target, amount) for amount in (49, 50, 51, 30)]
    books.poster().drain()
    assert books.outcomes(ids) == [
        "commission_exceeds_amount",
        "commission_exceeds_amount",
        "COMPLETED",
        "commission_exceeds_amount",
    ]
    assert balances(books, purse, target, house) == [9_49, 1, 50]


def test_capture_below_minimum_commission_releases_hold(books: Books, house: str, impose: Any) -> None:
    impose("charge", "2", currency="EUR", minimum=50)
    _, purse = books.client(50_00)
    merchant, till = shop(books)
    id = books.order("charge", merchant, purse, till, 40_00, capture=False)
    books.poster().drain()
    end(books, id, merchant, PaymentAction.CAPTURE, 20)
    books.poster().drain()
    assert books.outcomes([id]) == ["commission_exceeds_amount"]
    again = books.order("charge", merchant, purse, till, 50_00)
    books.poster().drain()
    assert books.outcomes([again]) == ["COMPLETED"]
    assert balances(books, purse, till, house) == [0, 49_00, 1_00]


def test_terms_at_acceptance_apply(books: Books, house: str, impose: Any) -> None:
    ann, purse = books.client(100_00)
    merchant, till = shop(books)
    before = books.order("transfer", ann, purse, till, 10_00)
    held = books.order("charge", merchant, purse, till, 10_00, capture=False)
    impose("transfer", "50", currency="EUR")
    impose("charge", "50", merchant_id=merchant)
    after = books.order("transfer", ann, purse, till, 10_00)
    books.poster().drain()
    end(books, held, merchant, PaymentAction.CAPTURE)
    charge = books.order("charge", merchant, purse, till, 10_00)
    books.poster().drain()
    assert [taken(books, id) for id in (before, held, after, charge)] == [20, 20, 5_00, 5_00]
    assert books.balance(house) == 10_40


def test_merchant_terms_replace_general_terms(books: Books, house: str, impose: Any) -> None:
    _, purse = books.client(100_00)
    (dear, dears_till), (other, others_till) = shop(books), shop(books)
    impose("charge", "0.5", merchant_id=dear)
    impose("charge", "3", currency="EUR")
    ids = [books.order("charge", *charge, 10_00) for charge in ((dear, purse, dears_till), (other, purse, others_till))]
    books.poster().drain()
    assert [taken(books, id) for id in ids] == [5, 30]


@pytest.mark.parametrize(("ceiling", "outcome"), [(9_80, "COMPLETED"), (9_79, "limit_exceeded")])
def test_ceiling_applies_after_commission(books: Books, house: str, ceiling: int, outcome: str) -> None:
    _, purse = books.client(10_00)
    merchant, till = shop(books)
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = %s WHERE id = %s", (ceiling, till))
    id = books.order("charge", merchant, purse, till, 10_00)
    books.poster().drain()
    assert books.outcomes([id]) == [outcome]
