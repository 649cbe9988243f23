"""A gateway over a fresh database a module; its bell is counted, not rung."""

from collections.abc import Iterator

import pytest

import bell
from tests.gateway.events.live_gateway import Served, serving
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.parties import Parties
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
    for api in list(ApiHarness.opened):
        api.close()


@pytest.fixture(scope="module")
def api(database: Database) -> ApiHarness:
    """The gateway over the module's database."""
    return ApiHarness(database)


@pytest.fixture
def client(api: ApiHarness) -> ApiUser:
    """A new client."""
    return api.person("client", "Ann")


@pytest.fixture
def merchant(api: ApiHarness) -> ApiUser:
    """A new merchant."""
    return api.person("merchant", "Shop")


@pytest.fixture
def stranger(api: ApiHarness) -> ApiUser:
    """A client who shares no payment with the others."""
    return api.person("client", "Zed")


@pytest.fixture(scope="module")
def ops(api: ApiHarness) -> ApiUser:
    """An ops user."""
    return api.person("ops", "Ops")


@pytest.fixture
def customer_wallet(client: ApiUser) -> str:
    """A wallet of the client's with 100.00 EUR."""
    return client.wallet("100.00")


@pytest.fixture
def merchant_wallet(merchant: ApiUser) -> str:
    """A wallet of the merchant's, without money."""
    return merchant.wallet()


@pytest.fixture(scope="module")
def parties(api: ApiHarness) -> Parties:
    """A client and a merchant with payments between them."""
    return Parties(api)


@pytest.fixture
def unchanged(api: ApiHarness) -> Iterator[None]:
    """The tables are the same when the test ends as when it began (its users and wallets excepted)."""
    with api.unchanged():
        yield


@pytest.fixture(scope="module")
def served(
    database: Database, api: ApiHarness, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The module's gateway, served by gunicorn."""
    with serving(database, api, redis_url, tmp_path_factory.mktemp("served")) as served:
        yield served
