"""The verdict on each payment: every check of the ladder, one by one, and the order of the checks."""

import pytest

from models.rules.failure_codes import MESSAGES, Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.posting import decide
from models.rules.state import State
from models.rules.types import ApprovedAdjustment, ClaimedPayment
from tests.models.rules.parties import (
    ANN,
    BOBS,
    BONUS,
    CHARGE,
    DEPOSIT,
    E_WALLET,
    INTERNAL,
    OPS,
    OTHER,
    SHOP,
    SHOPS,
    TRANSFER,
    WALLET,
    WIRE,
    WITHDRAWAL,
)

ORDERS = {
    "deposit": (DEPOSIT, WIRE, WALLET, ANN),
    "withdrawal": (WITHDRAWAL, WALLET, E_WALLET, ANN),
    "transfer": (TRANSFER, WALLET, BOBS, ANN),
    "charge": (CHARGE, WALLET, SHOPS, SHOP),
    "bonus": (BONUS, INTERNAL, WALLET, ANN),
}


def verdict(payment, *accounts, initiators=(ANN, SHOP, OPS), deposits_open=True):
    """The failure of the only payment, or its state."""
    books = {account.id: account for account in accounts}
    [only] = decide(
        [payment], books, {initiator.id: initiator for initiator in initiators}, deposits_open=deposits_open
    ).verdicts
    assert bool(only.operations) == (only.state is State.COMPLETED)
    assert (only.failure is None) == (only.state is State.COMPLETED)
    return only.failure or only.state


@pytest.mark.parametrize("order", list(ORDERS.values()), ids=list(ORDERS))
def test_allowed_payment_completes_with_two_operations(order):
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


# A row for each check: what is changed of the payment, its source, its target and its initiator.
CHECKS = [
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
    [(row[0], row[1], row[2:]) for row in CHECKS],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_each_check_refuses_a_payment(failure, what, changes):
    order = ORDERS[what.split()[0]]
    payment, source, target, initiator = (part._replace(**change) for part, change in zip(order, changes, strict=True))
    assert verdict(payment, source, target, initiators=[initiator]) == failure


def test_every_failure_has_an_example_and_a_message():
    by_hand = {Failure.ACCOUNT_UNKNOWN, Failure.SYSTEM_FAILURE, Failure.CANCELED, Failure.EXPIRED}
    by_hand |= {Failure.CANCELED_BY_OPS}
    by_hand |= {Failure.MERCHANT_BLOCKED, Failure.REJECTED_BY_BANK, Failure.REFUND_EXCEEDS_CHARGE}
    by_hand |= {Failure.COMMISSION_EXCEEDS_AMOUNT, Failure.QUOTE_EXPIRED}
    assert {row[0] for row in CHECKS} == set(Failure) - by_hand
    assert set(MESSAGES) == set(Failure)


# Everything is wrong at first, then corrected step by step: the first failing check names the failure.
WRONG = [
    ("not_permitted", 3, {"role": "merchant", "id": "shop"}),
    ("currency_mismatch", 1, {"currency": "EUR"}),
    ("account_inactive", 2, {"is_active": True}),
    ("account_frozen", 1, {"is_frozen": False}),
    ("insufficient_funds", 1, {"balance": 100}),
    ("limit_exceeded", 2, {"ceiling": None}),
]


def test_first_failing_check_names_the_failure():
    parts = [
        CHARGE,
        WALLET._replace(currency="USD", is_frozen=True, balance=0),
        SHOPS._replace(is_active=False, ceiling=0),
        SHOP._replace(role="client"),
    ]
    for failure, part, correction in WRONG:
        assert verdict(*parts[:3], initiators=[parts[3]]) == failure
        parts[part] = parts[part]._replace(**correction)
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
def test_payments_at_their_bounds_complete(payment, source, target):
    assert verdict(payment, source, target) is State.COMPLETED


CREDIT = ClaimedPayment("p", "adjustment", "INITIATED", "ops", "internal-eur", "ann-eur", 100, "EUR")
DEBIT = CREDIT._replace(source_id="ann-eur", target_id="internal-eur")
TO_ANN = ApprovedAdjustment("ann-eur", True, 100, "EUR", "ops")
FROM_ANN = TO_ANN._replace(is_credit=False)


@pytest.mark.parametrize(
    ("payment", "approval", "wallet", "outcome"),
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
def test_adjustment_needs_an_approval_that_matches(payment, approval, wallet, outcome):
    books = {account.id: account for account in (INTERNAL, WIRE, BOBS, wallet)}
    adjustments = {} if approval is None else {payment.id: approval}
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
def test_deposit_needs_permission_or_open_deposits(initiator, target, deposits_open, outcome):
    order = DEPOSIT._replace(user_id=initiator.id, target_id=target.id)
    assert verdict(order, WIRE, target, initiators=[initiator], deposits_open=deposits_open) == outcome


def test_transfer_to_the_same_wallet_is_not_permitted():
    assert verdict(TRANSFER._replace(target_id=WALLET.id), WALLET) == "not_permitted"


def test_type_without_a_rule_raises():
    with pytest.raises(ValueError, match="no rule"):
        decide([TRANSFER._replace(type="gift")], {WALLET.id: WALLET, BOBS.id: BOBS}, {ANN.id: ANN}, deposits_open=True)
