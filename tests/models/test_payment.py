"""The row is the queue: accepting, claiming, postponing and reviving payments."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from models import account, idempotency, paused_payment, payment, payment_stuck
from models.payment_stuck import StuckFilter
from models.session import transaction
from tests.builders import Builder, new_id, scalar
from tests.support import eventually


class Parties(NamedTuple):
    """Two users with a wallet each, the first with 10.00 on it."""

    ann: str
    bob: str
    rich: str
    poor: str


@pytest.fixture
def parties(world: Builder) -> Parties:
    ann, bob = world.user(), world.user()
    return Parties(ann, bob, world.wallet(ann, funds=1000), world.wallet(bob))


def order(world: Builder, parties: Parties, **rest):
    return world.new_payment("transfer", parties.ann, parties.rich, parties.poor, 100, **rest)


def count(world: Builder, table: str) -> int:
    with world.owner.connect() as connection:
        return scalar(connection, f"SELECT count(*) FROM {table}")


def test_payment_is_stored_with_all_its_fields(world, parties):
    fields = {"summary": 'Söme "thing", {50%}\\', "reference": "A-1", "metadata": {"a": [1, '"{}']}}
    new = order(world, parties, **fields)
    assert world.accept(new) == [new.id]
    with transaction(world.gateway) as connection:
        row = connection.exec_driver_sql(
            "SELECT type, state, user_id::text, source_id::text, target_id::text, amount, currency, summary, reference,"
            " metadata, attempts, version, due_at = created_at FROM payments WHERE id = %s",
            (new.id,),
        ).one()
    expected = ("transfer", "INITIATED", *parties[:1], *parties[2:], 100, "EUR", *list(fields.values())[:2])
    assert tuple(row) == (*expected, {"a": [1, '"{}']}, 0, 1, True)


def test_used_key_stores_nothing_and_the_rest_is_stored(world, parties):
    first = order(world, parties, key="k")
    world.accept(first)
    again, other = order(world, parties, key="k", fingerprint=b"x" * 32), order(world, parties)
    assert world.accept(again, other) == [other.id]
    with transaction(world.gateway) as connection:
        kept = idempotency.find(connection, [(parties.ann, "k"), (parties.ann, "other"), (parties.bob, "k")])
        assert payment.states(connection, [first.id, again.id, other.id]).keys() == {first.id, other.id}
    assert kept == {(parties.ann, "k"): idempotency.StoredKey(bytes(32), first.id)}


def test_same_key_of_another_user_is_another_key(world, parties):
    anns, bobs = order(world, parties, key="k"), order(world, parties, key="k")._replace(user_id=parties.bob)
    assert set(world.accept(anns, bobs)) == {anns.id, bobs.id}


def test_equal_keys_at_once_make_one_payment(world, parties):
    start = threading.Barrier(8, timeout=60)

    def submit(_: int) -> tuple[list[str], str]:
        start.wait()
        new = world.accept(order(world, parties, key="k"))
        with transaction(world.gateway) as connection:
            return new, idempotency.find(connection, [(parties.ann, "k")])[parties.ann, "k"].object_id

    before = count(world, "payments")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(submit, range(8)))
    [winner] = [new[0] for new, _ in answers if new]
    assert {found for _, found in answers} == {winner}
    assert count(world, "payments") == before + 1


def test_flushes_with_the_same_keys_in_any_order_never_deadlock(world, parties):
    start = threading.Barrier(4, timeout=60)
    keys = [[secrets.token_hex(4) for _ in range(50)] for _ in range(10)]

    def flush(turn: int) -> int:
        start.wait()
        new = 0
        for batch in keys:
            shuffled = sorted(batch, key=lambda key: key[turn:])
            new += len(world.accept(*(order(world, parties, key=key) for key in shuffled)))
        return new

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(flush, range(4))) == 500


def test_payment_that_breaks_a_constraint_fails_its_flush(world, parties):
    keys = count(world, "idempotency_keys")
    with pytest.raises(IntegrityError):
        world.accept(order(world, parties), order(world, parties)._replace(amount=0))
    assert count(world, "idempotency_keys") == keys


def test_key_names_one_payment_or_account(world, parties):
    world.accept(order(world, parties, key="k"))
    with transaction(world.gateway) as connection:
        assert not idempotency.keep(connection, parties.ann, "k", bytes(32), account_id=new_id())
        assert idempotency.keep(connection, parties.ann, "w", bytes(32), account_id=parties.rich)
        assert not idempotency.keep(connection, parties.ann, "w", bytes(32), account_id=parties.poor)
        assert idempotency.find(connection, [(parties.ann, "w")])[parties.ann, "w"].object_id == parties.rich


def test_reference_is_unique_for_each_merchant(world, parties):
    first, second = new_id(), new_id()
    with transaction(world.gateway) as connection:
        assert payment.keep_reference(connection, parties.ann, "A-1", first) is None
        assert payment.keep_reference(connection, parties.ann, "A-1", second) == first
        assert payment.keep_reference(connection, parties.bob, "A-1", second) is None


def failing(world: Builder, parties: Parties) -> str:
    """A charge of bob's with a reference, which FAILED for want of money."""
    [id] = world.accept(world.new_payment("charge", parties.bob, parties.rich, parties.poor, 9999, reference="A-1"))
    with transaction(world.gateway) as connection:
        assert payment.keep_reference(connection, parties.bob, "A-1", id) is None
    assert (world.post_payments(), world.state(id)) == (1, "FAILED")
    return id


