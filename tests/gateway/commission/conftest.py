"""The gateway over a database where transfers and charges cost 2 %."""

from typing import Any

import pytest

from embedded.postgres import Postgres
from models import invariants
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, charge_commission


@pytest.fixture(scope="module", autouse=True)
def api(postgres: Postgres, database: Database) -> ApiHarness:
    """The gateway over a database where transfers and charges cost 2 %."""
    charge_commission(postgres, database.name)
    return ApiHarness(database)


@pytest.fixture(autouse=True)
def sound(api: ApiHarness) -> Any:
    """The promises about money hold when the test ends."""
    yield
    with transaction(api.owner) as connection:
        assert invariants.violations(connection) == []


@pytest.fixture
def ops(api: ApiHarness) -> ApiUser:
    return api.person("ops", "Ona")


@pytest.fixture
def auditor(api: ApiHarness) -> ApiUser:
    return api.person("auditor", "Aud")
