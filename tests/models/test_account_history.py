"""A wallet's history beside the plain cases: parts of holds, strangers, and any number of operations."""

from datetime import UTC, datetime, timedelta

import pytest

from models import account_history
from models.account_history import HistoryPosition, HistoryRow, Totals
from models.payment_search import Filter, ListQuery
from models.session import transaction
from tests.builders import Builder, new_id

START = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 9


def page(world: Builder, account_id: str, *wants: Filter, **of: bool) -> list[HistoryRow]:
    with transaction(world.gateway) as connection:
        return list(account_history.page(connection, account_id, ListQuery(wants), 100, **of).rows)


def test_unknown_party_has_no_name(world: Builder) -> None:
    ann, unknown = world.user(), new_id()
    wallet = world.wallet(ann, funds=10)
    [id] = world.accept(world.new_payment("transfer", ann, wallet, unknown, 5))
    world.post_payments()
    row = page(world, wallet)[0]
    assert (row.id, row.failure_code, row.amount) == (id, "account_unknown", -5)
    assert (row.counterparty_name, row.counterparty_token) == ("", None)
    with transaction(world.gateway) as connection:
        assert account_history.position(connection, wallet, START) == HistoryPosition(0, 0)


def test_undecided_payment_is_not_in_the_history(world: Builder) -> None:
    ann = world.user()
    wallet, other = world.wallet(ann, funds=10), world.wallet(ann)
    world.transfer(ann, wallet, other, 5)
    assert [row.type for row in page(world, wallet)] == ["deposit"]
    assert page(world, other) == []


def test_payment_between_own_wallets_has_a_row_in_each(world: Builder) -> None:
    ann = world.user()
    wallet, other = world.wallet(ann, funds=10), world.wallet(ann)
    world.transfer(ann, wallet, other, 4)
    world.post_payments()
    left, _ = page(world, wallet)
    assert (left.amount, left.balance_after, left.commission) == (-4, 6, 0)
    assert [(row.amount, row.balance_after, row.commission) for row in page(world, other)] == [(4, 4, None)]
    assert page(world, wallet, Filter("amount", "gte", 4), Filter("amount", "lt", 5), is_incoming=False) == [left]
    assert page(world, wallet, Filter("amount", "lt", 10), is_incoming=True) == []


@pytest.mark.parametrize("count", range(COUNT))
def test_position_is_found_among_many_operations(world: Builder, count: int) -> None:
    ann = world.user()
    wallet = world.wallet(ann)
    for number in range(count):
        world.accept(world.deposit(ann, wallet, number + 1))
    world.post_payments()
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE operations DISABLE TRIGGER operations_are_append_only")
        connection.exec_driver_sql(
            "UPDATE operations SET created_at = %s + account_seq * interval '1 day' WHERE account_id = %s",
            (START, wallet),
        )
        connection.exec_driver_sql("ALTER TABLE operations ENABLE TRIGGER operations_are_append_only")
    with transaction(world.gateway) as connection:
        for days in range(count + 2):
            before = START + timedelta(days=days)
            seq = min(max(days - 1, 0), count)
            expected = HistoryPosition(seq, seq * (seq + 1) // 2)
            assert account_history.position(connection, wallet, before) == expected
            rows, last = account_history.between(connection, wallet, 0, seq, 100)
            assert last == seq
            assert account_history.totals(connection, wallet, 0, seq) == Totals(seq, expected.balance, 0)
            assert [row.balance_after for row in rows] == [n * (n + 1) // 2 for n in range(1, seq + 1)]


def test_rows_are_read_in_batches(world: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = world.user()
    wallet = world.wallet(ann)
    for number in range(5):
        world.accept(world.deposit(ann, wallet, number + 1))
    world.post_payments()
    whole = page(world, wallet)
    monkeypatch.setattr(account_history, "BATCH_MAX", 2)
    assert page(world, wallet) == whole
    assert [row.amount for row in whole] == [5, 4, 3, 2, 1]
