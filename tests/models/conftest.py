"""Worlds of users, wallets and payments: one a module, and one for a test alone."""

import pytest

from tests.builders import Builder
from tests.support import Database


@pytest.fixture(scope="module")
def shared_world(database: Database) -> Builder:
    """The module's database."""
    return Builder.of(database)


@pytest.fixture
def world(fresh_database: Database) -> Builder:
    """A database for this test alone."""
    return Builder.of(fresh_database)
