"""The auditor freezes the wallets of a breach, if a setting lets it: once for each breach, and only so many."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from sqlalchemy import NullPool, make_url
from structlog.testing import LogCapture

from embedded.postgres import SUPERUSER, Postgres
from models import account, breach, freeze
from models.audit import SHELL
from models.freeze import Freeze
from models.session import Contention, open_engine, transaction
from models.verification import OF_BULKS, OF_PAYMENTS, OF_RECORDS
from tests.builders import Builder
from tests.support import Database, at_once
from workers import auditor
from workers.auditor import Verified


class Verifier:
    """The books of a module, whose rows are broken past the triggers, and runs of the auditor over them."""

    def __init__(self, database: Database, postgres: Postgres) -> None:
        self.world = Builder.of(database)
        self.worker = open_engine(database.worker, NullPool)
        self.superuser = open_engine(postgres.url(make_url(database.owner).database, SUPERUSER), NullPool)
        self.run()

    def run(self, freezes_max: int = 0) -> Verified:
        return auditor.run(self.worker, 600, freezes_max=freezes_max)

    def run_unless_busy(self, freezes_max: int) -> Verified:
        try:
            return self.run(freezes_max)
        except Contention:
            return auditor.NOTHING

    def change(self, sql: str, *values: object) -> None:
        with transaction(self.superuser) as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            assert connection.exec_driver_sql(sql, values).rowcount > 0

    def wallets(self) -> tuple[str, str, str]:
        """Two wallets of different users, and a transfer between them that is posted and not verified yet."""
        ann, bob = self.world.user(), self.world.user()
        rich, poor = self.world.wallet(ann, funds=1000), self.world.wallet(bob)
        id = self.world.transfer(ann, rich, poor, 1)
        self.world.post_payments()
        return rich, poor, id

    @contextmanager
    def broken(self, *account_ids: str) -> Iterator[None]:
        """The balances of these accounts are a cent too high."""
        more = "UPDATE accounts SET balance = balance + %s WHERE id = ANY(%s::uuid[])"
        self.change(more, 1, list(account_ids))
        yield
        self.change(more, -1, list(account_ids))
        self.run()

    def freezes(self, account_id: str) -> list[Freeze]:
        with transaction(self.worker) as connection:
            return freeze.page(connection, 10, account_id=account_id)

    def is_frozen(self, account_id: str) -> bool:
        with transaction(self.worker) as connection:
            found = account.wallet_by_id(connection, account_id)
        assert found
        return found.is_frozen

    def thaw(self, record: Freeze) -> None:
        with transaction(self.worker) as connection:
            freeze.thaw(connection, record, "seen", SHELL)


@pytest.fixture(scope="module")
def books(database: Database, postgres: Postgres) -> Verifier:
    """The module's books, verified."""
    return Verifier(database, postgres)


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[MutableMapping[str, Any]]:
    """What the auditor logs."""
    capture = LogCapture()
    monkeypatch.setattr(auditor, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


def test_wallet_of_a_breach_is_frozen_once_with_an_audit_entry(books: Verifier) -> None:
    rich, poor, _ = books.wallets()
    with books.broken(rich):
        found = books.run(freezes_max=100)
        assert [one.subject for one in found.new] == ["EUR", rich]
        [frozen] = books.freezes(rich)
        assert (frozen.frozen_by, frozen.thawed_at, books.is_frozen(rich), books.is_frozen(poor)) == (
            *(None, None, True, False),
        )
        with transaction(books.worker) as connection:
            [kept] = breach.page(connection, 10, subject=rich)
            noted = connection.exec_driver_sql(
                "SELECT actor, reason, after ->> 'breach' FROM audit_log WHERE target = %s", (rich,)
            ).all()
        assert frozen.breach_id == kept.id
        assert noted == [("worker", f"{kept.invariant}: broken by {rich}", kept.id)]
        books.thaw(frozen)
        assert books.run(freezes_max=100).new == []
        assert not books.is_frozen(rich), "what ops thaw stays thawed"
    with books.broken(rich):
        books.run(freezes_max=100)
        assert books.is_frozen(rich), "another breach"
        assert len(books.freezes(rich)) == 2
    books.thaw(books.freezes(rich)[0])


def test_nothing_is_frozen_without_the_setting(books: Verifier) -> None:
    rich, _, _ = books.wallets()
    with books.broken(rich):
        assert books.run().new
        assert books.freezes(rich) == []


def test_technical_account_is_told_only(books: Verifier) -> None:
    wire = books.world.technical("wire")
    books.wallets()
    with books.broken(wire):
        assert wire in {one.subject for one in books.run(freezes_max=100).new}
        assert books.freezes(wire) == []


def test_only_so_many_wallets_are_frozen_at_a_time(books: Verifier, errors: list[MutableMapping[str, Any]]) -> None:
    rich, poor, _ = books.wallets()
    first, second = sorted((rich, poor))
    with books.broken(rich, poor):
        assert {one.subject for one in books.run(freezes_max=1).new} == {"EUR", rich, poor}
        assert books.is_frozen(first)
        assert not books.is_frozen(second)
        assert [one["account"] for one in errors if one["event"].startswith("not frozen")] == [second]
    books.thaw(books.freezes(first)[0])


def test_both_wallets_of_a_broken_payment_are_frozen_and_none_for_a_lost_event(books: Verifier) -> None:
    rich, poor, id = books.wallets()
    books.change("DELETE FROM events WHERE subject_id = %s AND name = 'payment.completed'", id)
    assert [one.invariant for one in books.run(freezes_max=100).new] == ["every transition has its event"]
    assert not books.is_frozen(rich)
    assert not books.is_frozen(poor)
    other_rich, other_poor, other = books.wallets()
    books.change("UPDATE payments SET amount = amount + 1 WHERE id = %s", other)
    books.run(freezes_max=100)
    assert books.is_frozen(other_rich)
    assert books.is_frozen(other_poor)
    for wallet in (other_rich, other_poor):
        books.thaw(books.freezes(wallet)[0])


def test_invariants_that_freeze_nothing_exist() -> None:
    assert {*OF_PAYMENTS, *OF_BULKS} >= OF_RECORDS


def test_wallet_that_is_posted_to_meanwhile_is_frozen(books: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is of one moment; what is frozen is locked after it."""
    rich, _, _ = books.wallets()
    read = breach.not_found_again
    with transaction(books.worker) as connection:
        found = account.wallet_by_id(connection, rich)
    assert found
    more = books.world.deposit(str(found.owner_id), rich, 5)

    def post_meanwhile(*arguments: object, **names: object) -> dict[str, str]:
        books.world.accept(more)
        books.world.post_payments()
        monkeypatch.undo()
        return read(*arguments, **names)

    with books.broken(rich):
        monkeypatch.setattr(breach, "not_found_again", post_meanwhile)
        books.run(freezes_max=100)
        assert books.is_frozen(rich)
        assert books.world.state(more.id) == "COMPLETED"
    books.thaw(books.freezes(rich)[0])


def test_twenty_runs_at_once_record_and_freeze_once(books: Verifier) -> None:
    rich, _, _ = books.wallets()
    with books.broken(rich):
        runs = [*at_once(20, lambda _: books.run_unless_busy(freezes_max=100)), books.run(freezes_max=100)]
        assert sorted(one.subject for run in runs for one in run.new) == sorted(("EUR", rich))
        assert len(books.freezes(rich)) == 1
        with transaction(books.worker) as connection:
            assert len(breach.page(connection, 10, subject=rich)) == 1
    books.thaw(books.freezes(rich)[0])
