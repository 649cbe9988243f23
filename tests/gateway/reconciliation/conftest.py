"""Fixtures of the tests of reconciliation."""

import pytest

from tests.gateway.harness import ApiHarness, ApiUser


@pytest.fixture(scope="module")
def ops(house: ApiHarness) -> ApiUser:
    """An operator who uploads statements."""
    return house.person("ops", "Ops")


@pytest.fixture
def purse(client: ApiUser) -> str:
    """A wallet of the client with 100.00 EUR."""
    return client.wallet("100.00")
