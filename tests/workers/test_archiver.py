"""Old months go into files and come back: balances, receipts and invariants hold, and nothing is lost by a kill."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import zstandard
from flask import Flask
from sqlalchemy import Engine

from embedded import home as homes
from models import account_history, archiving, invariants, payment_receipt, payment_view, receipt
from models.archive import HistoryArchived, PaymentArchived
from models.archiving import NotArchivable, PaymentMonth
from models.checkpoint import SigningKey
from models.session import transaction
from tests.builders import Builder, scalar
from tests.support import Database, begin_with, free_of_commission, memory, new_database
from tests.workers.old_months import History, SteppedServer, live_through, settle
from workers import archive_files, archiver, auditor, process
from workers.cli.ops import ops_cli

KEY = SigningKey("1" * 64)
POINTS_MAX = 60
RUN = "SELECT account_id FROM archived_runs"


@pytest.fixture(scope="module")
def server(migrated: Path) -> Iterator[SteppedServer]:
    """A server of its own, for its clock is stepped."""
    with homes.temporary(memory() or homes.SHARED) as home, pytest.MonkeyPatch.context() as patch:
        begin_with(migrated, home.path)
        server = SteppedServer(home, patch)
        yield server
        server.postgres.stop("immediate")


@pytest.fixture(scope="module")
def history(server: SteppedServer) -> History:
    """What was paid, in the database `payments`, from which each test has a copy."""
    free_of_commission(server.postgres)
    url = server.postgres.url()
    roles = (server.postgres.url(role=role) for role in ("payments_worker", "payments_gateway"))
    world = Builder.of(Database(url, *roles))
    found = live_through(world, server)
    for engine in (world.owner, world.worker, world.gateway):
        engine.dispose()
    return found


@pytest.fixture
def world(server: SteppedServer, history: History) -> Iterator[Builder]:
    """A copy of the history; its books are sound at the end of the test."""
    with new_database(server.postgres, "payments") as database:
        world = Builder.of(database)
        yield world
        assert violations(world) == []
        assert auditor.run_full(world.worker, lambda *_: None).found == []
        for engine in (world.owner, world.worker, world.gateway):
            engine.dispose()


def violations(world: Builder) -> list[str]:
    with transaction(world.worker) as connection:
        return invariants.violations(connection)


def month_of(world: Builder, name: str) -> PaymentMonth:
    with transaction(world.owner) as connection:
        return next(month for month in archiving.months(connection) if month.name == name)


def archived(world: Builder, folder: Path, name: str, *, keep: bool = False) -> list[str]:
    done: list[str] = []
    archiver.archive(
        world.owner, folder, month_of(world, name), "it is old", lambda _, what: done.append(what), keep=keep
    )
    return done


def restored(world: Builder, folder: Path, name: str) -> list[str]:
    done: list[str] = []
    archiver.restore(world.owner, folder, month_of(world, name), "asked for", lambda _, what: done.append(what))
    return done


def content(world: Builder) -> list[object]:
    """All payments and operations."""
    with transaction(world.owner) as connection:
        return [
            connection.exec_driver_sql(f"SELECT t::text FROM {table} t ORDER BY 1").scalars().all()
            for table in ("payments", "operations")
        ]


def test_archived_months_leave_the_books_sound(world: Builder, history: History, tmp_path: Path) -> None:
    before = content(world)
    balances = {name: world.balance(history.ids[name]) for name in ("rich", "poor", "till")}
    for name in history.months:
        assert archived(world, tmp_path, name) == ["written", "verified", "detached", "dropped"]
        assert violations(world) == []
        assert archived(world, tmp_path, name) == []
    assert balances == {name: world.balance(history.ids[name]) for name in balances}
    world.transfer(history.ids["ann"], history.ids["rich"], history.ids["poor"], 3)
    world.post_payments()
    settle(world)
    assert auditor.run(world.worker, 600).found == []
    for name in reversed(history.months):
        assert restored(world, tmp_path, name) == ["loaded", "restored"]
        assert violations(world) == []
    after = content(world)
    assert all(set(old) < set(new) for old, new in zip(before, after, strict=True))


def test_archived_payment_is_told_from_an_unknown_one(world: Builder, history: History, tmp_path: Path) -> None:
    archived(world, tmp_path, history.months[0])
    with transaction(world.gateway) as connection:
        with pytest.raises(PaymentArchived):
            payment_view.by_id(connection, history.ids["done"])
        with pytest.raises(PaymentArchived):
            payment_view.by_id(connection, f"{history.ids['done'][:-4]}0000")
        assert payment_view.by_id(connection, "00000000-0000-7000-8000-000000000000") is None
        assert payment_view.by_id(connection, history.ids["later"]) is not None


def statement(world: Builder, account_id: str, month: str) -> list[object]:
    """Balances at the two ends of the month, and its totals."""
    start = datetime.fromisoformat(f"{month}-01T00:00:00Z")
    end = (start + timedelta(days=31)).replace(day=1)
    with transaction(world.gateway) as connection:
        opening, closing = (account_history.position(connection, account_id, moment) for moment in (start, end))
        between = (opening.account_seq, closing.account_seq)
        return [opening, closing, account_history.totals(connection, account_id, *between)]


def test_statements_of_archived_months_keep_their_sums(world: Builder, history: History, tmp_path: Path) -> None:
    def statements() -> list[object]:
        return [
            statement(world, history.ids[name], month) for name in ("rich", "poor", "till") for month in history.months
        ]

    before = statements()
    for name in history.months:
        archived(world, tmp_path, name)
        assert statements() == before
    with transaction(world.gateway) as connection:
        moment = scalar(connection, "SELECT max(ended_at) FROM archived_runs WHERE began_at < ended_at")
        account = str(scalar(connection, f"{RUN} WHERE ended_at = %s AND began_at < ended_at LIMIT 1", moment))
        with pytest.raises(HistoryArchived):
            account_history.position(connection, account, moment)  # type: ignore[arg-type]


def test_receipt_beside_archived_payments_is_genuine(world: Builder, history: History, tmp_path: Path) -> None:
    assert auditor.sign(world.worker, KEY)

    def proof() -> dict[str, object]:
        with transaction(world.gateway) as connection:
            return payment_receipt.receipt(connection, history.ids["later"], None)

    before = proof()
    archived(world, tmp_path, history.months[0])
    with transaction(world.owner) as connection:
        assert scalar(connection, "SELECT count(*) FROM archived_hashes") == 1
        keys = connection.exec_driver_sql("SELECT id, public_key FROM receipt_keys").all()
    assert proof() == before
    receipt.verify(before, {id: bytes(key) for id, key in keys})


OBSTACLES: dict[str, Callable[[Builder, History], object]] = {
    "payments that are not final": lambda world, history: world.park(
        world.transfer(history.ids["ann"], history.ids["rich"], history.ids["poor"], 1)
    ),
    "became final less than": lambda world, _: world.post_payments(),
    "a reader has not read": lambda world, history: world.transfer(
        history.ids["ann"], history.ids["rich"], history.ids["poor"], 1
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_month_that_is_not_settled_is_refused(world: Builder, history: History, tmp_path: Path, obstacle: str) -> None:
    OBSTACLES[obstacle](world, history)
    with transaction(world.owner) as connection:
        now = str(scalar(connection, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')"))
    with pytest.raises(NotArchivable, match=obstacle):
        archived(world, tmp_path, now)
    assert list(tmp_path.iterdir()) == []
    world.post_payments()


def test_files_that_differ_from_the_tables_drop_nothing(world: Builder, history: History, tmp_path: Path) -> None:
    name = history.months[0]
    assert archived(world, tmp_path, name, keep=True) == ["written", "verified"]
    path = archive_files.file_of(tmp_path / name, "operations")
    path.write_bytes(zstandard.compress(zstandard.decompress(path.read_bytes(), 1 << 20).replace(b"EUR", b"USD", 1)))
    before = content(world)
    with pytest.raises(NotArchivable, match="not those of its manifest"):
        archived(world, tmp_path, name)
    assert content(world) == before


def killed_at(point: int, engine: Engine, run: Callable[[], object]) -> bool:
    """Run it in a process that is killed before its n-th commit or write to the disk; False if it ends."""
    engine.dispose()
    child = os.fork()
    if child == 0:
        left = [point]

        def count() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def counting(call: Callable[..., object]) -> Callable[..., object]:
            def counted(*arguments: object) -> object:
                count()
                return call(*arguments)

            return counted

        os.fsync = counting(os.fsync)  # type: ignore[assignment]
        engine.dialect.do_commit = counting(engine.dialect.do_commit)  # type: ignore[method-assign]
        run()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_kill_at_any_point_loses_nothing(world: Builder, history: History, tmp_path: Path) -> None:
    name, before, point = history.months[0], content(world), 0
    while killed_at(point, world.owner, lambda: archived(world, tmp_path, name)):
        assert violations(world) == []
        archived(world, tmp_path, name)
        killed_at(point, world.owner, lambda: restored(world, tmp_path, name))
        restored(world, tmp_path, name)
        assert content(world) == before
        for path in (tmp_path / name).iterdir():
            path.unlink()
        (tmp_path / name).rmdir()
        point += 1
    assert 8 < point < POINTS_MAX
    assert month_of(world, name).dropped


def test_month_that_another_command_restored_is_not_dropped(world: Builder, history: History, tmp_path: Path) -> None:
    name = history.months[0]
    seen = month_of(world, name)
    archived(world, tmp_path, name)
    dropped = month_of(world, name)
    restored(world, tmp_path, name)
    before = content(world)
    with pytest.raises(NotArchivable, match="another command"):
        archiver.restore(world.owner, tmp_path, dropped, "twice", lambda *_: None)
    with pytest.raises(NotArchivable, match="another command"):
        archiver.archive(world.owner, tmp_path, seen._replace(detached=True), "twice", lambda *_: None)
    assert content(world) == before


def test_commands_archive_and_restore_and_say_so(
    world: Builder, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "owner_engine", lambda: world.owner)
    app = Flask(__name__)
    app.cli.add_command(ops_cli)

    def flask(*arguments: str) -> list[str]:
        result = app.test_cli_runner().invoke(args=["ops", *arguments])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    first, second = history.months
    told = ("--folder", str(tmp_path), "--reason", "it is old")
    assert f"{first}: may be archived" in flask("archive", "--before", second, *told, "--dry-run")
    assert f"{first}: dropped" in flask("archive", "--before", second, *told)
    rows = [json.loads(row) for row in flask("months", "--json")]
    assert [row["month"] for row in rows if row["is_dropped"]][-1] == first
    assert f"{first}: restored" in flask("restore", first, *told)
    with transaction(world.owner) as connection:
        noted = connection.exec_driver_sql("SELECT action FROM audit_log WHERE target = %s ORDER BY id", (first,))
        assert noted.scalars().all() == ["months.detach", "months.archive", "months.restore"]
