"""Holds, and each action (capture, void, cancel, expire) in each state with the balances and holds after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.failure_codes import Failure
from models.rules.posting import decide, is_action_possible
from models.rules.state import State
from models.rules.types import ClaimedPayment, Decision, Initiator, LockedAccount, PaymentAction
from tests.models.rules import parties
from tests.models.rules.parties import SHOP, SHOPS, WALLET, books

HOLDING = WALLET._replace(held=100)
CHARGE = parties.CHARGE._replace(captures=False)
HELD = CHARGE._replace(state="AUTHORIZED")


def decided(
    payment: ClaimedPayment,
    wallet: LockedAccount = HOLDING,
    payee: LockedAccount = SHOPS,
    initiator: Initiator = SHOP,
) -> Decision:
    return decide(
        [payment],
        {wallet.id: wallet, payee.id: payee},
        {initiator.id: initiator},
        deposits_open=False,
    )


def test_charge_to_capture_later_holds_its_amount():
    decision = decided(CHARGE, WALLET)
    [only] = decision.verdicts
    assert (only.state, only.failure, only.operations) == (State.AUTHORIZED, None, ())
    assert books(decision) == {"ann-eur": (1000, 100)}


def test_charge_beyond_the_available_balance_holds_nothing():
    wallet = WALLET._replace(held=901)
    decision = decided(CHARGE, wallet)
    assert (decision.verdicts[0].failure, decision.accounts) == (Failure.INSUFFICIENT_FUNDS, [])


@pytest.mark.parametrize(("amount", "captured"), [(None, 100), (100, 100), (1, 1), (40, 40)])
def test_capture_of_all_or_a_part_releases_the_rest(amount, captured):
    decision = decided(HELD._replace(action=PaymentAction.CAPTURE, capture_amount=amount))
    [only] = decision.verdicts
    assert (only.state, only.captured) == (State.COMPLETED, captured)
    assert [operation.amount for operation in only.operations] == [-captured, captured]
    assert books(decision) == {"ann-eur": (1000 - captured, 0), "shop-eur": (captured, 0)}


@pytest.mark.parametrize(
    ("action", "failure"), [(PaymentAction.VOID, Failure.CANCELED), (PaymentAction.EXPIRE, Failure.EXPIRED)]
)
def test_void_and_expiry_release_the_hold(action, failure):
    decision = decided(HELD._replace(action=action))
    [only] = decision.verdicts
    assert (only.state, only.failure, only.operations) == (State.FAILED, failure, ())
    assert books(decision) == {"ann-eur": (1000, 0)}


@pytest.mark.parametrize(
    ("action", "failure"), [(PaymentAction.CANCEL, Failure.CANCELED), (PaymentAction.EXPIRE, Failure.EXPIRED)]
)
def test_canceled_initiated_payment_changes_no_account(action, failure):
    decision = decided(CHARGE._replace(action=action))
    assert (decision.verdicts[0].state, decision.verdicts[0].failure) == (State.FAILED, failure)
    assert decision.accounts == []


@pytest.mark.parametrize(
    ("payment", "action"),
    [
        *((CHARGE, action) for action in (PaymentAction.CAPTURE, PaymentAction.VOID)),
        (HELD, PaymentAction.CANCEL),
        *((CHARGE._replace(state=final), action) for final in ("COMPLETED", "FAILED") for action in PaymentAction),
        (HELD._replace(capture_amount=101), PaymentAction.CAPTURE),
    ],
)
def test_impossible_action_changes_nothing(payment, action):
    payment = payment._replace(action=action)
    assert not is_action_possible(payment)
    assert decided(payment) == ([], [], [])


@pytest.mark.parametrize(
    ("wallet", "payee", "initiator", "failure"),
    [
        (HOLDING._replace(is_frozen=True), SHOPS, SHOP, Failure.ACCOUNT_FROZEN),
        (HOLDING._replace(is_active=False), SHOPS, SHOP, Failure.ACCOUNT_INACTIVE),
        (HOLDING, SHOPS._replace(is_active=False), SHOP, Failure.ACCOUNT_INACTIVE),
        (HOLDING, SHOPS._replace(ceiling=99), SHOP, Failure.LIMIT_EXCEEDED),
        (HOLDING, SHOPS, SHOP._replace(is_active=False), Failure.ACCOUNT_INACTIVE),
    ],
)
def test_refused_capture_releases_the_hold(wallet, payee, initiator, failure):
    decision = decided(HELD._replace(action=PaymentAction.CAPTURE), wallet, payee, initiator)
    assert decision.verdicts[0].failure == failure
    assert books(decision) == {"ann-eur": (1000, 0)}


actions = st.sampled_from([None, *PaymentAction])
orders = st.builds(
    lambda number, state, amount, action, part, captures: ClaimedPayment(
        f"p{number}", "charge", state, "shop", "ann-eur", "shop-eur", amount, "EUR", captures,
        action, part if action is PaymentAction.CAPTURE else None,
    ),
    st.integers(0, 9), st.sampled_from(["INITIATED", "AUTHORIZED"]), st.integers(1, 400), actions,
    st.none() | st.integers(1, 400), st.booleans(),
)  # fmt: skip


@given(st.lists(orders, max_size=12, unique_by=lambda payment: payment.id))
def test_any_actions_conserve_money_and_holds_add_up(batch):
    # AUTHORIZED payments are held already, and are claimed only for an action.
    batch = [p for p in batch if p.state == "INITIATED" or (p.action is not None and not p.captures)]
    held = sum(p.amount for p in batch if p.state == "AUTHORIZED")
    wallet = WALLET._replace(balance=1000 + held, held=held)
    before = {wallet.id: wallet, SHOPS.id: SHOPS}
    decision = decide(batch, before, {"shop": SHOP}, deposits_open=False)
    after = before | {account.id: account for account in decision.accounts}
    assert sum(account.balance for account in after.values()) == sum(account.balance for account in before.values())
    states = {p.id: p.state for p in batch} | {v.payment_id: v.state for v in decision.verdicts}
    assert after[wallet.id].held == sum(p.amount for p in batch if states[p.id] == "AUTHORIZED")
    assert after[wallet.id].balance - after[wallet.id].held >= 0
    for verdict in decision.verdicts:
        assert sum(operation.amount for operation in verdict.operations) == 0
        assert bool(verdict.operations) == (verdict.state is State.COMPLETED)
