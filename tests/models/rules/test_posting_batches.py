"""Batches: payments of one batch see each other's effects, and what holds for any batch."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.posting import decide
from models.rules.types import ClaimedPayment, LockedAccount
from tests.models.rules.parties import (
    ANN,
    BOBS,
    DEPOSIT,
    OPS,
    SHOP,
    TRANSFER,
    WALLET,
    WIRE,
)


@pytest.mark.parametrize("missing", ["source_id", "target_id", "user_id"])
def test_unknown_party_fails_its_own_payment_only(missing):
    bad = TRANSFER._replace(id="bad", **{missing: "nobody"})
    batch = [TRANSFER._replace(id="first"), bad, TRANSFER._replace(id="last")]
    decision = decide(batch, {WALLET.id: WALLET, BOBS.id: BOBS}, {ANN.id: ANN}, deposits_open=True)
    assert [v.failure or v.state for v in decision.verdicts] == ["COMPLETED", "account_unknown", "COMPLETED"]


def test_insufficient_funds_fail_their_own_payment_only():
    poor = WALLET._replace(id="poor", owner_id="bob", balance=0)
    batch = [TRANSFER, TRANSFER._replace(user_id="bob", source_id="poor", target_id="ann-eur"), TRANSFER]
    books = {account.id: account for account in (WALLET, BOBS, poor)}
    decision = decide(batch, books, {"ann": ANN, "bob": ANN._replace(id="bob")}, deposits_open=True)
    assert [v.failure or v.state for v in decision.verdicts] == ["COMPLETED", "insufficient_funds", "COMPLETED"]
    assert "poor" not in {account.id for account in decision.accounts}


def test_order_in_a_batch_decides_what_is_covered():
    """Received money can be spent by a later payment of the batch; spent money cannot be spent again."""
    earn = DEPOSIT._replace(id="earn", amount=900)
    spend = TRANSFER._replace(id="spend", amount=1500)
    books = {account.id: account for account in (WIRE, WALLET, BOBS)}

    def outcomes(*batch):
        return [v.state for v in decide(batch, books, {ANN.id: ANN}, deposits_open=True).verdicts]

    assert outcomes(earn, spend) == ["COMPLETED", "COMPLETED"]
    assert outcomes(spend, earn) == ["FAILED", "COMPLETED"]


INITIATORS = {initiator.id: initiator for initiator in (ANN, ANN._replace(id="bob"), SHOP, OPS)}
OWNERS = ["ann", "bob", "shop", None]


@st.composite
def books(draw):
    """Accounts that satisfy the constraints of the schema, some exactly at a bound."""
    accounts = {}
    for number, owner, currency in itertools.product(range(2), OWNERS, ["EUR", "JPY"]):
        id = f"{owner}-{currency}-{number}"
        floor = None if owner is None else draw(st.sampled_from([-500, 0, 0, 100]))
        held = 0 if owner is None else draw(st.sampled_from([0, 0, 50]))
        balance = draw(st.integers(0, 1000)) + held + (floor or 0)
        ceiling = draw(st.none() | st.integers(max(balance, 0), max(balance, 0) + 500))
        code = None if owner else ["wire", "internal"][number]
        frozen = draw(st.integers(0, 9)) == 0
        accounts[id] = LockedAccount(
            id, owner, code, currency, balance, held, floor, ceiling, True, frozen, draw(st.integers(0, 9))
        )
    return accounts


@st.composite
def orders(draw):
    """Mostly permitted payments; one in six has an error."""
    type = draw(st.sampled_from(["deposit", "transfer", "charge"]))
    currency = draw(st.sampled_from(["EUR", "EUR", "JPY"]))
    client, other = draw(st.permutations(["ann", "bob"]))
    initiator, source, target = {
        "deposit": (client, None, client),
        "transfer": (client, client, draw(st.sampled_from([client, other, "shop"]))),
        "charge": ("shop", client, "shop"),
    }[type]
    numbers = (0 if source is None else draw(st.integers(0, 1)), draw(st.integers(0, 1)))
    source_id, target_id = (f"{owner}-{currency}-{n}" for owner, n in zip((source, target), numbers, strict=True))
    id = str(draw(st.uuids()))
    order = ClaimedPayment(id, type, "INITIATED", initiator, source_id, target_id, draw(st.integers(1, 400)), currency)
    if draw(st.integers(0, 5)):
        return order
    wrong = [{"user_id": "nobody"}, {"user_id": other}, {"source_id": "none"}, {"target_id": source_id}]
    wrong += [{"currency": "USD"}, {"target_id": "None-EUR-1"}, {"source_id": "None-EUR-1"}]
    return order._replace(**draw(st.sampled_from(wrong)))


BATCHES = st.lists(orders(), min_size=1, max_size=25)


@given(before=books(), batch=BATCHES)
def test_any_batch_keeps_the_invariants_of_the_ledger(before, batch):
    decision = decide(batch, before, INITIATORS, deposits_open=True)
    after = before | {account.id: account for account in decision.accounts}
    assert [v.payment_id for v in decision.verdicts] == [p.id for p in batch]

    operations = [operation for v in decision.verdicts for operation in v.operations]
    by_payment = Counter()
    for o in operations:
        by_payment[o.payment_id, o.currency] += o.amount
    assert not any(by_payment.values()), "every payment's operations sum to zero"

    running = dict(before)
    for o in operations:
        last = running[o.account_id]
        assert o.account_seq == last.last_seq + 1, "dense, in order"
        assert o.balance_after == last.balance + o.amount
        assert o.currency == last.currency
        now = running[o.account_id] = last._replace(balance=o.balance_after, last_seq=o.account_seq)
        if o.amount < 0 and now.floor is not None:
            assert now.balance - now.held >= now.floor, "at no moment below the floor"
        if o.amount > 0 and now.ceiling is not None:
            assert now.balance <= now.ceiling, "at no moment above the ceiling"
    assert running == after, "the balances written are those the operations lead to, and nothing else changed"


@given(before=books(), batch=BATCHES, cut=st.integers(0, 25))
def test_batch_cut_in_two_decides_the_same(before, batch, cut):
    whole = decide(batch, before, INITIATORS, deposits_open=True)
    first = decide(batch[:cut], before, INITIATORS, deposits_open=True)
    between = before | {account.id: account for account in first.accounts}
    second = decide(batch[cut:], between, INITIATORS, deposits_open=True)
    assert whole.verdicts == first.verdicts + second.verdicts
