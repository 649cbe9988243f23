"""Rates and wallets for exchanges."""

from collections.abc import Callable, Iterator

import pytest

from embedded.postgres import Postgres
from models.invariants import violations
from models.session import transaction
from tests.gateway.exchange.quotes import RATE
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, past_the_triggers


@pytest.fixture
def rates(ops: ApiUser) -> None:
    """The rates of the tests: EUR to USD without a spread, to JPY with one, JPY to USD."""
    for change in ({}, {"target": "JPY", "rate": "162.456", "spread": "1"}, {"source": "JPY", "rate": "0.0067"}):
        assert ops.call("PUT", "/v1/exchange-rates", json=RATE | change).status_code == 200


@pytest.fixture
def kept_promises(api: ApiHarness) -> Iterator[None]:
    """The invariants hold after each test."""
    yield
    with transaction(api.worker) as connection:
        assert violations(connection) == []


@pytest.fixture
def euros(client: ApiUser) -> str:
    """A wallet of the client's with 100.00 EUR."""
    return client.wallet("100.00")


@pytest.fixture
def dollars(client: ApiUser) -> str:
    """A wallet of the client's for USD."""
    return client.wallet(currency="USD")


@pytest.fixture
def terms(postgres: Postgres, database: Database) -> Iterator[Callable[[str], None]]:
    """Changes the terms of transfers, for as long as the test lasts."""

    def change(assignments: str) -> None:
        name = database.name
        past_the_triggers(postgres, name, f"UPDATE commission_terms SET {assignments} WHERE type = 'transfer'")

    yield change
    change("percent = 0")
