"""Preflight finds each thing that is wrong with a database, and says it in a line."""

import os
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

import settings
from embedded.home import CHECKOUT
from embedded.postgres import SUPERUSER, Postgres
from embedded.valkey import Valkey
from models import preflight
from models.session import Engine, transaction
from settings import GATEWAY_ROLE, WORKER_ROLE
from tests.support import new_database
from tests.workers.books import Books
from workers import process as runtime


def faults(engine: Engine, process: str = "worker", *, durability: bool = False) -> list[str]:
    with transaction(engine) as connection:
        return preflight.faults(connection, process, durability=durability)


def test_migrated_database_passes(books: Books) -> None:
    assert faults(books.worker, "worker") == []
    assert faults(books.gateway, "gateway") == []


def test_server_that_can_lose_commits_is_refused(books: Books) -> None:
    assert faults(books.worker, durability=True) == [
        "PostgreSQL runs with fsync = off",
        "PostgreSQL runs with full_page_writes = off",
        "PostgreSQL runs with synchronous_commit = off",
    ]


def test_session_with_asynchronous_commit_is_refused(books: Books) -> None:
    engine = books.impatient_worker(synchronous_commit="local")
    assert "PostgreSQL runs with synchronous_commit = local" in faults(engine, durability=True)


def test_database_without_tables_is_refused(books: Books, postgres: Postgres) -> None:
    with new_database(postgres, template="template1") as bare:
        engine = books.open(bare.worker)
        assert faults(engine) == ["the database is not migrated: alembic upgrade head"]
        engine.dispose()


def test_newest_revision_is_that_of_the_migrations(books: Books) -> None:
    with books.as_owner() as connection:
        migrated = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    assert preflight.REVISIONS[0] == "0001"
    assert preflight.REVISIONS[-1] == migrated


def test_database_older_than_the_code_is_refused(books: Books) -> None:
    before, newest = preflight.REVISIONS[-2:]
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = %s", (before,))
    for process in ("worker", "gateway"):
        with pytest.raises(SystemExit) as refused:
            preflight.check_or_exit(getattr(books.database, process), process, durability=False)
        assert str(refused.value) == (
            f"{process} refuses to start: the database is older than this code, at revision {before} instead of"
            f" {newest}: alembic upgrade head"
        )


def test_code_older_than_its_database_starts_with_a_warning(books: Books) -> None:
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for process in ("worker", "gateway"):
        with capture_logs() as lines:
            preflight.check_or_exit(getattr(books.database, process), process, durability=False)
        [warning] = lines
        assert warning.pop("command").startswith("start the version that migrated")
        assert warning == {
            "event": "this code is older than its database",
            "log_level": "warning",
            "database": "9999",
            "code": preflight.REVISIONS[-1],
        }


def test_unreadable_revision_is_ignored(books: Books) -> None:
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        connection.exec_driver_sql(f"REVOKE SELECT (version_num) ON alembic_version FROM {WORKER_ROLE}")
    assert faults(books.worker) == []
    with books.as_owner() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO elsewhere")
    assert faults(books.gateway, "gateway") == []


def test_superuser_is_refused(books: Books) -> None:
    assert f"role {SUPERUSER} is a superuser" in faults(books.superuser)


@pytest.mark.parametrize(
    ("process", "change", "fault"),
    [
        (
            "worker",
            f"REVOKE UPDATE (balance) ON accounts FROM {WORKER_ROLE}",
            "may not UPDATE accounts.balance",
        ),
        (
            "worker",
            f"REVOKE INSERT (amount) ON operations FROM {WORKER_ROLE}",
            "may not INSERT operations.amount",
        ),
        (
            "worker",
            f"GRANT UPDATE (amount) ON operations TO {WORKER_ROLE}",
            "may UPDATE operations.amount",
        ),
        (
            "worker",
            f"GRANT INSERT ON events TO {WORKER_ROLE}",
            "may INSERT events.name",
        ),
        (
            "gateway",
            f"REVOKE INSERT (amount) ON payments FROM {GATEWAY_ROLE}",
            "may not INSERT payments.amount",
        ),
        ("gateway", f"GRANT UPDATE (floor) ON accounts TO {GATEWAY_ROLE}", "may UPDATE accounts.floor"),
        ("gateway", f"GRANT INSERT (state) ON payments TO {GATEWAY_ROLE}", "may INSERT payments.state"),
        ("gateway", f"GRANT INSERT ON operations TO {GATEWAY_ROLE}", "may INSERT operations.amount"),
    ],
)
def test_missing_or_excess_right_is_refused(books: Books, process: str, change: str, fault: str) -> None:
    with books.as_owner() as connection:
        connection.exec_driver_sql(change)
    role = {"worker": WORKER_ROLE, "gateway": GATEWAY_ROLE}[process]
    assert faults({"worker": books.worker, "gateway": books.gateway}[process], process) == [f"role {role} {fault}"]