@pytest.mark.parametrize("is_committed", [True, False])
def test_second_use_of_a_reference_waits_for_the_first(world, parties, is_committed):
    failing(world, parties)
    first, second = (
        world.new_payment("charge", parties.bob, parties.rich, parties.poor, 1, reference="A-1") for _ in range(2)
    )

    def take(new: payment.NewPayment, connection: Connection) -> str | None:
        payment.accept(connection, [new])
        return payment.keep_reference(connection, parties.bob, "A-1", new.id)

    def come_second() -> str | None:
        with transaction(world.gateway) as connection:
            return take(second, connection)

    with ThreadPoolExecutor(1) as thread, world.gateway.connect() as connection:
        assert take(first, connection) is None
        later = thread.submit(come_second)
        eventually(lambda: count(world, "pg_locks WHERE NOT granted AND locktype = 'transactionid'"))
        connection.commit() if is_committed else connection.rollback()
        assert later.result() == (first.id if is_committed else None)


def test_reference_is_free_once_the_failure_is_committed(world, parties):
    [id] = world.accept(world.new_payment("charge", parties.bob, parties.rich, parties.poor, 9999, reference="A-1"))
    [later] = world.accept(world.new_payment("charge", parties.bob, parties.rich, parties.poor, 1, reference="A-1"))
    with transaction(world.gateway) as connection:
        assert payment.keep_reference(connection, parties.bob, "A-1", id) is None
    with world.worker.connect() as worker:
        worker.exec_driver_sql(
            "UPDATE payments SET state = 'FAILED', failure_code = 'expired', finalized_at = now() WHERE id = %s", (id,)
        )
        with transaction(world.gateway) as connection:
            assert payment.keep_reference(connection, parties.bob, "A-1", later) == id
        worker.commit()
    with transaction(world.gateway) as connection:
        assert payment.keep_reference(connection, parties.bob, "A-1", later) is None
        assert payment.keep_reference(connection, parties.bob, "A-1", new_id()) == later


def test_claims_are_ordered_by_due_time_without_holds(world, parties):
    ids = [world.transfer(parties.ann, parties.rich, parties.poor, 1) for _ in range(5)]
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE payments SET due_at = due_at - interval '1 hour' WHERE id = %s", (ids[4],))
        connection.exec_driver_sql("UPDATE payments SET due_at = now() + interval '1 hour' WHERE id = %s", (ids[1],))
    world.park(ids[2])
    with transaction(world.worker) as first, transaction(world.worker) as second:
        assert [p.id for p in paused_payment.claim(first, 1)] == [ids[4]]
        assert [p.id for p in paused_payment.claim(second, 10)] == [ids[0], ids[3]]
        assert [p.id for p in paused_payment.claim(first, 10)] == [ids[4]], "its own again, and no others"
    with transaction(world.worker) as connection:
        assert [p.id for p in paused_payment.claim(connection, 10)] == [ids[4], ids[0], ids[3]]


