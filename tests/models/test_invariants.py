"""Books in order break no invariant; each invariant finds its own break, made by a superuser past the triggers."""

import pytest
from sqlalchemy import Engine, NullPool
from sqlalchemy.engine import make_url

from embedded.postgres import SUPERUSER, Postgres
from models.invariants import INVARIANTS, violations
from models.session import open_engine
from tests.models.world import World
from tests.support import Database

BREAKS = {
    "operations sum to zero per payment and currency": "UPDATE operations SET amount = amount + 1 WHERE payment_id = %(done)s AND line = 1",
    "an account's balance is the sum of its operations": "UPDATE accounts SET balance = balance + 1 WHERE id = %(rich)s",
    "an account's operations are dense, without gap or fork, up to last_seq": "UPDATE operations SET account_seq = 9 WHERE payment_id = %(done)s AND line = 0",
    "each balance_after is the one before plus the amount": "UPDATE operations SET balance_after = balance_after + 1 WHERE payment_id = %(done)s AND line = 0",
    "no available balance is or ever was below its floor": "UPDATE operations SET balance_after = -1 WHERE payment_id = %(done)s AND line = 0",
    "a payment has operations exactly when it COMPLETED": "DELETE FROM operations WHERE payment_id = %(done)s",
    "a completed payment moved its amount from its source to its target": "UPDATE payments SET amount = amount + 1 WHERE id = %(done)s",
    "every operation is of a payment": "DELETE FROM payments WHERE id = %(done)s",
    "every operation is in its account's and its payment's currency": "UPDATE operations SET currency = 'USD' WHERE payment_id = %(done)s",
    "every idempotency key names a payment or an account that exists": "DELETE FROM payments WHERE id = %(open)s",
    "every transition has its event": "DELETE FROM payment_events WHERE payment_id = %(done)s AND name = 'payment.completed'",
    "every event is of a transition": "INSERT INTO payment_events (payment_id, version, name) VALUES (%(open)s, 2, 'payment.completed')",
    "nothing is held without an open hold": "UPDATE accounts SET held = 1 WHERE id = %(rich)s",
}  # fmt: skip

MORE = [
    ("an account's operations are dense, without gap or fork, up to last_seq", "UPDATE accounts SET last_seq = last_seq + 1 WHERE id = %(rich)s"),
    ("a payment has operations exactly when it COMPLETED", "UPDATE payments SET state = 'FAILED', failure_code = 'expired' WHERE id = %(done)s"),
    ("a completed payment moved its amount from its source to its target", "UPDATE payments SET source_id = target_id, target_id = source_id WHERE id = %(done)s"),
    ("every operation is in its account's and its payment's currency", "UPDATE payments SET currency = 'USD' WHERE id = %(done)s"),
    ("every transition has its event", "DELETE FROM payment_events WHERE payment_id = %(done)s AND version = 1"),
    ("every event is of a transition", "UPDATE payment_events SET name = 'payment.completed' WHERE payment_id = %(failed)s AND version = 2"),
    ("every event is of a transition", "DELETE FROM payments WHERE id = %(failed)s"),
]  # fmt: skip


@pytest.fixture(scope="module")
def names(shared_world: World) -> dict[str, str]:
    """A lively world: deposits, and transfers that completed, failed, are parked and are open."""
    ann, bob = shared_world.user(), shared_world.user()
    rich, poor = shared_world.wallet(ann, funds=1000), shared_world.wallet(bob)
    done, failed = shared_world.transfer(ann, rich, poor, 700), shared_world.transfer(ann, rich, poor, 700)
    shared_world.transfer(bob, poor, rich, 5)
    shared_world.post()
    shared_world.park(shared_world.transfer(ann, rich, poor, 1))
    return {"rich": rich, "done": done, "failed": failed, "open": shared_world.transfer(ann, rich, poor, 1)}


@pytest.fixture(scope="module")
def superuser(postgres: Postgres, database: Database) -> Engine:
    """Who may do without triggers."""
    return open_engine(postgres.url(make_url(database.owner).database, SUPERUSER), NullPool)


@pytest.mark.usefixtures("names")
def test_books_in_order_break_nothing_and_the_worker_may_ask(shared_world):
    with shared_world.worker.connect() as connection:
        assert violations(connection) == []


def test_every_invariant_has_its_break():
    assert BREAKS.keys() == INVARIANTS.keys()


@pytest.mark.parametrize(("promise", "sql"), [*BREAKS.items(), *MORE])
def test_each_invariant_finds_its_break(superuser, names, promise, sql):
    with superuser.connect() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        assert connection.exec_driver_sql(sql, names).rowcount > 0
        assert promise in {found.partition(": ")[0] for found in violations(connection)}
