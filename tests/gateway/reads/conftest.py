"""A gateway over a primary and its replica, both real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import home as homes
from embedded.postgres import Postgres
from gateway import reads
from models import client_timeout
from tests.gateway.harness import ApiHarness, ApiUser
from tests.replicas import DURABLE_ENOUGH, Replica
from tests.support import TEMPLATE, Database, begin_with, free_of_commission, memory, new_database


@pytest.fixture(scope="module")
def primary(migrated: Path) -> Iterator[Postgres]:
    with homes.temporary(memory() or homes.SHARED) as home:
        begin_with(migrated, home.path)
        server = Postgres(home, durable=False, options=DURABLE_ENOUGH)
        server.start()
        server.create_database(TEMPLATE, template="payments")
        free_of_commission(server, TEMPLATE)
        yield server
        server.stop("immediate")


@pytest.fixture(scope="module")
def database(primary: Postgres) -> Iterator[Database]:
    with new_database(primary) as database:
        yield database


@pytest.fixture(scope="module")
def replica(primary: Postgres, database: Database) -> Iterator[Replica]:
    server = Replica(primary)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def api(database: Database, replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiHarness]:
    """A gateway with the replica, which it has found to follow."""
    monkeypatch.setattr(reads, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(reads, "WAIT_SECONDS_MAX", 30.0)
    with client_timeout.installed():
        api = ApiHarness(database, database_replica_url=replica.url(database.gateway))
        yield api
        api.close()


@pytest.fixture
def impatient(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "WAIT_SECONDS_MAX", 0.05)


@pytest.fixture
def client(api: ApiHarness) -> ApiUser:
    return api.person("client")