def test_claimed_amount_keeps_all_its_digits(world, parties):
    world.accept(order(world, parties)._replace(amount=10**38 - 1))
    with transaction(world.worker) as connection:
        assert [p.amount for p in paused_payment.claim(connection, 1)] == [10**38 - 1]


def test_failed_attempt_is_counted_once(world, parties):
    id = world.transfer(parties.ann, parties.rich, parties.poor, 1)
    with transaction(world.worker) as connection:
        assert payment.postpone(connection, id, 1, "x" * 900, 3600.0, park=False)
        assert not payment.postpone(connection, id, 1, "again", 0.0, park=False)
        assert not payment.postpone(connection, id, 3, "too far", 0.0, park=False)
        assert payment.attempts(connection, id) == 1
        assert payment.last_error(connection, id) == "x" * 500
        assert paused_payment.claim(connection, 10) == []
        assert not payment.is_anything_due(connection)


def test_final_or_parked_payment_is_not_postponed(world, parties):
    done, parked = (world.transfer(parties.ann, parties.rich, parties.poor, 1) for _ in range(2))
    world.park(parked)
    world.post_payments()
    with transaction(world.worker) as connection:
        assert not payment.postpone(connection, done, 1, "late", 0.0, park=True)
        assert not payment.postpone(connection, parked, 2, "late", 0.0, park=True)


def test_reset_payment_is_due_with_all_its_attempts(world, parties):
    done, parked = (world.transfer(parties.ann, parties.rich, parties.poor, 1) for _ in range(2))
    world.park(parked)
    world.post_payments()
    with transaction(world.worker) as connection:
        assert [s.id for s in payment_stuck.find(connection, StuckFilter(), 10)] == [parked]
        [was] = payment_stuck.reset_for_retry(connection, [parked, done, new_id()])
        assert (was.id, was.attempts, was.last_error, was.parked_at is None) == (parked, 1, "no luck", False)
        assert payment_stuck.find(connection, StuckFilter(), 10) == []
        assert payment.attempts(connection, parked) == 0
    assert world.post_payments() == 1
    assert world.state(parked) == "COMPLETED"


def test_waiting_and_stuck_payments_are_counted(world, parties):
    ids = [world.transfer(parties.ann, parties.rich, parties.poor, 1) for _ in range(3)]
    world.park(ids[2])
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE payments SET due_at = now() - interval '1 hour' WHERE id = %s", (ids[1],))
    with transaction(world.worker) as connection:
        waiting, oldest_seconds = payment.waiting(connection)
        assert (waiting, 3600 <= oldest_seconds < 3700) == (2, True)
        assert [s.id for s in payment_stuck.find(connection, StuckFilter(0), 10)] == [ids[1], ids[0]]
        assert payment_stuck.find(connection, StuckFilter(3600), 10) == []
        assert [s.id for s in payment_stuck.open_among(connection, ids)] == ids
    world.post_payments()
    with transaction(world.worker) as connection:
        assert payment.waiting(connection) == (0, 0.0)


def test_charge_goes_to_the_oldest_active_wallet_of_its_currency(world, parties):
    eur = [world.wallet(parties.bob) for _ in range(2)]
    usd = world.wallet(parties.bob, currency="USD")
    wanted = [(parties.bob, "EUR"), (parties.bob, "USD"), (parties.bob, "JPY"), (parties.ann, "EUR")]

    def oldest() -> dict[tuple[str, str], str]:
        with transaction(world.gateway) as connection:
            return {pair: party.id for pair, party in account.oldest_wallets(connection, wanted).items()}

    assert oldest() == {wanted[0]: parties.poor, wanted[1]: usd, wanted[3]: parties.rich}
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE accounts SET is_active = false WHERE id = %s", (parties.poor,))
    assert oldest()[wanted[0]] == eur[0]


def test_currency_may_be_called_null(world):
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO currencies (code, digits, kind, name) VALUES ('NULL', 2, 'custom', 'Nil')"
        )
    ann = world.user()
    wallet = world.wallet(ann, currency="NULL", funds=7)
    assert world.balance(wallet) == 7
    with transaction(world.gateway) as connection:
        assert account.oldest_wallets(connection, [(ann, "NULL")])[ann, "NULL"].id == wallet
