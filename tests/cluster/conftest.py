"""These scenarios are collected only where they are asked for: they need packages of Debian."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.stack import Stack
from tests.cluster.load import Figures, Insistence, Shown, figures
from tests.e2e.state_machine.users import StackUsers

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(HERE) for path in asked) else True


@pytest.fixture(scope="module")
def users(stack: Stack) -> Iterator[StackUsers]:
    """Clients rich enough for every order of the module, and a merchant."""
    users = StackUsers(stack, clients=10, funds="100000.00")
    yield users
    users.close()


@pytest.fixture
def shown(stack: Stack, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Shown:
    """Wait until all is decided, and print the figures of the scenario."""

    def shown(done: list[Insistence]) -> Figures:
        with capsys.disabled():
            return figures(stack, request.node.name.removeprefix("test_"), done)

    return shown
