"""What becomes of each payment: the ladder of refusals rung by rung, and what holds for any batch."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.failure_codes import MESSAGES, Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.posting import decide
from models.rules.state import State
from models.rules.types import ApprovedAdjustment, ClaimedPayment, Initiator, LockedAccount

ANN = Initiator("ann", "client", is_active=True, may_deposit=False)
SHOP = Initiator("shop", "merchant", is_active=True, may_deposit=False)
OPS = Initiator("ops", "ops", is_active=True, may_deposit=True)

WALLET = LockedAccount("ann-eur", "ann", None, "EUR", 1000, 0, 0, None, True, False, 1)
OTHER = WALLET._replace(id="ann-eur-2", balance=0, last_seq=0)
BOBS = WALLET._replace(id="bob-eur", owner_id="bob", balance=500)
SHOPS = WALLET._replace(id="shop-eur", owner_id="shop", balance=0, last_seq=0)
E_WALLET = LockedAccount("e-eur", None, "wallet", "EUR", 0, 0, None, None, True, False, 0)
WIRE = LockedAccount("wire-eur", None, "wire", "EUR", 0, 0, None, None, True, False, 0)

DEPOSIT = ClaimedPayment("p", "deposit", "INITIATED", "ann", "wire-eur", "ann-eur", 100, "EUR")
TRANSFER = ClaimedPayment("p", "transfer", "INITIATED", "ann", "ann-eur", "bob-eur", 100, "EUR")
INTERNAL = WIRE._replace(id="internal-eur", code="internal")

BONUS = ClaimedPayment("p", "bonus", "INITIATED", "ann", "internal-eur", "ann-eur", 100, "EUR")
CHARGE = ClaimedPayment("p", "charge", "INITIATED", "shop", "ann-eur", "shop-eur", 100, "EUR")
WITHDRAWAL = ClaimedPayment("p", "withdrawal", "INITIATED", "ann", "ann-eur", "e-eur", 100, "EUR")
ORDERS = {
    "deposit": (DEPOSIT, WIRE, WALLET, ANN),
    "withdrawal": (WITHDRAWAL, WALLET, E_WALLET, ANN),
    "transfer": (TRANSFER, WALLET, BOBS, ANN),
    "charge": (CHARGE, WALLET, SHOPS, SHOP),
    "bonus": (BONUS, INTERNAL, WALLET, ANN),
}


def verdict(payment, *accounts, initiators=(ANN, SHOP, OPS), deposits_open=True):
    """The one verdict, as (state, failure)."""
    books = {account.id: account for account in accounts}
    [only] = decide(
        [payment], books, {initiator.id: initiator for initiator in initiators}, deposits_open=deposits_open
    ).verdicts
    assert bool(only.operations) == (only.state is State.COMPLETED)
    assert (only.failure is None) == (only.state is State.COMPLETED)
    return only.failure or only.state


@pytest.mark.parametrize("order", list(ORDERS.values()), ids=list(ORDERS))
def test_a_good_order_completes_with_two_operations(order):
    payment, source, target, initiator = order
    decision = decide([payment], {source.id: source, target.id: target}, {initiator.id: initiator}, deposits_open=True)
    [only] = decision.verdicts
    assert only.state is State.COMPLETED
    assert [operation[1:] for operation in only.operations] == [
        (0, source.id, -100, "EUR", "transfer", source.balance - 100, source.last_seq + 1),
        (1, target.id, 100, "EUR", "transfer", target.balance + 100, target.last_seq + 1),
    ]
    assert {account.id: account for account in decision.accounts} == {
        source.id: source._replace(balance=source.balance - 100, last_seq=source.last_seq + 1),
        target.id: target._replace(balance=target.balance + 100, last_seq=target.last_seq + 1),
    }


# One row a rung: what is changed of the payment, its source, its target and its initiator.
RUNGS = [
    ("not_permitted", "deposit from what lets no money in", {}, {"code": "internal"}, {}, {}),
    ("not_permitted", "deposit from a customer", {}, {"code": None, "owner_id": "bob"}, {}, {}),
    ("not_permitted", "deposit to a stranger", {}, {}, {"owner_id": "bob"}, {}),
    ("not_permitted", "deposit to a technical account", {}, {}, {"owner_id": None, "code": "internal"}, {}),
    ("not_permitted", "withdrawal of a stranger's money", {}, {"owner_id": "bob"}, {}, {}),
    ("not_permitted", "withdrawal from a technical account", {}, {"owner_id": None, "code": "internal"}, {}, {}),
    *(
        ("not_permitted", f"withdrawal to {code}", {}, {}, {"code": code}, {})
        for code in ("internal", "commission", "exchange")
    ),
    ("not_permitted", "withdrawal to a customer", {}, {}, {"code": None, "owner_id": "bob"}, {}),
    ("not_permitted", "transfer of a stranger's money", {}, {"owner_id": "bob"}, {}, {}),
    ("not_permitted", "transfer from a technical account", {}, {"owner_id": None, "code": "wire"}, {}, {}),
    ("not_permitted", "transfer to a technical account", {}, {}, {"owner_id": None, "code": "wire"}, {}),
    ("not_permitted", "bonus from what is not internal", {}, {"code": "wire"}, {}, {}),
    ("not_permitted", "bonus from a customer", {}, {"code": None, "owner_id": "bob"}, {}, {}),
    ("not_permitted", "bonus to a stranger", {}, {}, {"owner_id": "bob"}, {}),
    ("not_permitted", "charge by a client", {}, {}, {}, {"role": "client"}),
    ("not_permitted", "charge by ops", {}, {}, {}, {"role": "ops"}),
    ("not_permitted", "charge to a stranger's wallet", {}, {}, {"owner_id": "bob"}, {}),
    ("not_permitted", "charge of the merchant's own wallet", {}, {"owner_id": "shop"}, {}, {}),
    ("not_permitted", "charge of a technical account", {}, {"owner_id": None, "code": "wire"}, {}, {}),
    *(
        (failure, f"{type} {what}", *changes)
        for type in ORDERS
        for failure, what, *changes in [
            ("currency_mismatch", "in another currency", {"currency": "USD"}, {}, {}, {}),
            ("currency_mismatch", "from another currency", {}, {"currency": "USD"}, {}, {}),
            ("currency_mismatch", "to another currency", {}, {}, {"currency": "USD"}, {}),
            ("account_inactive", "by an inactive user", {}, {}, {}, {"is_active": False}),
            ("account_inactive", "from an inactive account", {}, {"is_active": False}, {}, {}),
            ("account_inactive", "to an inactive account", {}, {}, {"is_active": False}, {}),
            ("account_frozen", "from a frozen account", {}, {"is_frozen": True}, {}, {}),
            ("account_frozen", "to a frozen account", {}, {}, {"is_frozen": True}, {}),
            ("insufficient_funds", "without funds", {}, {"floor": 0, "balance": 99}, {}, {}),
            ("insufficient_funds", "of what is held", {}, {"floor": 0, "balance": 1000, "held": 901}, {}, {}),
            ("insufficient_funds", "below a floor above zero", {}, {"floor": 50, "balance": 149}, {}, {}),
            ("insufficient_funds", "below an overdraft's floor", {}, {"floor": -50, "balance": 49}, {}, {}),
            (
                "insufficient_funds",
                "below what numbers hold",
                {},
                {"floor": None, "balance": 99 - MINOR_UNITS_MAX},
                {},
                {},
            ),
            ("limit_exceeded", "above the ceiling", {}, {}, {"ceiling": 599, "balance": 500}, {}),
            ("limit_exceeded", "above what numbers hold", {}, {}, {"balance": MINOR_UNITS_MAX - 99}, {}),
        ]
    ),
]


@pytest.mark.parametrize(
    ("failure", "what", "changes"),
    [(row[0], row[1], row[2:]) for row in RUNGS],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_each_rung_refuses(failure, what, changes):
    order = ORDERS[what.split()[0]]
    payment, source, target, initiator = (part._replace(**change) for part, change in zip(order, changes, strict=True))
    assert verdict(payment, source, target, initiators=[initiator]) == failure


def test_every_failure_of_the_ladder_has_its_rung_and_every_failure_its_words():
    by_hand = {Failure.ACCOUNT_UNKNOWN, Failure.SYSTEM_FAILURE, Failure.CANCELED, Failure.EXPIRED}
    by_hand |= {Failure.MERCHANT_BLOCKED, Failure.REJECTED_BY_BANK, Failure.REFUND_EXCEEDS_CHARGE}
    by_hand |= {Failure.COMMISSION_EXCEEDS_AMOUNT, Failure.QUOTE_EXPIRED}
    assert {row[0] for row in RUNGS} == set(Failure) - by_hand
    assert set(MESSAGES) == set(Failure)


# Everything wrong at once, then one thing after the other put right: the ladder names the first that is wrong.
WRONG = [
    ("not_permitted", 3, {"role": "merchant", "id": "shop"}),
    ("currency_mismatch", 1, {"currency": "EUR"}),
    ("account_inactive", 2, {"is_active": True}),
    ("account_frozen", 1, {"is_frozen": False}),
    ("insufficient_funds", 1, {"balance": 100}),
    ("limit_exceeded", 2, {"ceiling": None}),
]


def test_the_ladder_has_an_order():
    parts = [
        CHARGE,
        WALLET._replace(currency="USD", is_frozen=True, balance=0),
        SHOPS._replace(is_active=False, ceiling=0),
        SHOP._replace(role="client"),
    ]
    for failure, part, cure in WRONG:
        assert verdict(*parts[:3], initiators=[parts[3]]) == failure
        parts[part] = parts[part]._replace(**cure)
    assert verdict(*parts[:3], initiators=[parts[3]]) is State.COMPLETED


@pytest.mark.parametrize(
    ("payment", "source", "target"),
    [
        (DEPOSIT, WIRE._replace(code="wallet"), WALLET),
        (DEPOSIT, WIRE._replace(code="crypto"), WALLET),
        (DEPOSIT, WIRE._replace(balance=-(10**30)), WALLET),
        (WITHDRAWAL, WALLET, E_WALLET._replace(code="crypto")),
        (WITHDRAWAL._replace(amount=1000), WALLET, E_WALLET),
        (TRANSFER._replace(target_id=OTHER.id), WALLET, OTHER),
        (TRANSFER._replace(amount=1000), WALLET, BOBS),
        (TRANSFER._replace(amount=999), WALLET._replace(held=1), BOBS),
        (TRANSFER._replace(amount=1050), WALLET._replace(floor=-50), BOBS),
        (TRANSFER, WALLET, BOBS._replace(ceiling=600)),
        (TRANSFER, WALLET, BOBS._replace(balance=MINOR_UNITS_MAX - 100)),
    ],
)
def test_what_is_just_allowed(payment, source, target):
    assert verdict(payment, source, target) is State.COMPLETED


CREDIT = ClaimedPayment("p", "adjustment", "INITIATED", "ops", "internal-eur", "ann-eur", 100, "EUR")
DEBIT = CREDIT._replace(source_id="ann-eur", target_id="internal-eur")
TO_ANN = ApprovedAdjustment("ann-eur", True, 100, "EUR", "ops")
FROM_ANN = TO_ANN._replace(is_credit=False)


@pytest.mark.parametrize(
    ("payment", "agreed", "wallet", "outcome"),
    [
        (CREDIT, TO_ANN, WALLET, State.COMPLETED),
        (DEBIT, FROM_ANN, WALLET, State.COMPLETED),
        (DEBIT._replace(amount=1001), FROM_ANN._replace(amount=1001), WALLET, "insufficient_funds"),
        (CREDIT, TO_ANN, WALLET._replace(ceiling=1099), "limit_exceeded"),
        (CREDIT, TO_ANN, WALLET._replace(is_frozen=True), "account_frozen"),
        (CREDIT, None, WALLET, "not_permitted"),
        (CREDIT, FROM_ANN, WALLET, "not_permitted"),
        (DEBIT, TO_ANN, WALLET, "not_permitted"),
        (CREDIT._replace(amount=101), TO_ANN, WALLET, "not_permitted"),
        (CREDIT._replace(currency="USD"), TO_ANN, WALLET, "not_permitted"),
        (CREDIT._replace(user_id="ann"), TO_ANN, WALLET, "not_permitted"),
        (CREDIT, TO_ANN._replace(account_id="bob-eur"), WALLET, "not_permitted"),
        (CREDIT, TO_ANN, WALLET._replace(owner_id=None, code="wire"), "not_permitted"),
        (CREDIT._replace(source_id="wire-eur"), TO_ANN, WALLET, "not_permitted"),
        (CREDIT._replace(source_id="bob-eur"), TO_ANN, WALLET, "not_permitted"),
    ],
)
def test_what_two_of_ops_agree_on(payment, agreed, wallet, outcome):
    books = {account.id: account for account in (INTERNAL, WIRE, BOBS, wallet)}
    adjustments = {} if agreed is None else {payment.id: agreed}
    initiators = {initiator.id: initiator for initiator in (ANN, OPS)}
    [only] = decide([payment], books, initiators, adjustments=adjustments, deposits_open=True).verdicts
    assert (only.failure or only.state) == outcome


@pytest.mark.parametrize(
    ("initiator", "target", "deposits_open", "outcome"),
    [
        (ANN, WALLET, True, State.COMPLETED),
        (ANN, WALLET, False, "not_permitted"),
        (ANN, BOBS, True, "not_permitted"),
        (OPS, BOBS, False, State.COMPLETED),
        (ANN._replace(may_deposit=True), BOBS, False, State.COMPLETED),
    ],
)
def test_who_may_deposit(initiator, target, deposits_open, outcome):
    order = DEPOSIT._replace(user_id=initiator.id, target_id=target.id)
    assert verdict(order, WIRE, target, initiators=[initiator], deposits_open=deposits_open) == outcome


def test_nobody_pays_himself():
    assert verdict(TRANSFER._replace(target_id=WALLET.id), WALLET) == "not_permitted"


@pytest.mark.parametrize("missing", ["source_id", "target_id", "user_id"])
def test_an_unknown_party_fails_its_payment_and_no_other(missing):
    bad = TRANSFER._replace(id="bad", **{missing: "nobody"})
    batch = [TRANSFER._replace(id="first"), bad, TRANSFER._replace(id="last")]
    decision = decide(batch, {WALLET.id: WALLET, BOBS.id: BOBS}, {ANN.id: ANN}, deposits_open=True)
    assert [v.failure or v.state for v in decision.verdicts] == ["COMPLETED", "account_unknown", "COMPLETED"]


def test_one_poor_payer_fails_alone():
    poor = WALLET._replace(id="poor", owner_id="bob", balance=0)
    batch = [TRANSFER, TRANSFER._replace(user_id="bob", source_id="poor", target_id="ann-eur"), TRANSFER]
    books = {account.id: account for account in (WALLET, BOBS, poor)}
    decision = decide(batch, books, {"ann": ANN, "bob": ANN._replace(id="bob")}, deposits_open=True)
    assert [v.failure or v.state for v in decision.verdicts] == ["COMPLETED", "insufficient_funds", "COMPLETED"]
    assert "poor" not in {account.id for account in decision.accounts}


def test_order_decides_who_is_paid():
    """What comes in first can be spent next; what is spent first is not there for the second."""
    earn = DEPOSIT._replace(id="earn", amount=900)
    spend = TRANSFER._replace(id="spend", amount=1500)
    books = {account.id: account for account in (WIRE, WALLET, BOBS)}

    def outcomes(*batch):
        return [v.state for v in decide(batch, books, {ANN.id: ANN}, deposits_open=True).verdicts]

    assert outcomes(earn, spend) == ["COMPLETED", "COMPLETED"]
    assert outcomes(spend, earn) == ["FAILED", "COMPLETED"]


def test_a_type_without_a_rule_is_a_fault_of_ours():
    with pytest.raises(ValueError, match="no rule"):
        decide([TRANSFER._replace(type="gift")], {WALLET.id: WALLET, BOBS.id: BOBS}, {ANN.id: ANN}, deposits_open=True)


MAKERS = {initiator.id: initiator for initiator in (ANN, ANN._replace(id="bob"), SHOP, OPS)}
OWNERS = ["ann", "bob", "shop", None]


@st.composite
def books(draw):
    """Accounts that keep the schema's constraints, some of them at their very edges."""
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
    """Mostly orders that may be given; one in six has something wrong with it."""
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
def test_what_holds_for_any_batch(before, batch):
    decision = decide(batch, before, MAKERS, deposits_open=True)
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
def test_a_batch_cut_in_two_decides_the_same(before, batch, cut):
    whole = decide(batch, before, MAKERS, deposits_open=True)
    first = decide(batch[:cut], before, MAKERS, deposits_open=True)
    between = before | {account.id: account for account in first.accounts}
    second = decide(batch[cut:], between, MAKERS, deposits_open=True)
    assert whole.verdicts == first.verdicts + second.verdicts
