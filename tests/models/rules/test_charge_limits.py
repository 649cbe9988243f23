"""What a client lets merchants take: each limit on its edge, and that no order of charges passes one."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.charge_limits import Allowance, ChargeLimit
from models.rules.failure_codes import Failure
from models.rules.posting import decide
from models.rules.state import State
from models.rules.types import ClaimedPayment, Initiator, LockedAccount, PaymentAction

TODAY = date(2026, 11, 21)
TOMORROW = TODAY + timedelta(days=1)
SHOPS = ("shop", "mart", "club")
MAKERS = {id: Initiator(id, "merchant" if id in SHOPS else "client", True, False) for id in (*SHOPS, "ann")}
PURSE = LockedAccount("purse", "ann", None, "EUR", 10_000, 0, 0, None, True, False, 0, True)
OTHER = PURSE._replace(id="other", is_limited=False)
BOOKS = {a.id: a for a in (PURSE, OTHER, *(PURSE._replace(id=f"{shop}-till", owner_id=shop) for shop in SHOPS))}


def charge(amount: int = 100, shop: str = "shop", **changes: object) -> ClaimedPayment:
    order = ClaimedPayment("p", "charge", "INITIATED", shop, "purse", f"{shop}-till", amount, "EUR", day=TODAY)
    return order._replace(**changes)


def outcomes(allowance: Allowance, *batch: ClaimedPayment) -> list[str]:
    decision = decide(batch, BOOKS, MAKERS, allowances={"purse": allowance}, deposits_open=False)
    return [verdict.failure or verdict.state for verdict in decision.verdicts]


DONE, OVER, BLOCKED = State.COMPLETED, Failure.LIMIT_EXCEEDED, Failure.MERCHANT_BLOCKED
TOOK = {(TODAY, "shop"): 60, (TODAY, "mart"): 30, (TOMORROW, "shop"): 1}


@pytest.mark.parametrize(
    ("limits", "took", "outcome"),
    [
        ([], TOOK, DONE),
        ([("shop", 100, None)], TOOK, DONE),
        ([("shop", 99, None)], {}, OVER),
        ([("mart", 1, 1)], TOOK, DONE),
        ([(None, 100, None)], {}, DONE),
        ([(None, 99, None)], {}, OVER),
        ([("shop", None, 160)], TOOK, DONE),
        ([("shop", None, 159)], TOOK, OVER),
        ([(None, None, 190)], TOOK, DONE),
        ([(None, None, 189)], TOOK, OVER),
        ([(None, 99, None), ("shop", 1000, 1000)], {}, OVER),
        ([(None, 1000, 1000), ("shop", 99, None)], {}, OVER),
        ([(None, None, 190), ("shop", 100, 160)], TOOK, DONE),
    ],
)
def test_every_limit_that_applies_must_allow_a_charge(limits, took, outcome):
    allowance = Allowance(tuple(ChargeLimit(*limit) for limit in limits), took=took)
    assert outcomes(allowance, charge()) == [outcome]
    assert outcomes(allowance, charge(captures=False)) == ["AUTHORIZED" if outcome is DONE else outcome]


def test_a_blocked_merchant_takes_nothing_and_others_do():
    allowance = Allowance(blocked=frozenset({"shop"}))
    assert outcomes(allowance, charge(), charge(shop="mart"), charge(captures=False)) == [BLOCKED, DONE, BLOCKED]


def test_what_a_batch_took_counts_for_the_rest_of_it():
    allowance = Allowance((ChargeLimit("shop", None, 250),))
    batch = [charge(), charge(captures=False), charge(), charge(50), charge(1), charge(shop="mart")]
    assert outcomes(allowance, *batch) == [DONE, State.AUTHORIZED, OVER, DONE, OVER, DONE]


def test_days_are_apart():
    allowance = Allowance((ChargeLimit(None, None, 100),))
    assert outcomes(allowance, charge(), charge(day=TOMORROW), charge(), charge(day=TOMORROW)) == [
        *(DONE, DONE, OVER, OVER),
    ]


def test_a_charge_that_fails_takes_nothing():
    allowance = Allowance((ChargeLimit(None, None, 20_000),))
    assert outcomes(allowance, charge(15_000), charge(9_000), charge(1_001)) == [
        *("insufficient_funds", DONE, "insufficient_funds"),
    ]


@pytest.mark.parametrize("balance", [0, 10_000])
def test_the_payers_word_comes_before_his_money_and_after_what_closes_the_wallet(balance):
    """A merchant whom he limits learns nothing of the balance."""
    allowances = {"purse": Allowance((ChargeLimit(None, 1, None),), frozenset({"mart"}))}
    books = BOOKS | {"purse": PURSE._replace(balance=balance)}
    batch = [charge(), charge(shop="mart")]
    verdicts = decide(batch, books, MAKERS, allowances=allowances, deposits_open=False).verdicts
    assert [verdict.failure for verdict in verdicts] == [OVER, BLOCKED]
    books["purse"] = PURSE._replace(is_frozen=True)
    verdicts = decide(batch, books, MAKERS, allowances=allowances, deposits_open=False).verdicts
    assert {verdict.failure for verdict in verdicts} == {Failure.ACCOUNT_FROZEN}


def test_what_is_held_is_promised():
    allowance = Allowance((ChargeLimit(None, 1, 1),), frozenset({"shop"}), {(TODAY, "shop"): 100})
    held = charge(state="AUTHORIZED", captures=False, action=PaymentAction.CAPTURE)
    books = BOOKS | {"purse": PURSE._replace(held=100)}
    [verdict] = decide([held], books, MAKERS, allowances={"purse": allowance}, deposits_open=False).verdicts
    assert verdict.state is DONE


def test_only_charges_of_the_wallet_are_limited():
    allowance = Allowance((ChargeLimit(None, 1, 1),), frozenset(SHOPS))
    transfer = ClaimedPayment("p", "transfer", "INITIATED", "ann", "purse", "other", 100, "EUR")
    assert outcomes(allowance, transfer, charge(source_id="other")) == [DONE, DONE]


LIMITS = st.lists(
    st.builds(
        ChargeLimit,
        st.sampled_from([None, *SHOPS]),
        st.none() | st.integers(1, 300),
        st.integers(1, 1000),
    ),
    max_size=4,
    unique_by=lambda limit: limit.merchant_id,
)
CHARGES = st.lists(
    st.builds(
        charge,
        st.integers(1, 400),
        st.sampled_from(SHOPS),
        day=st.sampled_from([TODAY, TOMORROW]),
        captures=st.booleans(),
    ),
    max_size=30,
)


@given(limits=LIMITS, batch=CHARGES, cut=st.integers(0, 30))
def test_no_order_of_charges_passes_a_limit(limits, batch, cut):
    """Nor does it matter how they fall into batches."""
    batch = [payment._replace(id=str(number)) for number, payment in enumerate(batch)]
    allowance = Allowance(tuple(limits))
    whole = decide(batch, BOOKS, MAKERS, allowances={"purse": allowance}, deposits_open=False)
    passed = {v.payment_id for v in whole.verdicts if v.failure is None}
    taken = Counter()
    for payment in batch:
        if payment.id in passed:
            taken[payment.day, payment.user_id] += payment.amount
            taken[payment.day, None] += payment.amount
    for limit in limits:
        assert all(taken[day, limit.merchant_id] <= limit.per_day for day in (TODAY, TOMORROW))
        assert not any(
            payment.amount > limit.per_charge
            for payment in batch
            if limit.per_charge is not None and payment.id in passed and limit.merchant_id in {None, payment.user_id}
        )

    first = decide(batch[:cut], BOOKS, MAKERS, allowances={"purse": allowance}, deposits_open=False)
    took = Counter()
    for verdict, payment in zip(first.verdicts, batch[:cut], strict=True):
        if verdict.failure is None:
            took[payment.day, payment.user_id] += payment.amount
    between = BOOKS | {account.id: account for account in first.accounts}
    left = {"purse": allowance._replace(took=took)}
    second = decide(batch[cut:], between, MAKERS, allowances=left, deposits_open=False)
    assert [v.failure for v in whole.verdicts] == [v.failure for v in first.verdicts + second.verdicts]