def test_gateway_in_the_worker_role_is_refused(books: Books) -> None:
    found = faults(books.worker, "gateway")
    assert f"role {WORKER_ROLE} may UPDATE accounts.balance" in found
    assert f"role {WORKER_ROLE} may INSERT operations.amount" in found


def test_refused_process_prints_one_clear_line(books: Books) -> None:
    with pytest.raises(SystemExit, match=r"^worker refuses to start: PostgreSQL runs with fsync"):
        preflight.check_or_exit(books.database.worker, "worker", durability=True)
    preflight.check_or_exit(books.database.worker, "worker", durability=False)


def test_functions_open_to_public_are_warned_about(books: Books) -> None:
    with capture_logs() as lines:
        preflight.check_or_exit(books.database.worker, "worker", durability=False)
    assert lines == []
    with transaction(books.superuser) as connection:
        connection.exec_driver_sql("GRANT EXECUTE ON FUNCTION lo_create(oid), lowrite(integer, bytea) TO PUBLIC")
    for process in ("worker", "gateway"):
        with capture_logs() as lines:
            preflight.check_or_exit(getattr(books.database, process), process, durability=False)
        [warning] = lines
        assert (warning["log_level"], warning["functions"]) == ("warning", ["lo_create", "lowrite"])
        step = warning["command"].rpartition(" ")[2]
    with transaction(books.superuser) as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql((CHECKOUT / step).read_text())
    with capture_logs() as lines:
        preflight.check_or_exit(books.database.worker, "worker", durability=False)
    assert lines == []


def test_worker_refuses_a_server_that_can_lose_commits(books: Books, valkey: Valkey) -> None:
    worker = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "celery_config", "worker", "--queues", "payments", "--concurrency", "1"],
        cwd=CHECKOUT,
        env=os.environ
        | {"WORKER_DATABASE_URL": books.database.worker, "REDIS_URL": valkey.url(), "PREFLIGHT_DURABILITY": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert worker.returncode != 0
    assert "worker refuses to start: PostgreSQL runs with fsync = off" in worker.stdout + worker.stderr


@pytest.mark.parametrize("bonus", ["100 XYZ", "1.005 USD"])
def test_worker_with_unpayable_bonus_refuses_to_start(
    books: Books, bonus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_DATABASE_URL", books.database.worker)
    monkeypatch.setenv("PREFLIGHT_DURABILITY", "false")
    monkeypatch.setenv("WELCOME_BONUS", bonus)
    settings.load.cache_clear()
    runtime.forget_connections()
    try:
        with pytest.raises(SystemExit, match=r"^worker refuses to start: WELCOME_BONUS: "):
            runtime.preflight()
    finally:
        runtime.engine().dispose()
        runtime.forget_connections()
        settings.load.cache_clear()


@pytest.mark.parametrize(
    ("environ", "fault"), [({}, "RAIL is not set"), ({"RAIL": "simulator"}, "RAIL=simulator needs RAIL_SIMULATOR_URL")]
)
def test_rails_worker_without_a_rail_refuses_to_start(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], fault: str
) -> None:
    for name in ("RAIL", "RAIL_SIMULATOR_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings.load.cache_clear()
    try:
        with pytest.raises(SystemExit, match=f"^worker refuses to start: {fault}"):
            runtime.preflight(rails=True)
    finally:
        settings.load.cache_clear()


def test_worker_of_the_queue_rails_checks_for_a_rail(books: Books, valkey: Valkey) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAIL")}
    worker = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "celery_config", "worker", "--queues", "rails", "--pool", "solo"],
        cwd=CHECKOUT,
        env=environ | {"WORKER_DATABASE_URL": books.database.worker, "REDIS_URL": valkey.url()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert worker.returncode != 0
    assert "worker refuses to start: RAIL is not set" in worker.stdout + worker.stderr
