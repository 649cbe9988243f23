"""Waiting for conditions, and databases for tests."""

import io
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, NullPool, create_engine, event, make_url

import settings
from embedded.home import CHECKOUT
from embedded.postgres import SUPERUSER, Postgres
from models.session import RequestCursor, open_engine

T = TypeVar("T")
POLL_SECONDS, POLL_SECONDS_MAX = 0.02, 0.2
POLL_SHARE = 0.05
"""After a long wait conditions are checked less often: a check costs CPU of the machine that is waited for."""

PATIENCE_SECONDS = 120.0
"""Enough for any short wait on a busy machine; only a test that fails waits so long."""

TEMPLATE = "migrated"

MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 1024**3
"""More than the servers of all test processes need together."""

_pause = threading.Event()
_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """A migrated database: its URL in each of the three roles."""

    owner: str
    worker: str
    gateway: str

    @property
    def name(self) -> str:
        """Its name on the server."""
        return make_url(self.owner).database or ""


def eventually(condition: Callable[[], T], seconds: float = PATIENCE_SECONDS, message: str = "") -> T:
    """Wait until the condition is true; what it returned. Fails if it is false after `seconds`."""
    began = time.monotonic()
    waited = 0.0
    while not (value := condition()):
        assert waited < seconds, f"not within {seconds:g} s: {message or condition}"
        _pause.wait(min(max(POLL_SECONDS, POLL_SHARE * waited), POLL_SECONDS_MAX))
        waited = time.monotonic() - began
    return value


def at_once(times: int, call: Callable[[int], T]) -> list[T]:
    """The results of concurrent calls, each with its number, in a thread of its own; what one raises is raised."""
    gate = threading.Barrier(times)

    def run(number: int) -> T:
        gate.wait()
        return call(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def heeding_signals() -> None:
    """Restore SIGINT and SIGHUP, which background jobs of a shell and `nohup` ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def entries_of(log: str) -> list[dict[str, Any]]:
    """The entries of a log; fails for a line that is no JSON object."""
    entries = [json.loads(line) for line in log.splitlines()]
    assert all({"event", "level", "logger", "timestamp"} <= entry.keys() for entry in entries), log
    return entries


def begin_with(migrated: Path, home: Path) -> None:
    """Copy the migrated cluster into a home that has none."""
    for name in ("postgres", "secrets"):
        subprocess.run(["cp", "-aT", migrated / name, home / name], check=True)


def migrate(database_url: str, revision: str = "head") -> None:
    """Run Alembic on this database as its owner, up to the revision or, for "base", "-1" and "0006-1", down."""
    options = Namespace(x=[f"url={database_url}"])
    config = Config(toml_file=CHECKOUT / "pyproject.toml", cmd_opts=options, stdout=io.StringIO())
    change = command.downgrade if revision == "base" or "-" in revision else command.upgrade
    change(config, revision)


def free_of_commission(postgres: Postgres, database: str = "payments") -> None:
    """Set the commission to zero: most tests are about other things."""
    charge_commission(postgres, database, percent=0)


def charge_commission(postgres: Postgres, database: str = "payments", percent: int = 2) -> None:
    """Change the percents of the terms for all payments, also those before, as a superuser past the triggers."""
    past_the_triggers(postgres, database, "UPDATE commission_terms SET percent = %s", percent)


def costing(postgres: Postgres, database: str, type: str, percent: str = "0", **others: object) -> None:
    """Add terms of commission that are in force at once; `others` are further columns."""
    columns = {"type": type, "percent": percent, **others}
    statement = (
        f"INSERT INTO commission_terms ({', '.join(columns)}, valid_from) VALUES ({'%s, ' * len(columns)} now())"
    )
    past_the_triggers(postgres, database, statement, *columns.values())


def past_the_triggers(postgres: Postgres, database: str, statement: str, *parameters: object) -> None:
    """Run a statement as a superuser, with triggers off."""
    engine = create_engine(postgres.url(database, SUPERUSER), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(statement, parameters)


def memory() -> Path | None:
    """A file system in memory, if it has room and may hold programs: a database is hundreds of files."""
    if not MEMORY.is_dir() or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN else None


def engine_of(url: str) -> Engine:
    """An engine as the product's, whose connections begin transactions unless autocommit is set."""
    engine = open_engine(url)
    event.listen(engine, "checkout", lambda connection, *_: setattr(connection, "autocommit", False))
    return engine


@contextmanager
def statements_of(url: str = "") -> Iterator[list[tuple[str, Any]]]:
    """The statements of this process, with their parameters; with a URL those of its role in its database."""
    seen: list[tuple[str, Any]] = []
    wanted = make_url(url) if url else None
    execute = RequestCursor.execute

    def noting(cursor: RequestCursor, query: str, vars: Any = None) -> None:
        info = cursor.connection.info
        if wanted is None or (info.user, info.dbname) == (wanted.username, wanted.database):
            seen.append((query, vars))
        execute(cursor, query, vars)

    RequestCursor.execute = noting  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        RequestCursor.execute = execute  # type: ignore[method-assign]


@cache
def kept_engine(url: str) -> Engine:
    """An engine whose connections are kept: to open one for each look costs more than all looks of a second."""
    return create_engine(url, pool_pre_ping=True)


@contextmanager
def new_database(postgres: Postgres, template: str = TEMPLATE) -> Iterator[Database]:
    """A new database like the template, dropped at the end."""
    name = f"test_{next(_numbers)}"
    owner = postgres.create_database(name, template)
    worker, gateway = (postgres.url(name, role) for role in (settings.WORKER_ROLE, settings.GATEWAY_ROLE))
    yield Database(owner, worker, gateway)
    postgres.drop_database(name)
