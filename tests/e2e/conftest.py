"""Clients and a merchant on a stack."""

from collections.abc import Iterator

import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.users import StackUsers


@pytest.fixture(scope="module")
def users(stack: Stack) -> Iterator[StackUsers]:
    """Clients with 10,000.00 each and a merchant."""
    users = StackUsers(stack, clients=6, funds="10000.00")
    yield users
    users.close()
