"""A database without migrations, and the builder of a migrated one."""

from collections.abc import Iterator

import pytest

import database_urls
import settings
from embedded.postgres import Postgres
from tests.builders import new_id
from tests.models.conftest import world  # noqa: F401 - the same fixture
from tests.support import Database


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[Database]:
    """A database without any migration."""
    name = f"empty_{new_id().replace('-', '')}"
    owner = postgres.create_database(name)
    yield Database(
        owner, *(database_urls.as_role(owner, role) for role in (settings.WORKER_ROLE, settings.GATEWAY_ROLE))
    )
    postgres.drop_database(name)
