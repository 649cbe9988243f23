"""Clients and a merchant on a durable stack, and the figures at the end of each run."""

import os
from collections.abc import Callable, Iterator, Sequence

import click
import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.audit import Reckoning, reckon, wait_until_decided
from tests.e2e.state_machine.users import Answer, StackUsers
from tests.stacks import DECIDED_SECONDS_MAX

Reckon = Callable[[Sequence[Answer]], Reckoning]


@pytest.fixture(scope="session")
def times() -> int:
    """The factor of payments, kills and restarts: 1, or 10 with FAULTS=full."""
    return 10 if os.environ.get("FAULTS") == "full" else 1


@pytest.fixture(scope="module")
def users(stack: Stack) -> Iterator[StackUsers]:
    """Clients rich enough for every payment of the module, and a merchant."""
    users = StackUsers(stack, clients=10, funds="100000.00")
    yield users
    users.close()


@pytest.fixture
def reckoned(
    stack: Stack, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[Sequence[Answer]], Reckoning]:
    """Wait until all is decided, print the figures, and see that nothing was lost or doubled."""

    def reckoned(answers: Sequence[Answer]) -> Reckoning:
        wait_until_decided(stack, DECIDED_SECONDS_MAX)
        reckoning = reckon(stack, answers)
        with capsys.disabled():
            click.echo(f"\n{request.node.name}: {reckoning}")
        assert (reckoning.lost, reckoning.doubled) == (0, 0)
        assert reckoning.accepted == reckoning.completed + reckoning.failed + reckoning.parked
        return reckoning

    return reckoned
