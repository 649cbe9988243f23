"""Commission as it is posted: out of the amount, from its bearer, on the terms at acceptance; and refunded."""

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
def commission_account(books: Books) -> str:
    """The commission account."""
    return books.technical("commission")


@pytest.fixture
def impose(books: Books, postgres: Postgres) -> Any:
    """Makes terms that are in force at once."""
    return partial(costing, postgres, make_url(books.database.owner).database)


@pytest.fixture(autouse=True)
def two_percent(books: Books, postgres: Postgres) -> None:
    """The terms in force after installation."""
    charge_commission(postgres, make_url(books.database.owner).database or "")


def end(books: Books, id: str, merchant: str, ending: PaymentAction, amount: int | None = None) -> None:
    with transaction(books.gateway) as connection:
        assert payment_command.order_action(connection, str(uuid7()), ending, id, amount, Actor(merchant))


def lines(books: Books, id: str) -> list[tuple[str, int, str, int]]:
    """The lines posted: account, amount, kind and the balance after it."""
    with transaction(books.worker) as connection:
        rows = operation.of_payment(connection, id)
    return [(row.account_id, row.amount, row.kind, row.balance_after) for row in rows]


def taken(books: Books, id: str) -> int:
    """The commission in the payment's row, taken or refunded."""
    with transaction(books.worker) as connection:
        return int(connection.exec_driver_sql("SELECT commission FROM payments WHERE id = %s", (id,)).scalar_one())


def balances(books: Books, *accounts: str) -> list[int]:
    return [books.balance(account) for account in accounts]


def shop(books: Books, funds: int = 0) -> tuple[str, str]:
    """A new merchant and their wallet: (user id, account id)."""
    id = books.user("merchant")
    return id, books.wallet(id, funds)


def test_transfer_of_ten_arrives_as_nine_eighty(books: Books, commission_account: str) -> None:
    ann, customer_wallet = books.client(10_00)
    _, target = books.client()
    id = books.order("transfer", ann, customer_wallet, target, 10_00)
    assert books.poster().post_batch() == 1
    assert balances(books, customer_wallet, target, commission_account) == [0, 9_80, 20]
    assert taken(books, id) == 20
    assert lines(books, id) == [
        (customer_wallet, -9_80, "transfer", 20),
        (target, 9_80, "transfer", 9_80),
        (customer_wallet, -20, "commission", 0),
        (commission_account, 20, "commission", 20),
    ]


def test_charge_of_ten_leaves_merchant_nine_eighty(books: Books, commission_account: str) -> None:
    _, customer_wallet = books.client(10_00)
    merchant, merchant_wallet = shop(books)
    id = books.order("charge", merchant, customer_wallet, merchant_wallet, 10_00)
    books.poster().drain()
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [0, 9_80, 20]
    assert lines(books, id) == [
        (customer_wallet, -10_00, "transfer", 0),
        (merchant_wallet, 10_00, "transfer", 10_00),
        (merchant_wallet, -20, "commission", 9_80),
        (commission_account, 20, "commission", 20),
    ]


def test_own_transfer_and_deposit_pay_no_commission(books: Books, commission_account: str) -> None:
    ann, customer_wallet = books.client(10_00)
    savings = books.wallet(ann)
    id = books.order("transfer", ann, customer_wallet, savings, 10_00)
    books.poster().drain()
    assert (taken(books, id), len(lines(books, id))) == (0, 2)
    assert balances(books, customer_wallet, savings, commission_account) == [0, 10_00, 0]


def test_commission_is_on_the_captured_amount(books: Books, commission_account: str) -> None:
    _, customer_wallet = books.client(50_00)
    merchant, merchant_wallet = shop(books)
    id = books.order("charge", merchant, customer_wallet, merchant_wallet, 40_00, capture=False)
    books.poster().drain()
    assert (books.kept(id).state, taken(books, id), books.balance(commission_account)) == ("AUTHORIZED", 0, 0)
    end(books, id, merchant, PaymentAction.CAPTURE, 12_50)
    books.poster().drain()
    assert (books.kept(id).state, taken(books, id)) == ("COMPLETED", 25)
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [37_50, 12_25, 25]


@pytest.mark.parametrize("ending", [PaymentAction.VOID, PaymentAction.CANCEL])
def test_failed_payment_costs_no_commission(books: Books, commission_account: str, ending: PaymentAction) -> None:
    _, customer_wallet = books.client(50_00)
    merchant, merchant_wallet = shop(books)
    id = books.order("charge", merchant, customer_wallet, merchant_wallet, 40_00, capture=False)
    if ending is PaymentAction.VOID:
        books.poster().drain()
    end(books, id, merchant, ending)
    books.poster().drain()
    assert (books.outcomes([id]), taken(books, id)) == (["canceled"], 0)
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [50_00, 0, 0]


def charged(books: Books) -> tuple[str, str, str, str]:
    """A COMPLETED charge of 9.99, of which 0.20 were taken: (id, merchant, merchant_wallet, customer_wallet)."""
    _, customer_wallet = books.client(9_99)
    merchant, merchant_wallet = shop(books)
    id = books.order("charge", merchant, customer_wallet, merchant_wallet, 9_99)
    books.poster().drain()
    assert taken(books, id) == 20
    return id, merchant, merchant_wallet, customer_wallet


def refund(books: Books, charge: str, merchant: str, merchant_wallet: str, customer_wallet: str, amount: int) -> str:
    reason = "requested_by_customer"
    return books.order("refund", merchant, merchant_wallet, customer_wallet, amount, parent_id=charge, reason=reason)


