"""The auditor: sound books have no breach; what is broken by hand is named within one run, and healed when it is."""

from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import Connection, NullPool, event, make_url
from sqlalchemy.engine import Engine
from structlog.testing import LogCapture

from embedded.postgres import SUPERUSER, Postgres
from models import breach, ledger_batch
from models.audit import SHELL
from models.checkpoint import SigningKey
from models.session import open_engine, transaction
from tests.builders import Builder, new_id
from tests.support import Database
from workers import auditor
from workers.auditor import Verified

OPERATION = "UPDATE operations SET {} WHERE payment_id = %(done)s AND line = 0"
BATCH = "UPDATE ledger_batches SET {} WHERE number = %(batch)s"
PAIR = """
INSERT INTO operations (payment_id, line, account_id, amount, currency, kind, balance_after, account_seq, created_at)
SELECT {}, line + {}, account_id, amount, currency, kind, balance_after + amount, account_seq + 90, {}
FROM operations WHERE payment_id = %(done)s
"""

BREAKS = {
    "operations sum to zero per payment and currency": (OPERATION.format("amount = amount + 1"), "{done} currency EUR"),
    "each operation follows the one before of its account": (
        OPERATION.format("balance_after = balance_after + 1"),
        "{done} line 0",
    ),
    "an account's balance is that after its newest operation": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = %(rich)s",
        "{rich}",
    ),
    "an account's held amount is the sum of its open holds": (
        "UPDATE accounts SET held = held + 1 WHERE id = %(rich)s",
        "{rich}",
    ),
    "no available balance is or ever was below its floor": (OPERATION.format("balance_after = -1"), "{done} line 0"),
    "a payment has operations exactly when it COMPLETED": (
        "UPDATE payments SET state = 'FAILED', failure_code = 'expired' WHERE id = %(done)s",
        "{done}",
    ),
    "a completed payment moved its amount, or what was captured of it, from its source to its target": (
        "UPDATE payments SET amount = amount + 1 WHERE id = %(done)s",
        "{done}",
    ),
    "every accepted payment is still there": ("DELETE FROM payments WHERE id = %(open)s", "{open}"),
    "every operation is of a payment": ("DELETE FROM payments WHERE id = %(done)s", "{done}"),
    "every transition has its event": (
        "DELETE FROM events WHERE subject_id = %(done)s AND name = 'payment.completed'",
        "{done}",
    ),
    ledger_batch.UNCHANGED: (OPERATION.format("created_at = created_at - interval '1 us'"), "{done}"),
    ledger_batch.FOLLOWS: ("DELETE FROM ledger_batches WHERE number = %(batch)s", "batch {next}"),
    ledger_batch.CHAINED: (BATCH.format("payments = array_replace(payments, %(done)s, %(open)s)"), "{done}"),
}
"""Statements that break what is new, past the triggers, and the row that is named."""

TAMPERED = {
    "a changed amount": (OPERATION.format("amount = amount - 1"), "{done}"),
    "a changed account": (OPERATION.format("account_id = %(wire)s, account_seq = 90"), "{done}"),
    "a changed sequence": (OPERATION.format("account_seq = account_seq + 90"), "{done}"),
    "an operation less": ("DELETE FROM operations WHERE payment_id = %(done)s AND line = 1", "{done}"),
    "two operations more": (PAIR.format("%(done)s", 2, "created_at"), "{done}"),
    "no operations": ("DELETE FROM operations WHERE payment_id = %(done)s", "{done}"),
    "another root": (BATCH.format("root = sha256('x')"), "batch {batch}"),
    "another order": (BATCH.format("payments = ARRAY[payments[2], payments[1]]"), "{done}"),
}
"""Changes of what was posted and verified long before, and the row of the chain that is named."""


@pytest.fixture(scope="module")
def shared_world(database: Database) -> Builder:
    """The module's database."""
    return Builder.of(database)


@pytest.fixture(scope="module")
def superuser(postgres: Postgres, database: Database) -> Engine:
    """Who may do without triggers."""
    return open_engine(postgres.url(make_url(database.owner).database, SUPERUSER), NullPool)


@pytest.fixture(scope="module")
def verified(shared_world: Builder) -> dict[str, str]:
    """Payments that were posted in a batch of two, then others; all of it verified."""
    names = _post(shared_world)
    shared_world.refunded_charge(names["rich"], 50, 30)
    assert verify(shared_world).found == []
    return names


