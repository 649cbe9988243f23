"""Reading payments: who sees which, page by page in both directions, through every filter."""

from datetime import UTC, datetime, timedelta

import pytest

from models import operation, payment_list, payment_view
from models.account import Party
from models.keyset import START, Cursor
from models.payment_list import Viewer
from models.payment_search import Filter, ListQuery
from models.payment_view import PaymentView
from models.session import transaction
from models.user import Role
from tests.builders import Builder, new_id

EPOCH = datetime(1960, 1, 1, tzinfo=UTC)
FAR = datetime(9999, 12, 30, tzinfo=UTC)


class Street:
    """Ann, Bob, a shop and a stranger, and what went on between them, oldest first in `ids`."""

    def __init__(self, world: Builder) -> None:
        self.world = world
        self.ann, self.bob, self.stranger = world.user(), world.user(name="Bob"), world.user()
        self.shop = world.user(Role.MERCHANT, "Shop")
        self.rich, self.second, self.poor, self.merchant_wallet = map(
            world.wallet, (self.ann, self.ann, self.bob, self.shop)
        )
        self.wire = world.technical("wire")
        payments = [
            world.new_payment("deposit", self.ann, self.wire, self.rich, 1000),
            world.new_payment("transfer", self.ann, self.rich, self.poor, 100),
            world.new_payment("transfer", self.ann, self.rich, self.second, 50),
            world.new_payment("transfer", self.bob, self.poor, self.merchant_wallet, 10),
            world.new_payment(
                "charge", self.shop, self.rich, self.merchant_wallet, 30, summary="Coffee", reference="A-1"
            ),
            world.new_payment("transfer", self.bob, self.poor, self.rich, 999),
            world.new_payment("charge", self.shop, self.poor, self.merchant_wallet, 1, metadata={"table": 7}),
        ]
        for new in payments:
            world.accept(new)
        world.post_payments()
        last = world.new_payment("transfer", self.ann, self.rich, self.poor, 5)
        world.accept(last)
        self.ids = [new.id for new in [*payments, last]]

    def page(
        self, user_id: str | None, query: ListQuery, limit: int = 100, at: Cursor = START, **of: Party
    ) -> list[PaymentView]:
        with transaction(self.world.gateway) as connection:
            viewer = Viewer(user_id, reads_all=user_id is None)
            return list(payment_list.page(connection, viewer, query, limit, at, **of).rows)

    def numbers(self, *arguments, **of: Party) -> list[int]:
        """The page as places in `ids`."""
        return [self.ids.index(view.id) for view in self.page(*arguments, **of)]


@pytest.fixture(scope="module")
def street(shared_world):
    return Street(shared_world)


VISIBLE = {
    "ann": [7, 5, 4, 2, 1, 0],
    "bob": [7, 6, 5, 3, 1],
    "shop": [6, 4, 3],
    "stranger": [],
    None: [7, 6, 5, 4, 3, 2, 1, 0],
}


@pytest.mark.parametrize("who", list(VISIBLE))
def test_payment_is_visible_to_initiator_and_parties(street, who):
    assert street.numbers(who and getattr(street, who), ListQuery()) == VISIBLE[who]


@pytest.mark.parametrize("who", ["ann", "bob", None])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_in_both_directions_are_complete_and_disjoint(street, who, limit):
    user_id = who and getattr(street, who)
    seen, at = [], START
    while page := street.numbers(user_id, ListQuery(), limit, at):
        assert len(page) <= limit
        seen += page
        at = Cursor(before=street.ids[page[-1]])
    assert seen == VISIBLE[who]
    seen, at = [], Cursor(after="00000000-0000-0000-0000-000000000000")
    while page := street.numbers(user_id, ListQuery(), limit, at):
        seen += page
        at = Cursor(after=street.ids[page[-1]])
    assert seen == VISIBLE[who][::-1]


