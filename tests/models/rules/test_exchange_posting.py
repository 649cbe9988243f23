"""Payments by quote: two balanced legs through technical accounts, and only as quoted."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.failure_codes import Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.posting import decide
from models.rules.state import State
from models.rules.types import ClaimedPayment, Decision, LockedAccount, QuotedAmounts
from tests.models.rules.parties import ANN

EUROS = LockedAccount("ann-eur", "ann", None, "EUR", 1000, 0, 0, None, True, False, 1)
DOLLARS = EUROS._replace(id="ann-usd", currency="USD", balance=0, last_seq=0)
BOBS = DOLLARS._replace(id="bob-usd", owner_id="bob")
EXCHANGE_EUR = LockedAccount("exchange-eur", None, "exchange", "EUR", 0, 0, None, None, True, False, 0)
EXCHANGE_USD = EXCHANGE_EUR._replace(id="exchange-usd", currency="USD")
COMMISSION = EXCHANGE_EUR._replace(id="commission-eur", code="commission")

QUOTED = QuotedAmounts("ann", "EUR", "USD", 100, 108, 2)
EXCHANGE = ClaimedPayment(
    "p", "exchange", "INITIATED", "ann", "ann-eur", "ann-usd", 100, "EUR",
    quote_id="q", target_amount=108, target_currency="USD",
)  # fmt: skip
TRANSFER = EXCHANGE._replace(type="transfer", target_id="bob-usd")
ORDERS = {
    "exchange": (EXCHANGE, DOLLARS, QUOTED),
    "transfer": (TRANSFER, BOBS, QUOTED),
    "transfer between own wallets": (TRANSFER._replace(target_id="ann-usd"), DOLLARS, QUOTED),
}


def decided(
    payment: ClaimedPayment, target: LockedAccount, quote: QuotedAmounts | None, source: LockedAccount = EUROS
) -> Decision:
    books = {account.id: account for account in (source, target, EXCHANGE_EUR, EXCHANGE_USD, COMMISSION)}
    quotes = {} if quote is None else {"p": quote}
    return decide([payment], books, {"ann": ANN}, quotes=quotes, deposits_open=False)


@pytest.mark.parametrize("order", list(ORDERS.values()), ids=list(ORDERS))
def test_exchange_posts_commission_and_two_balanced_legs(order):
    [only] = decided(*order).verdicts
    assert (only.state, only.commission) == (State.COMPLETED, 2)
    assert [(o.account_id, o.amount, o.currency, o.kind) for o in only.operations] == [
        ("ann-eur", -2, "EUR", "commission"),
        ("commission-eur", 2, "EUR", "commission"),
        ("ann-eur", -98, "EUR", "exchange"),
        ("exchange-eur", 98, "EUR", "exchange"),
        ("exchange-usd", -108, "USD", "exchange"),
        (order[1].id, 108, "USD", "exchange"),
    ]


def test_exchange_without_commission_posts_two_legs():
    [only] = decided(EXCHANGE, DOLLARS, QUOTED._replace(commission=0)).verdicts
    assert [o.amount for o in only.operations] == [-100, 100, -108, 108]


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "bob"},
        {"amount": 99},
        {"currency": "USD"},
        {"target_amount": 107},
        {"target_currency": "JPY"},
    ],
)
def test_exchange_that_differs_from_its_quote_is_refused(change):
    decision = decided(EXCHANGE, DOLLARS, QUOTED._replace(**change))
    assert (decision.verdicts[0].failure, decision.accounts) == (Failure.QUOTE_EXPIRED, [])


@pytest.mark.parametrize("order", list(ORDERS.values()), ids=list(ORDERS))
def test_exchange_without_its_quote_moves_nothing(order):
    payment, target, _ = order
    assert decided(payment, target, None).verdicts[0].failure is Failure.QUOTE_EXPIRED


@pytest.mark.parametrize(
    ("failure", "source", "target"),
    [
        (Failure.NOT_PERMITTED, {"owner_id": "bob"}, {}),
        (Failure.NOT_PERMITTED, {}, {"owner_id": "bob"}),
        (Failure.NOT_PERMITTED, {}, {"owner_id": None, "code": "wire"}),
        (Failure.CURRENCY_MISMATCH, {"currency": "USD"}, {}),
        (Failure.CURRENCY_MISMATCH, {}, {"currency": "EUR"}),
        (Failure.ACCOUNT_INACTIVE, {}, {"is_active": False}),
        (Failure.ACCOUNT_FROZEN, {"is_frozen": True}, {}),
        (Failure.INSUFFICIENT_FUNDS, {"balance": 99}, {}),
        (Failure.LIMIT_EXCEEDED, {}, {"ceiling": 107}),
    ],
)
def test_each_check_refuses_an_exchange(failure, source, target):
    decision = decided(EXCHANGE, DOLLARS._replace(**target), QUOTED, EUROS._replace(**source))
    assert (decision.verdicts[0].failure, decision.accounts) == (failure, [])


@pytest.mark.parametrize(
    ("account", "balance", "state"),
    [
        (EXCHANGE_EUR, MINOR_UNITS_MAX - 97, State.FAILED),
        (EXCHANGE_EUR, MINOR_UNITS_MAX - 98, State.COMPLETED),
        (EXCHANGE_USD, 107 - MINOR_UNITS_MAX, State.FAILED),
        (EXCHANGE_USD, 108 - MINOR_UNITS_MAX, State.COMPLETED),
        (COMMISSION, MINOR_UNITS_MAX - 1, State.FAILED),
    ],
)
def test_technical_accounts_are_bounded_by_the_largest_amount(account, balance, state):
    books = {account.id: account for account in (EUROS, DOLLARS, EXCHANGE_EUR, EXCHANGE_USD, COMMISSION)}
    books[account.id] = account._replace(balance=balance)
    [only] = decide([EXCHANGE], books, {"ann": ANN}, quotes={"p": QUOTED}, deposits_open=False).verdicts
    assert (only.state, only.failure) == (state, Failure.LIMIT_EXCEEDED if state is State.FAILED else None)


def test_exchange_without_any_quote_is_refused():
    bare = EXCHANGE._replace(quote_id=None, target_amount=None, target_currency=None)
    assert decided(bare, EUROS._replace(id="ann-usd"), None).verdicts[0].failure is Failure.NOT_PERMITTED


def test_exchange_up_to_the_ceiling_completes():
    decision = decided(EXCHANGE, DOLLARS._replace(ceiling=108), QUOTED)
    assert decision.verdicts[0].state is State.COMPLETED


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 10**30), st.integers(0, 100)), min_size=1, max_size=6))
def test_each_currency_sums_to_zero_without_overdraft(orders):
    payments, quotes = [], {}
    for at, (amount, arriving, fee) in enumerate(orders):
        payments.append(EXCHANGE._replace(id=str(at), amount=amount, target_amount=arriving))
        quotes[str(at)] = QUOTED._replace(amount=amount, target_amount=arriving, commission=min(fee, amount - 1))
    books = {account.id: account for account in (EUROS, DOLLARS, EXCHANGE_EUR, EXCHANGE_USD, COMMISSION)}
    decision = decide(payments, books, {"ann": ANN}, quotes=quotes, deposits_open=False)
    totals = Counter()
    for account in decision.accounts:
        totals[account.currency] += account.balance - books[account.id].balance
    assert not any(totals.values())
    assert all(account.owner_id is None or account.balance >= 0 for account in decision.accounts)
    for verdict in decision.verdicts:
        sums = Counter()
        for operation in verdict.operations:
            sums[operation.currency] += operation.amount
        assert not any(sums.values())
