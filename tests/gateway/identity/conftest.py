"""No test begins with a login throttled by the one before it."""

import pytest

from tests.gateway.harness import ApiHarness


@pytest.fixture(autouse=True)
def unthrottled(api: ApiHarness) -> None:
    """Logins and e-mail requests of earlier tests do not count."""
    api.execute("DELETE FROM login_throttles")
