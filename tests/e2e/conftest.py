"""A crowd on a stack."""

from collections.abc import Iterator

import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.users import Crowd


@pytest.fixture(scope="module")
def crowd(stack: Stack) -> Iterator[Crowd]:
    """Clients with 10,000.00 each and a merchant."""
    crowd = Crowd(stack, clients=6, funds="10000.00")
    yield crowd
    crowd.close()
