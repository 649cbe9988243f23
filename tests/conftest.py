"""Real servers for the tests: one PostgreSQL and one Valkey for each test process, a fresh database a module."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest
import redis
import structlog
from sqlalchemy import Engine

from embedded import fork_server
from embedded import home as homes
from embedded.home import Home
from embedded.postgres import DATABASE, Postgres
from embedded.valkey import Valkey
from tests.broker import ringing_at
from tests.support import TEMPLATE, Database, begin_with, engine_of, free_of_commission, memory, new_database

pytest_plugins = ["tests.stacks"]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""Hundreds of processes are started: each would compile the whole product again."""


hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")
"""Properties are not judged by how long an example takes: the machine may be busy."""


structlog.dev.RichTracebackFormatter.__call__ = lambda _, output, error: structlog.dev.plain_traceback(output, error)
"""Tracebacks in logs are without the values of all variables, which take seconds of CPU to format."""


def pytest_configure() -> None:
    """End by SIGTERM as by Ctrl-C: servers end, and their directories go."""
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_collection_finish() -> None:
    """Look through what eight thousand tests are made of for garbage once, and not again with each of them."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """End what the stacks of this process have in common."""
    fork_server.end()


def _interrupt(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Where this test process keeps its servers."""
    with homes.temporary(memory() or homes.SHARED) as home:
        yield home


@pytest.fixture(scope="session")
def postgres(home: Home, migrated: Path) -> Iterator[Postgres]:
    """A PostgreSQL that forgets on a power cut, with a migrated template database."""
    begin_with(migrated, home.path)
    server = Postgres(home, durable=False)
    server.start()
    server.create_database(TEMPLATE, template=DATABASE)
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
