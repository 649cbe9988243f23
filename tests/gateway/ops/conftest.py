"""The ops user who approves adjustments, and the wallet that is adjusted."""

import pytest

from tests.gateway.harness import ApiHarness, ApiUser


@pytest.fixture(scope="module")
def chief(api: ApiHarness) -> ApiUser:
    """An ops user who approves."""
    return api.person("ops", "Chief")


@pytest.fixture
def client_wallet(client: ApiUser) -> str:
    """A wallet of the client's with 10.00 EUR."""
    return client.wallet("10.00")
