"""Those who decide on an adjustment, and the wallet that it is of."""

import pytest

from tests.gateway.harness import ApiHarness, ApiUser


@pytest.fixture(scope="module")
def chief(house: ApiHarness) -> ApiUser:
    """An operator who approves."""
    return house.person("ops", "Chief")


@pytest.fixture
def client_wallet(client: ApiUser) -> str:
    """A wallet of the client's with 10.00 EUR."""
    return client.wallet("10.00")