def test_full_refund_returns_the_commission(books: Books, commission_account: str) -> None:
    charge, merchant, merchant_wallet, customer_wallet = charged(books)
    id = refund(books, charge, merchant, merchant_wallet, customer_wallet, 9_99)
    books.poster().drain()
    assert (books.outcomes([id]), taken(books, id)) == (["COMPLETED"], 20)
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [9_99, 0, 0]
    assert lines(books, id) == [
        (commission_account, -20, "commission", 0),
        (merchant_wallet, 20, "commission", 9_99),
        (merchant_wallet, -9_99, "transfer", 0),
        (customer_wallet, 9_99, "transfer", 9_99),
    ]


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("parts", [(3_33, 3_33, 3_33), (1, 1, 9_97), (5_00, 4_98, 1)])
def test_partial_refunds_return_exactly_the_commission(
    books: Books, commission_account: str, parts: tuple[int, ...], at_once: bool
) -> None:
    charge, merchant, merchant_wallet, customer_wallet = charged(books)
    ids = []
    for part in parts:
        ids.append(refund(books, charge, merchant, merchant_wallet, customer_wallet, part))
        if not at_once:
            books.poster().drain()
    books.poster().drain()
    assert books.outcomes(ids) == ["COMPLETED"] * len(parts)
    assert sum(taken(books, id) for id in ids) == 20
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [9_99, 0, 0]


def test_refund_keeps_the_commission_if_so_configured(books: Books, commission_account: str) -> None:
    charge, merchant, merchant_wallet, customer_wallet = charged(books)
    poster = books.poster()
    poster.decider.refunds_commission = False
    whole = refund(books, charge, merchant, merchant_wallet, customer_wallet, 9_99)
    poster.drain()
    assert books.outcomes([whole]) == ["insufficient_funds"]
    part = refund(books, charge, merchant, merchant_wallet, customer_wallet, 9_79)
    poster.drain()
    assert (books.outcomes([part]), taken(books, part)) == (["COMPLETED"], 0)
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [9_79, 0, 20]


def test_minimum_above_the_amount_fails_the_payment(books: Books, commission_account: str, impose: Any) -> None:
    impose("transfer", "2", currency="EUR", minimum=50)
    ann, customer_wallet = books.client(10_00)
    _, target = books.client()
    ids = [books.order("transfer", ann, customer_wallet, target, amount) for amount in (49, 50, 51, 30)]
    books.poster().drain()
    assert books.outcomes(ids) == [
        "commission_exceeds_amount",
        "commission_exceeds_amount",
        "COMPLETED",
        "commission_exceeds_amount",
    ]
    assert balances(books, customer_wallet, target, commission_account) == [9_49, 1, 50]


def test_capture_below_minimum_commission_releases_hold(books: Books, commission_account: str, impose: Any) -> None:
    impose("charge", "2", currency="EUR", minimum=50)
    _, customer_wallet = books.client(50_00)
    merchant, merchant_wallet = shop(books)
    id = books.order("charge", merchant, customer_wallet, merchant_wallet, 40_00, capture=False)
    books.poster().drain()
    end(books, id, merchant, PaymentAction.CAPTURE, 20)
    books.poster().drain()
    assert books.outcomes([id]) == ["commission_exceeds_amount"]
    again = books.order("charge", merchant, customer_wallet, merchant_wallet, 50_00)
    books.poster().drain()
    assert books.outcomes([again]) == ["COMPLETED"]
    assert balances(books, customer_wallet, merchant_wallet, commission_account) == [0, 49_00, 1_00]


def test_terms_at_acceptance_apply(books: Books, commission_account: str, impose: Any) -> None:
    ann, customer_wallet = books.client(100_00)
    merchant, merchant_wallet = shop(books)
    before = books.order("transfer", ann, customer_wallet, merchant_wallet, 10_00)
    held = books.order("charge", merchant, customer_wallet, merchant_wallet, 10_00, capture=False)
    impose("transfer", "50", currency="EUR")
    impose("charge", "50", merchant_id=merchant)
    after = books.order("transfer", ann, customer_wallet, merchant_wallet, 10_00)
    books.poster().drain()
    end(books, held, merchant, PaymentAction.CAPTURE)
    charge = books.order("charge", merchant, customer_wallet, merchant_wallet, 10_00)
    books.poster().drain()
    assert [taken(books, id) for id in (before, held, after, charge)] == [20, 20, 5_00, 5_00]
    assert books.balance(commission_account) == 10_40


def test_merchant_terms_replace_general_terms(books: Books, commission_account: str, impose: Any) -> None:
    _, customer_wallet = books.client(100_00)
    (dear, dears_wallet), (other, others_wallet) = shop(books), shop(books)
    impose("charge", "0.5", merchant_id=dear)
    impose("charge", "3", currency="EUR")
    ids = [
        books.order("charge", *charge, 10_00)
        for charge in ((dear, customer_wallet, dears_wallet), (other, customer_wallet, others_wallet))
    ]
    books.poster().drain()
    assert [taken(books, id) for id in ids] == [5, 30]


@pytest.mark.parametrize(("ceiling", "outcome"), [(9_80, "COMPLETED"), (9_79, "limit_exceeded")])
def test_ceiling_applies_after_commission(books: Books, commission_account: str, ceiling: int, outcome: str) -> None:
    _, customer_wallet = books.client(10_00)
    merchant, merchant_wallet = shop(books)
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = %s WHERE id = %s", (ceiling, merchant_wallet))
    id = books.order("charge", merchant, customer_wallet, merchant_wallet, 10_00)
    books.poster().drain()
    assert books.outcomes([id]) == [outcome]
