"""Holds, and how payments are ended: each ending from each state, and what stays of balances and holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.failure_codes import Failure
from models.rules.posting import decide, is_action_possible
from models.rules.state import State
from models.rules.types import ClaimedPayment, Decision, Initiator, LockedAccount, PaymentAction

SHOP = Initiator("shop", "merchant", is_active=True, may_deposit=False)
WALLET = LockedAccount("ann-eur", "ann", None, "EUR", 1000, 0, 0, None, True, False, 1)
HOLDING = WALLET._replace(held=100)
TILL = WALLET._replace(id="shop-eur", owner_id="shop", balance=0, last_seq=0)
CHARGE = ClaimedPayment("p", "charge", "INITIATED", "shop", "ann-eur", "shop-eur", 100, "EUR", captures=False)
HELD = CHARGE._replace(state="AUTHORIZED")


def decided(
    payment: ClaimedPayment, wallet: LockedAccount = HOLDING, till: LockedAccount = TILL, initiator: Initiator = SHOP
) -> Decision:
    return decide([payment], {wallet.id: wallet, till.id: till}, {initiator.id: initiator}, deposits_open=False)


def books(decision: Decision) -> dict[str, tuple[int, int]]:
    """Balance and hold of the accounts that changed."""
    return {account.id: (account.balance, account.held) for account in decision.accounts}


def test_a_charge_to_be_captured_later_holds_its_amount():
    decision = decided(CHARGE, WALLET)
    [only] = decision.verdicts
    assert (only.state, only.failure, only.operations) == (State.AUTHORIZED, None, ())
    assert books(decision) == {"ann-eur": (1000, 100)}


def test_what_is_held_cannot_be_held_again():
    wallet = WALLET._replace(held=901)
    decision = decided(CHARGE, wallet)
    assert (decision.verdicts[0].failure, decision.accounts) == (Failure.INSUFFICIENT_FUNDS, [])


@pytest.mark.parametrize(("asked", "taken"), [(None, 100), (100, 100), (1, 1), (40, 40)])
def test_a_capture_takes_the_whole_or_a_part_and_releases_the_rest(asked, taken):
    decision = decided(HELD._replace(action=PaymentAction.CAPTURE, capture_amount=asked))
    [only] = decision.verdicts
    assert (only.state, only.captured) == (State.COMPLETED, taken)
    assert [operation.amount for operation in only.operations] == [-taken, taken]
    assert books(decision) == {"ann-eur": (1000 - taken, 0), "shop-eur": (taken, 0)}


@pytest.mark.parametrize(
    ("ending", "failure"), [(PaymentAction.VOID, Failure.CANCELED), (PaymentAction.EXPIRE, Failure.EXPIRED)]
)
def test_a_hold_is_released(ending, failure):
    decision = decided(HELD._replace(action=ending))
    [only] = decision.verdicts
    assert (only.state, only.failure, only.operations) == (State.FAILED, failure, ())
    assert books(decision) == {"ann-eur": (1000, 0)}


@pytest.mark.parametrize(
    ("ending", "failure"), [(PaymentAction.CANCEL, Failure.CANCELED), (PaymentAction.EXPIRE, Failure.EXPIRED)]
)
def test_what_was_never_posted_ends_without_a_trace_in_the_books(ending, failure):
    decision = decided(CHARGE._replace(action=ending))
    assert (decision.verdicts[0].state, decision.verdicts[0].failure) == (State.FAILED, failure)
    assert decision.accounts == []


@pytest.mark.parametrize(
    ("payment", "ending"),
    [
        *((CHARGE, ending) for ending in (PaymentAction.CAPTURE, PaymentAction.VOID)),
        (HELD, PaymentAction.CANCEL),
        *((CHARGE._replace(state=final), ending) for final in ("COMPLETED", "FAILED") for ending in PaymentAction),
        (HELD._replace(capture_amount=101), PaymentAction.CAPTURE),
    ],
)
def test_what_cannot_be_ended_so_stays_as_it_is(payment, ending):
    payment = payment._replace(action=ending)
    assert not is_action_possible(payment)
    assert decided(payment) == ([], [], [])


@pytest.mark.parametrize(
    ("wallet", "till", "initiator", "failure"),
    [
        (HOLDING._replace(is_frozen=True), TILL, SHOP, Failure.ACCOUNT_FROZEN),
        (HOLDING._replace(is_active=False), TILL, SHOP, Failure.ACCOUNT_INACTIVE),
        (HOLDING, TILL._replace(is_active=False), SHOP, Failure.ACCOUNT_INACTIVE),
        (HOLDING, TILL._replace(ceiling=99), SHOP, Failure.LIMIT_EXCEEDED),
        (HOLDING, TILL, SHOP._replace(is_active=False), Failure.ACCOUNT_INACTIVE),
    ],
)
def test_a_capture_that_is_refused_releases_the_hold(wallet, till, initiator, failure):
    decision = decided(HELD._replace(action=PaymentAction.CAPTURE), wallet, till, initiator)
    assert decision.verdicts[0].failure == failure
    assert books(decision) == {"ann-eur": (1000, 0)}


endings = st.sampled_from([None, *PaymentAction])
orders = st.builds(
    lambda number, state, amount, ending, part, captures: ClaimedPayment(
        f"p{number}", "charge", state, "shop", "ann-eur", "shop-eur", amount, "EUR", captures,
        ending, part if ending is PaymentAction.CAPTURE else None,
    ),
    st.integers(0, 9), st.sampled_from(["INITIATED", "AUTHORIZED"]), st.integers(1, 400), endings,
    st.none() | st.integers(1, 400), st.booleans(),
)  # fmt: skip


@given(st.lists(orders, max_size=12, unique_by=lambda payment: payment.id))
def test_whatever_ends_money_is_conserved_and_holds_add_up(batch):
    # Held already: whatever is AUTHORIZED; a claimed payment that is, is claimed to be ended.
    batch = [p for p in batch if p.state == "INITIATED" or (p.action is not None and not p.captures)]
    held = sum(p.amount for p in batch if p.state == "AUTHORIZED")
    wallet = WALLET._replace(balance=1000 + held, held=held)
    before = {wallet.id: wallet, TILL.id: TILL}
    decision = decide(batch, before, {"shop": SHOP}, deposits_open=False)
    after = before | {account.id: account for account in decision.accounts}
    assert sum(account.balance for account in after.values()) == sum(account.balance for account in before.values())
    states = {p.id: p.state for p in batch} | {v.payment_id: v.state for v in decision.verdicts}
    assert after[wallet.id].held == sum(p.amount for p in batch if states[p.id] == "AUTHORIZED")
    assert after[wallet.id].balance - after[wallet.id].held >= 0
    for verdict in decision.verdicts:
        assert sum(operation.amount for operation in verdict.operations) == 0
        assert bool(verdict.operations) == (verdict.state is State.COMPLETED)
