"""Node and its packages, for the tests of this folder; and the gateway's people."""

import pytest

from tests.contract import node
from tests.gateway.conftest import api, client, harnesses_end, rings  # noqa: F401 - fixtures


@pytest.fixture(scope="session", autouse=True)
def packages() -> None:
    """The packages are installed; a failure of npm fails the tests with its output."""
    node.install()
