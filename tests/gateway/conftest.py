"""A gateway over a fresh database a module; its bell is counted, not rung."""

from collections.abc import Iterator

import pytest

import bell
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The request's id for each time a worker was to be woken; no broker is spoken to."""
    rung: list[str | None] = []
    monkeypatch.setattr(bell, "ring", lambda request_id=None, _=None: rung.append(request_id))
    return rung


@pytest.fixture(scope="module", autouse=True)
def harnesses_end() -> Iterator[None]:
    yield
    for house in list(ApiHarness.opened):
        house.close()


@pytest.fixture(scope="module")
def house(database: Database) -> ApiHarness:
    """The gateway over the module's database."""
    return ApiHarness(database)


@pytest.fixture
def client(house: ApiHarness) -> ApiUser:
    """A new client."""
    return house.person("client", "Ann")


@pytest.fixture
def merchant(house: ApiHarness) -> ApiUser:
    """A new merchant."""
    return house.person("merchant", "Shop")


@pytest.fixture
def stranger(house: ApiHarness) -> ApiUser:
    """A client who has to do with none of the others."""
    return house.person("client", "Zed")


@pytest.fixture
def unchanged(house: ApiHarness) -> Iterator[None]:
    """The tables are the same when the test ends as when it began (the test's people and wallets excepted)."""
    with house.unchanged():
        yield
