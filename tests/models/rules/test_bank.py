"""Withdrawals that wait for their bank, what comes back from it, and bulks that are held as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.commission import Terms
from models.rules.failure_codes import Failure
from models.rules.posting import decide, is_action_possible
from models.rules.state import State
from models.rules.types import (
    NO_BULKS,
    ClaimedPayment,
    Decision,
    Initiator,
    LockedAccount,
    LockedBulk,
    PaymentAction,
    RefundableAmount,
)
from tests.models.rules.parties import ANN, WALLET, WIRE, books

HOLDING = WALLET._replace(held=100)
COMMISSION = WIRE._replace(id="commission-eur", code="commission")
WITHDRAWAL = ClaimedPayment("p", "withdrawal", "INITIATED", "ann", "ann-eur", "wire-eur", 100, "EUR")
WAITING = WITHDRAWAL._replace(state="AUTHORIZED")
RETURN = ClaimedPayment("r", "return", "INITIATED", "ann", "wire-eur", "ann-eur", 60, "EUR", parent_id="p")
PAID_OUT = RefundableAmount("withdrawal", "ann", "ann-eur", "wire-eur", 100, 0)
ATOMIC = LockedBulk("b", "ann", "ann-eur", "EUR", 300, True, False, 0, None, 0, 0, 0)
TWO_PERCENT = Terms(2_000_000)


def decided(
    *payments: ClaimedPayment,
    wallet: LockedAccount = WALLET,
    initiator: Initiator = ANN,
    charge=PAID_OUT,
    bulks=NO_BULKS,
) -> Decision:
    accounts = {account.id: account for account in (wallet, WIRE, COMMISSION)}
    return decide(payments, accounts, {"ann": initiator}, {"p": charge}, bulks=bulks, deposits_open=False)


def outcomes(decision: Decision) -> list[str]:
    return [verdict.failure or verdict.state for verdict in decision.verdicts]


def test_withdrawal_to_a_bank_is_held_and_sends_a_payout():
    decision = decided(WITHDRAWAL)
    [only] = decision.verdicts
    assert (only.state, only.sends_payout, only.operations) == (State.AUTHORIZED, True, ())
    assert books(decision) == {"ann-eur": (1000, 100)}


@pytest.mark.parametrize("code", ["wallet", "crypto"])
def test_withdrawal_without_a_bank_completes_at_once(code):
    accounts = {"ann-eur": WALLET, "wire-eur": WIRE._replace(code=code)}
    [only] = decide([WITHDRAWAL], accounts, {"ann": ANN}, deposits_open=False).verdicts
    assert (only.state, only.sends_payout) == (State.COMPLETED, False)


def test_commission_of_a_withdrawal_moves_on_confirmation():
    order = WITHDRAWAL._replace(terms=TWO_PERCENT)
    assert decided(order).verdicts[0].commission == 2
    decision = decided(order._replace(state="AUTHORIZED", action=PaymentAction.CONFIRM), wallet=HOLDING)
    assert books(decision) == {"ann-eur": (900, 0), "wire-eur": (98, 0), "commission-eur": (2, 0)}
    assert decision.verdicts[0].commission == 2


@pytest.mark.parametrize(
    ("wallet", "initiator"),
    [
        (HOLDING, ANN),
        (HOLDING._replace(is_frozen=True), ANN),
        (HOLDING._replace(is_active=False), ANN),
        (HOLDING, ANN._replace(is_active=False)),
        (HOLDING._replace(balance=100), ANN),
    ],
)
def test_confirmed_payout_is_never_refused(wallet, initiator):
    decision = decided(WAITING._replace(action=PaymentAction.CONFIRM), wallet=wallet, initiator=initiator)
    assert outcomes(decision) == [State.COMPLETED]
    assert books(decision) == {"ann-eur": (wallet.balance - 100, 0), "wire-eur": (100, 0)}


def test_rejected_payout_releases_the_hold():
    decision = decided(WAITING._replace(action=PaymentAction.REJECT), wallet=HOLDING)
    assert outcomes(decision) == [Failure.REJECTED_BY_BANK]
    assert books(decision) == {"ann-eur": (1000, 0)}


@pytest.mark.parametrize(
    "action", [PaymentAction.CAPTURE, PaymentAction.VOID, PaymentAction.CANCEL, PaymentAction.EXPIRE]
)
def test_submitted_payout_cannot_be_ended_by_users(action):
    assert not is_action_possible(WAITING._replace(action=action))


@pytest.mark.parametrize("action", [PaymentAction.CONFIRM, PaymentAction.REJECT])
@pytest.mark.parametrize("order", [WITHDRAWAL, WAITING._replace(type="charge"), WAITING._replace(state="COMPLETED")])
def test_bank_cannot_end_other_payments(order, action):
    assert not is_action_possible(order._replace(action=action))


@pytest.mark.parametrize("is_usable", [True, False])
def test_return_to_an_unusable_wallet_completes(is_usable):
    wallet = WALLET._replace(is_active=is_usable, is_frozen=not is_usable)
    decision = decided(RETURN, wallet=wallet, initiator=ANN._replace(is_active=is_usable))
    assert outcomes(decision) == [State.COMPLETED]
    assert books(decision) == {"ann-eur": (1060, 0), "wire-eur": (-60, 0)}


def test_return_to_a_full_wallet_completes():
    assert outcomes(decided(RETURN, wallet=WALLET._replace(ceiling=1059))) == [State.COMPLETED]


def test_returns_never_exceed_the_payout():
    more = RETURN._replace(id="r2", amount=41)
    assert outcomes(decided(RETURN, more)) == [State.COMPLETED, Failure.REFUND_EXCEEDS_CHARGE]


@pytest.mark.parametrize(
    ("order", "charge"),
    [
        (RETURN._replace(type="refund"), PAID_OUT),
        (RETURN, PAID_OUT._replace(type="charge")),
        (RETURN, PAID_OUT._replace(user_id="bob")),
        (RETURN._replace(parent_id=None), PAID_OUT),
    ],
)
def test_return_is_permitted_to_the_source_of_a_withdrawal_only(order, charge):
    assert outcomes(decided(order, charge=charge)) == [Failure.NOT_PERMITTED]


def lines(*amounts: int) -> list[ClaimedPayment]:
    return [WITHDRAWAL._replace(id=f"p{n}", amount=amount, bulk_id="b") for n, amount in enumerate(amounts)]


def test_atomic_bulk_is_held_wholly_by_its_first_line():
    decision = decided(lines(100)[0], bulks={"b": ATOMIC})
    assert books(decision) == {"ann-eur": (1000, 300)}
    assert decision.bulks == [ATOMIC._replace(is_decided=True, held=200, authorized=1)]


def test_uncovered_atomic_bulk_fails_as_a_whole_without_hold():
    decision = decided(*lines(100, 100, 100), wallet=WALLET._replace(balance=299), bulks={"b": ATOMIC})
    assert outcomes(decision) == [Failure.INSUFFICIENT_FUNDS] * 3
    assert decision.accounts == []
    assert decision.bulks == [ATOMIC._replace(is_decided=True, failure="insufficient_funds", failed=3)]


def test_hold_of_an_atomic_bulk_is_for_its_lines_only():
    first = decided(*lines(100), bulks={"b": ATOMIC}, wallet=WALLET._replace(balance=300))
    [wallet] = first.accounts
    assert outcomes(decided(WITHDRAWAL._replace(amount=1), wallet=wallet)) == [Failure.INSUFFICIENT_FUNDS]
    rest = decided(*lines(100, 100, 100)[1:], wallet=wallet, bulks={"b": first.bulks[0]})
    assert outcomes(rest) == [State.AUTHORIZED, State.AUTHORIZED]
    assert rest.bulks[0].held == 0
    assert books(rest) == {}, "the hold passed from the bulk to its lines"


@pytest.mark.parametrize(
    ("wallet", "initiator"),
    [({"is_frozen": True}, ANN), ({"is_active": False}, ANN), ({}, ANN._replace(is_active=False))],
)
def test_decided_bulk_is_paid_whatever_its_wallet_becomes(wallet, initiator):
    """The wallet may be closed between two batches; a bulk that is not decided yet fails as a whole."""
    first = decided(*lines(100), bulks={"b": ATOMIC})
    later, rest = first.accounts[0]._replace(**wallet), lines(100, 100, 100)[1:]
    assert (
        outcomes(decided(*rest, wallet=later, initiator=initiator, bulks={"b": first.bulks[0]}))
        == [State.AUTHORIZED] * 2
    )
    none = decided(*lines(100, 100, 100), wallet=WALLET._replace(**wallet), initiator=initiator, bulks={"b": ATOMIC})
    assert (set(none.bulks), none.accounts) == (
        {ATOMIC._replace(is_decided=True, failure=outcomes(none)[0], failed=3)},
        [],
    )


def test_atomic_bulk_fails_if_commission_exceeds_one_line():
    orders = [line._replace(terms=Terms(0, minimum=50)) for line in lines(250, 50)]
    decision = decided(*orders, bulks={"b": ATOMIC._replace(least=50)})
    assert outcomes(decision) == [Failure.COMMISSION_EXCEEDS_AMOUNT] * 2
    assert decision.accounts == []
    dearer = [line._replace(terms=Terms(0, minimum=49)) for line in lines(250, 50)]
    assert outcomes(decided(*dearer, bulks={"b": ATOMIC._replace(least=50)})) == [State.AUTHORIZED] * 2


def test_canceled_line_releases_its_share_of_the_hold():
    first, second, third = lines(100, 100, 100)
    decision = decided(first._replace(action=PaymentAction.CANCEL), second, third, bulks={"b": ATOMIC})
    assert outcomes(decision) == [Failure.CANCELED, State.AUTHORIZED, State.AUTHORIZED]
    assert books(decision) == {"ann-eur": (1000, 200)}
    assert decision.bulks[0][7:12] == (0, None, 2, 0, 1)


@pytest.mark.parametrize(
    "change", [{"amount": 301}, {"user_id": "bob"}, {"source_id": "wire-eur", "target_id": "ann-eur"}]
)
def test_line_that_differs_from_its_bulk_is_not_permitted(change):
    held = ATOMIC._replace(is_decided=True, held=300)
    initiators = {"ann": ANN, "bob": ANN._replace(id="bob")}
    accounts = {"ann-eur": WALLET._replace(held=300), "wire-eur": WIRE}
    [line] = lines(100)
    decision = decide([line._replace(**change)], accounts, initiators, bulks={"b": held}, deposits_open=False)
    assert outcomes(decision) == [Failure.NOT_PERMITTED]
    assert (decision.accounts, decision.bulks[0].held) == ([], 300)


def test_best_effort_lines_succeed_or_fail_alone():
    loose = ATOMIC._replace(is_atomic=False)
    decision = decided(*lines(900, 200, 100), bulks={"b": loose})
    assert outcomes(decision) == [State.AUTHORIZED, Failure.INSUFFICIENT_FUNDS, State.AUTHORIZED]
    assert decision.bulks == [loose._replace(authorized=2, failed=1)]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.integers(0, 1500),
    st.lists(st.sampled_from([None, PaymentAction.CANCEL, PaymentAction.CONFIRM, PaymentAction.REJECT]), max_size=24),
    st.integers(1, 3),
)
def test_any_outcomes_of_lines_conserve_money_and_holds(amounts, balance, actions, batch):
    bulk = ATOMIC._replace(total=sum(amounts))
    accounts = {"ann-eur": WALLET._replace(balance=balance), "wire-eur": WIRE}
    states = {line.id: line for line in lines(*amounts)}
    todo = list(states)
    for action in [*actions, *[None] * len(todo)]:
        claimed = [states[id]._replace(action=action) for id in todo[:batch]]
        todo = todo[batch:] + todo[:batch]
        claimed = [line for line in claimed if line.state == "INITIATED" or line.action is not None]
        decision = decide(claimed, accounts, {"ann": ANN}, bulks={"b": bulk}, deposits_open=False)
        accounts |= {account.id: account for account in decision.accounts}
        bulk = decision.bulks[0] if decision.bulks else bulk
        for verdict in decision.verdicts:
            states[verdict.payment_id] = states[verdict.payment_id]._replace(state=verdict.state)
        by_state = {state: [line.amount for line in states.values() if line.state == state] for state in State}
        assert accounts["ann-eur"].held == sum(by_state[State.AUTHORIZED]) + bulk.held
        assert bulk.held == (sum(by_state[State.INITIATED]) if bulk.is_decided and not bulk.failure else 0)
        assert bulk[9:12] == tuple(len(by_state[state]) for state in (State.AUTHORIZED, State.COMPLETED, State.FAILED))
        assert sum(account.balance for account in accounts.values()) == balance
        assert accounts["ann-eur"].balance - accounts["ann-eur"].held >= 0
    assert bulk.is_decided == (sum(amounts) > 0)
    assert not (bulk.failure and by_state[State.COMPLETED])
