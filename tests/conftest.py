"""Real servers for the tests: one PostgreSQL and one Valkey for each test process, a fresh database a module."""

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import NoReturn

import pytest
import redis
from sqlalchemy import Engine

from embedded import home as homes
from embedded.home import Home
from embedded.postgres import Postgres
from embedded.stack import COMMANDS, Stack
from embedded.valkey import Valkey
from tests.broker import ringing_at
from tests.support import (
    TEMPLATE,
    Database,
    charge_commission,
    engine_of,
    entries_of,
    free_of_commission,
    memory,
    migrate,
    new_database,
)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""Hundreds of processes are started: each would compile the whole product again."""


def pytest_configure() -> None:
    """End by SIGTERM as by Ctrl-C: servers end, and their directories go."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Where this test process keeps its servers."""
    with homes.temporary(memory() or homes.SHARED) as home:
        yield home


@pytest.fixture(scope="session")
def postgres(home: Home) -> Iterator[Postgres]:
    """A PostgreSQL that forgets on a power cut, with a migrated template database."""
    server = Postgres(home, durable=False)
    server.start()
    template = server.create_database(TEMPLATE)
    migrate(template)
    free_of_commission(server, TEMPLATE)
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def valkey(home: Home) -> Iterator[Valkey]:
    """A Valkey shared by the tests of this process."""
    server = Valkey(home)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bells(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """An empty broker to which the Celery app of this process rings; its list `payments` has a message a bell."""
    with redis.Redis.from_url(valkey.url()) as client:
        client.flushall()
        with ringing_at(valkey, monkeypatch):
            yield client


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    """A fresh, migrated database for this module."""
    with new_database(postgres) as database:
        yield database


@pytest.fixture
def fresh_database(postgres: Postgres) -> Iterator[Database]:
    """A fresh, migrated database for this test alone."""
    with new_database(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def owner(database: Database) -> Engine:
    """The module's database as its owner."""
    return engine_of(database.owner)


@pytest.fixture(scope="module")
def worker(database: Database) -> Engine:
    """The module's database in the worker's role."""
    return engine_of(database.worker)


@pytest.fixture(scope="module")
def gateway(database: Database) -> Engine:
    """The module's database in the gateway's role."""
    return engine_of(database.gateway)


@pytest.fixture(scope="module")
def redis_url(valkey: Valkey) -> str:
    """Valkey's URL, emptied for this module."""
    with redis.Redis.from_url(valkey.url()) as client:
        client.flushall()
    return valkey.url()


UNLIMITED = {
    "RATE_LIMIT_TOKEN": "1000000 per second",
    "RATE_LIMIT_ADDRESS": "1000000 per second",
    "SIGN_UP_LIMIT": "1000000 per hour",
}
"""All requests of a test come from one address."""


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    """Settings of the module's stack beyond its own; a module may have others."""
    return {}


@pytest.fixture(scope="module")
def commission_percent() -> int:
    """What the terms take on the module's stack from its start; a module may have others."""
    return 0


@pytest.fixture(scope="session")
def migrated() -> Iterator[Home]:
    """Where stacks begin: a PostgreSQL that has stopped, with a migrated database, and its secrets."""
    with homes.temporary(memory() or homes.SHARED) as home:
        server = Postgres(home, durable=False)
        server.start()
        try:
            migrate(server.url())
        finally:
            server.stop()
        yield home


@pytest.fixture(scope="module")
def stack(migrated: Home, stack_settings: dict[str, str], commission_percent: int) -> Iterator[Stack]:
    """A stack of its own for this module, durable and with every process; nothing restarts what a test kills."""
    with homes.temporary(memory() or homes.SHARED) as home:
        for name in ("postgres", "secrets"):
            subprocess.run(["cp", "-a", migrated.path / name, home.path / name], check=True)
        stack = Stack(home, environ=UNLIMITED | stack_settings)
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=commission_percent)  # a poster remembers the terms it has read
            stack.start_processes()
            yield stack
        finally:
            stack.stop()
        for name in COMMANDS:
            entries_of(stack.home.log(name).read_text())
