"""Merchants who order bulks."""

import pytest

from tests.gateway.bulks.builders import organization
from tests.gateway.harness import ApiHarness, ApiUser


@pytest.fixture
def payer(api: ApiHarness) -> ApiUser:
    """A merchant with a registered bank account that pays from an empty wallet."""
    return organization(api)[0]
