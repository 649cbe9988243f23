"""A payment whose events are to come."""

import pytest

from tests.gateway.harness import ApiUser
from tests.gateway.orders import deposit_into


@pytest.fixture
def payment(client: ApiUser) -> str:
    """A deposit of the client that is not posted yet."""
    return client.order("/v1/deposits", deposit_into(client.wallet())).get_json()["id"]
