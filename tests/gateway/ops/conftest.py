"""The ops user who approves adjustments, the wallet that is adjusted, and months that are over."""

import pytest

from embedded.postgres import Postgres
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.past_months import Past, march_and_april


@pytest.fixture(scope="module")
def chief(api: ApiHarness) -> ApiUser:
    """An ops user who approves."""
    return api.person("ops", "Chief")


@pytest.fixture
def client_wallet(client: ApiUser) -> str:
    """A wallet of the client's with 10.00 EUR."""
    return client.wallet("10.00")


@pytest.fixture(scope="module")
def past(api: ApiHarness, postgres: Postgres) -> Past:
    """March and April 2026."""
    return march_and_april(api, postgres)
