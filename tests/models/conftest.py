"""Worlds of users, wallets and payments: one a module, and one for a test alone."""

import pytest

from tests.models.world import World
from tests.support import Database


@pytest.fixture(scope="module")
def shared_world(database: Database) -> World:
    """The module's database."""
    return World.of(database)


@pytest.fixture
def world(fresh_database: Database) -> World:
    """A database for this test alone."""
    return World.of(fresh_database)