def _post(world: Builder) -> dict[str, str]:
    ann, bob = world.user(), world.user()
    rich, poor = world.wallet(ann, funds=1000), world.wallet(bob)
    done = world.transfer(ann, rich, poor, 700)
    world.transfer(bob, poor, rich, 5)
    world.post_payments()
    with transaction(world.worker) as connection:
        batch = ledger_batch.containing(connection, done)
    assert batch is not None
    assert len(batch.payments) == 2
    world.transfer(ann, rich, poor, 1)
    world.post_payments()
    still_open = world.transfer(ann, rich, poor, 1)
    numbers = {"batch": str(batch.number), "next": str(batch.number + 1)}
    return {"rich": rich, "done": done, "open": still_open, "wire": world.technical("wire"), **numbers}


def verify(world: Builder) -> Verified:
    """A run over all that is new."""
    done = auditor.run(world.worker, 600)
    assert not done.remains
    return done


def break_by_hand(superuser: Engine, sql: str, names: dict[str, str]) -> None:
    with transaction(superuser) as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        assert connection.exec_driver_sql(sql, names).rowcount > 0


@pytest.fixture
def restored(superuser: Engine) -> Iterator[None]:
    """Tables as they were before the test, put back past the triggers."""
    kept = ("operations", "payments", "accounts", "events", "ledger_batches", "verification_positions")
    kept += ("refund_totals", "idempotency_keys")
    generated = {"ledger_batches": "number, previous_hash, posted_at, payments, salts, marks, root"}
    with transaction(superuser) as connection:
        for table in kept:
            connection.exec_driver_sql(f"CREATE TABLE kept_{table} AS TABLE {table}")
    yield
    with transaction(superuser) as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in kept:
            columns = generated.get(table, "*")
            connection.exec_driver_sql(f"DELETE FROM {table}")
            into = f"({columns}) OVERRIDING SYSTEM VALUE" if columns != "*" else "OVERRIDING SYSTEM VALUE"
            connection.exec_driver_sql(f"INSERT INTO {table} {into} SELECT {columns} FROM kept_{table}")
            connection.exec_driver_sql(f"DROP TABLE kept_{table}")
        connection.exec_driver_sql("DELETE FROM breaches")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("invariant", BREAKS)
def test_what_is_broken_by_hand_is_named_within_one_run(
    shared_world: Builder, superuser: Engine, monkeypatch: pytest.MonkeyPatch, invariant: str
) -> None:
    capture = LogCapture()
    monkeypatch.setattr(auditor, "log", structlog.wrap_logger(None, processors=[capture]))
    names = _post(shared_world)
    sql, subject = BREAKS[invariant]
    break_by_hand(superuser, sql, names)
    found = verify(shared_world)
    row = (invariant, subject.format(**names))
    assert row in {(one.invariant, one.subject) for one in found.new}
    assert row in {(entry["invariant"], entry["subject"]) for entry in capture.entries if entry["log_level"] == "error"}
    assert row not in {(one.invariant, one.subject) for one in verify(shared_world).new}, "it is recorded once"


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("change", TAMPERED)
def test_tampering_is_found_by_the_chain(
    shared_world: Builder, superuser: Engine, verified: dict[str, str], change: str
) -> None:
    sql, subject = TAMPERED[change]
    break_by_hand(superuser, sql, verified)
    found = auditor.run_full(shared_world.worker, lambda *_: None)
    assert (ledger_batch.UNCHANGED, subject.format(**verified)) in {(one.invariant, one.subject) for one in found.new}


@pytest.mark.usefixtures("restored", "verified")
def test_last_batch_removed_is_found(shared_world: Builder, superuser: Engine) -> None:
    verify(shared_world)
    break_by_hand(superuser, "DELETE FROM ledger_batches WHERE number = (SELECT max(number) FROM ledger_batches)", {})
    assert ledger_batch.STILL_THERE in {one.invariant for one in verify(shared_world).new}
    _post(shared_world)
    assert verify(shared_world).healed == [], "what was lost is only acknowledged"


@pytest.mark.usefixtures("restored")
def test_chain_that_was_made_anew_is_found(shared_world: Builder, superuser: Engine, verified: dict[str, str]) -> None:
    verify(shared_world)
    with transaction(superuser) as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("UPDATE ledger_batches SET root = sha256('x') WHERE number = 1")
        connection.exec_driver_sql(
            "DO $$ DECLARE b record; BEGIN FOR b IN SELECT number FROM ledger_batches WHERE number > 1 ORDER BY 1 LOOP"
            " UPDATE ledger_batches SET previous_hash = (SELECT hash FROM ledger_batches WHERE number = b.number - 1)"
            " WHERE number = b.number; END LOOP; END $$"
        )
    assert ledger_batch.STILL_THERE in {one.invariant for one in verify(shared_world).new}


