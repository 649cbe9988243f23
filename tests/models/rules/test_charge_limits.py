"""Limits that clients set for merchants: each at its bound, and for any order of charges."""

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
INITIATORS = {id: Initiator(id, "merchant" if id in SHOPS else "client", True, False) for id in (*SHOPS, "ann")}
WALLET = LockedAccount("wallet", "ann", None, "EUR", 10_000, 0, 0, None, True, False, 0, True)
OTHER = WALLET._replace(id="other", is_limited=False)
BOOKS = {a.id: a for a in (WALLET, OTHER, *(WALLET._replace(id=f"{shop}-wallet", owner_id=shop) for shop in SHOPS))}


def charge(amount: int = 100, shop: str = "shop", **changes: object) -> ClaimedPayment:
    order = ClaimedPayment("p", "charge", "INITIATED", shop, "wallet", f"{shop}-wallet", amount, "EUR", day=TODAY)
    return order._replace(**changes)


def outcomes(allowance: Allowance, *batch: ClaimedPayment) -> list[str]:
    decision = decide(batch, BOOKS, INITIATORS, allowances={"wallet": allowance}, deposits_open=False)
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
def test_charge_needs_every_limit_that_applies_to_allow_it(limits, took, outcome):
    allowance = Allowance(tuple(ChargeLimit(*limit) for limit in limits), charged=took)
    assert outcomes(allowance, charge()) == [outcome]
    assert outcomes(allowance, charge(captures=False)) == ["AUTHORIZED" if outcome is DONE else outcome]


def test_blocked_merchant_is_refused_and_others_are_not():
    allowance = Allowance(blocked=frozenset({"shop"}))
    assert outcomes(allowance, charge(), charge(shop="mart"), charge(captures=False)) == [BLOCKED, DONE, BLOCKED]


def test_earlier_charges_of_a_batch_count_for_later_ones():
    allowance = Allowance((ChargeLimit("shop", None, 250),))
    batch = [charge(), charge(captures=False), charge(), charge(50), charge(1), charge(shop="mart")]
    assert outcomes(allowance, *batch) == [DONE, State.AUTHORIZED, OVER, DONE, OVER, DONE]


def test_each_day_has_a_limit_of_its_own():
    allowance = Allowance((ChargeLimit(None, None, 100),))
    assert outcomes(allowance, charge(), charge(day=TOMORROW), charge(), charge(day=TOMORROW)) == [
        *(DONE, DONE, OVER, OVER),
    ]


def test_failed_charge_does_not_count():
    allowance = Allowance((ChargeLimit(None, None, 20_000),))
    assert outcomes(allowance, charge(15_000), charge(9_000), charge(1_001)) == [
        *("insufficient_funds", DONE, "insufficient_funds"),
    ]


@pytest.mark.parametrize("balance", [0, 10_000])
def test_limits_are_checked_after_freezing_and_before_funds(balance):
    """A limited merchant learns nothing about the balance."""
    allowances = {"wallet": Allowance((ChargeLimit(None, 1, None),), frozenset({"mart"}))}
    books = BOOKS | {"wallet": WALLET._replace(balance=balance)}
    batch = [charge(), charge(shop="mart")]
    verdicts = decide(batch, books, INITIATORS, allowances=allowances, deposits_open=False).verdicts
    assert [verdict.failure for verdict in verdicts] == [OVER, BLOCKED]
    books["wallet"] = WALLET._replace(is_frozen=True)
    verdicts = decide(batch, books, INITIATORS, allowances=allowances, deposits_open=False).verdicts
    assert {verdict.failure for verdict in verdicts} == {Failure.ACCOUNT_FROZEN}


def test_capture_of_a_hold_is_not_limited():
    allowance = Allowance((ChargeLimit(None, 1, 1),), frozenset({"shop"}), {(TODAY, "shop"): 100})
    held = charge(state="AUTHORIZED", captures=False, action=PaymentAction.CAPTURE)
    books = BOOKS | {"wallet": WALLET._replace(held=100)}
    [verdict] = decide([held], books, INITIATORS, allowances={"wallet": allowance}, deposits_open=False).verdicts
    assert verdict.state is DONE


def test_only_charges_of_the_wallet_are_limited():
    allowance = Allowance((ChargeLimit(None, 1, 1),), frozenset(SHOPS))
    transfer = ClaimedPayment("p", "transfer", "INITIATED", "ann", "wallet", "other", 100, "EUR")
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
def test_any_order_of_charges_respects_the_limits(limits, batch, cut):
    """The result does not depend on how the charges are split into batches."""
    batch = [payment._replace(id=str(number)) for number, payment in enumerate(batch)]
    allowance = Allowance(tuple(limits))
    whole = decide(batch, BOOKS, INITIATORS, allowances={"wallet": allowance}, deposits_open=False)
    passed = {v.payment_id for v in whole.verdicts if v.failure is None}
    charged = Counter()
    for payment in batch:
        if payment.id in passed:
            charged[payment.day, payment.user_id] += payment.amount
            charged[payment.day, None] += payment.amount
    for limit in limits:
        assert all(charged[day, limit.merchant_id] <= limit.per_day for day in (TODAY, TOMORROW))
        assert not any(
            payment.amount > limit.per_charge
            for payment in batch
            if limit.per_charge is not None and payment.id in passed and limit.merchant_id in {None, payment.user_id}
        )

    first = decide(batch[:cut], BOOKS, INITIATORS, allowances={"wallet": allowance}, deposits_open=False)
    took = Counter()
    for verdict, payment in zip(first.verdicts, batch[:cut], strict=True):
        if verdict.failure is None:
            took[payment.day, payment.user_id] += payment.amount
    between = BOOKS | {account.id: account for account in first.accounts}
    left = {"wallet": allowance._replace(charged=took)}
    second = decide(batch[cut:], between, INITIATORS, allowances=left, deposits_open=False)
    assert [v.failure for v in whole.verdicts] == [v.failure for v in first.verdicts + second.verdicts]
