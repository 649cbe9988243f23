"""Worlds of users, wallets and payments: one a module, and one for a test alone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from tests.builders import Builder, new_id
from tests.support import Database


@pytest.fixture(scope="module")
def shared_world(database: Database) -> Builder:
    """The module's database."""
    return Builder.of(database)


@pytest.fixture
def world(fresh_database: Database) -> Builder:
    """A database for this test alone."""
    return Builder.of(fresh_database)


@pytest.fixture
def new(names: dict[str, str]) -> dict[str, str]:
    """The ids that a module's attacks name, and a `new` one."""
    return {**names, "new": new_id()}


@pytest.fixture(scope="module")
def connection(worker: Engine) -> Iterator[Connection]:
    """A connection in the worker's role."""
    with worker.connect() as connection:
        yield connection
