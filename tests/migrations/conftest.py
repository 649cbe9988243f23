"""A world of users, wallets and payments in a migrated database."""

from tests.models.conftest import world  # noqa: F401 - the same fixture