@pytest.mark.parametrize(
    ("wants", "numbers"),
    [
        ([("state", "is", ["FAILED"])], [5]),
        ([("state", "is", ["INITIATED", "FAILED"])], [7, 5]),
        ([("type", "is", ["charge"])], [6, 4]),
        ([("type", "is", ["charge", "deposit"]), ("state", "is", ["COMPLETED"])], [6, 4, 0]),
        ([("type", "is", ["charge"]), ("state", "is", ["FAILED"])], []),
        ([("amount", "gt", 30), ("amount", "lte", 100)], [2, 1]),
        ([("created_at", "gte", EPOCH), ("created_at", "lt", FAR)], [7, 6, 5, 4, 3, 2, 1, 0]),
    ],
)
def test_filters_select_the_expected_payments(street, wants, numbers):
    query = ListQuery([Filter(*want) for want in wants])
    assert street.numbers(None, query) == numbers
    assert street.numbers(street.ann, query) == [n for n in numbers if n in VISIBLE["ann"]]


def test_time_range_includes_its_start_and_not_its_end(street):
    assert street.numbers(None, ListQuery(created_from=EPOCH, created_before=FAR)) == VISIBLE[None]
    assert (
        street.numbers(None, ListQuery(created_before=EPOCH)) == street.numbers(None, ListQuery(created_from=FAR)) == []
    )
    third = street.page(None, ListQuery())[-3].created_at
    assert street.numbers(None, ListQuery(created_from=third)) == [7, 6, 5, 4, 3, 2]
    assert street.numbers(None, ListQuery(created_before=third)) == [1, 0]
    assert street.numbers(None, ListQuery(created_from=third, created_before=third + timedelta(microseconds=1))) == [2]


@pytest.mark.parametrize(
    ("wallet", "who", "numbers"),
    [
        ("rich", None, [7, 5, 4, 2, 1, 0]),
        ("rich", "ann", [7, 5, 4, 2, 1, 0]),
        ("rich", "bob", [7, 5, 1]),
        ("rich", "shop", [4]),
        ("rich", "stranger", []),
        ("second", "ann", [2]),
        ("merchant_wallet", "shop", [6, 4, 3]),
    ],
)
def test_payments_of_a_wallet_are_listed(street, wallet, who, numbers):
    owner = {"rich": street.ann, "second": street.ann, "merchant_wallet": street.shop}[wallet]
    of = Party(getattr(street, wallet), None, owner, "EUR", "")
    assert street.numbers(who and getattr(street, who), ListQuery(), of=of) == numbers
    assert street.numbers(who and getattr(street, who), ListQuery(), 2, of=of) == numbers[:2]


def test_payment_is_read_with_its_parties_and_operations(street):
    with transaction(street.world.gateway) as connection:
        done = payment_view.by_id(connection, street.ids[4])
        failed = payment_view.by_id(connection, street.ids[5])
        assert payment_view.by_id(connection, new_id()) is None
        lines = operation.of_payment(connection, done.id)
        assert operation.of_payment(connection, failed.id) == []
    assert (done.type, done.state, done.amount, done.digits, done.summary, done.reference) == (
        *("charge", "COMPLETED", 30, 2, "Coffee", "A-1"),
    )
    assert (done.source.id, done.source.owner_id, done.source.name) == (street.rich, street.ann, "Ann")
    assert (done.target.id, done.target.owner_id, done.target.name) == (street.merchant_wallet, street.shop, "Shop")
    assert (done.source_balance_after, done.target_balance_after) == (820, 40)
    assert [(o.line, o.account_id, o.amount, o.balance_after) for o in lines] == [
        *((0, street.rich, -30, 820), (1, street.merchant_wallet, 30, 40)),
    ]
    assert (failed.failure_code, failed.source_balance_after, failed.finalized_at is None) == (
        *("insufficient_funds", None, False),
    )


def test_payment_between_unknown_accounts_can_be_read(world):
    ann = world.user()
    new = world.new_payment("transfer", ann, new_id(), new_id(), 5)
    world.accept(new)
    world.post_payments()
    with transaction(world.gateway) as connection:
        view = payment_view.by_id(connection, new.id)
    assert (view.failure_code, view.source.id, view.source.currency) == ("account_unknown", new.source_id, "EUR")