@pytest.mark.usefixtures("verified")
def test_sound_books_have_no_breach(shared_world: Builder) -> None:
    steps: list[tuple[int, int, str]] = []
    done = auditor.run_full(shared_world.worker, lambda *step: steps.append(step))
    assert (done.found, done.healed) == ([], [])
    assert done.batches >= 4
    assert steps[-1][:2] == (steps[-1][1], steps[0][1])
    assert [step[0] for step in steps] == sorted(step[0] for step in steps)


def test_breach_is_healed_when_it_is_not_found_again(
    shared_world: Builder, superuser: Engine, verified: dict[str, str]
) -> None:
    more = "UPDATE accounts SET balance = balance + %(more)s WHERE id = %(rich)s"
    break_by_hand(superuser, more, verified | {"more": 1})
    full = auditor.run_full(shared_world.worker, lambda *_: None)
    assert {one.subject for one in full.new} == {"EUR", verified["rich"]}
    break_by_hand(superuser, more, verified | {"more": -1})
    assert set(auditor.run_full(shared_world.worker, lambda *_: None).healed) == {"EUR", verified["rich"]}


def test_breach_is_acknowledged_once(shared_world: Builder, superuser: Engine) -> None:
    subject = new_id()
    with transaction(shared_world.worker) as connection:
        breach.record(connection, [breach.Breach("a rule", subject, {"id": subject})])
    with transaction(shared_world.worker) as connection:
        [found] = breach.page(connection, 10, is_open=True, subject=subject)
        assert breach.acknowledge(connection, found.id, SHELL, "known")
        assert not breach.acknowledge(connection, found.id, SHELL, "known better")
        [kept] = breach.page(connection, 10, subject=subject)
        assert (kept.acknowledged_by, kept.reason) == ("shell", "known")
        assert breach.page(connection, 10, is_open=True, subject=subject) == []
    with transaction(superuser) as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("DELETE FROM breaches")


READ = """
SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int FROM pg_stat_xact_user_tables
WHERE relname ~ '^(payments|operations|events|ledger_batches|refund_totals)'
"""


def rows_read(database: Database) -> int:
    """Rows that a run over what is new reads, by indexes however small the tables are."""
    url = make_url(database.worker).update_query_dict({"options": "-c enable_seqscan=off"})
    engine, read = open_engine(url.render_as_string(hide_password=False), NullPool), 0

    def count(connection: Connection) -> None:
        nonlocal read
        read += connection.exec_driver_sql(READ).scalar_one()

    event.listen(engine, "commit", count)
    assert auditor.run(engine, 600, again=False).payments > 0
    return read


def test_run_reads_what_is_new_and_no_history(shared_world: Builder, database: Database) -> None:
    ann, bob = shared_world.user(), shared_world.user()
    rich, poor = shared_world.wallet(ann, funds=1000), shared_world.wallet(bob)
    read = []
    for history in (3, 300):
        for _ in range(history):
            shared_world.transfer(ann, rich, poor, 1)
        shared_world.post_payments()
        verify(shared_world)
        shared_world.transfer(ann, rich, poor, 1)
        shared_world.post_payments()
        read.append(rows_read(database))
    assert read[1] <= read[0] + 10, read


def test_nothing_is_signed_while_the_chain_is_broken(shared_world: Builder, superuser: Engine) -> None:
    key = SigningKey("ab" * 32)
    _post(shared_world)
    with transaction(shared_world.worker) as connection:
        breach.record(connection, [breach.Breach(ledger_batch.STILL_THERE, "batch 1", {})])
    verify(shared_world)
    assert auditor.sign(shared_world.worker, key) == []
    with transaction(superuser) as connection:
        connection.exec_driver_sql("UPDATE breaches SET acknowledged_at = now(), acknowledged_by = 'x', reason = 'x'")
    [signed] = auditor.sign(shared_world.worker, key)
    assert auditor.sign(shared_world.worker, key) == []
    _post(shared_world)
    assert auditor.sign(shared_world.worker, key) == [], "only what is verified"
    verify(shared_world)
    [later] = auditor.sign(shared_world.worker, key)
    assert (signed.first_batch, later.first_batch, later.previous_hash) == (0, signed.last_batch + 1, signed.hash)
