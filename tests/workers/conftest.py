"""Books for the tests of workers: a real PostgreSQL with a fresh database for each test."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from sqlalchemy import make_url
from structlog.testing import LogCapture

from embedded.postgres import SUPERUSER, Postgres
from models.rules import retry
from tests.support import Database
from tests.workers.books import Books
from workers.posting import poster


@contextmanager
def balanced_books(database: Database, postgres: Postgres) -> Iterator[Books]:
    name = make_url(database.owner).database
    books = Books(database, postgres.url(name, SUPERUSER))
    yield books
    broken = books.violations()
    books.close()
    assert broken == []


@pytest.fixture
def books(fresh_database: Database, postgres: Postgres) -> Iterator[Books]:
    """A migrated database for this test; the invariants must hold in it when the test ends."""
    with balanced_books(fresh_database, postgres) as books:
        yield books


@pytest.fixture(scope="module")
def shared_books(database: Database, postgres: Postgres) -> Iterator[Books]:
    """The module's database; the invariants must hold in it when its last test ends."""
    with balanced_books(database, postgres) as books:
        yield books


@pytest.fixture(autouse=True)
def posting_log(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The log entries of posting, at every level."""
    capture = LogCapture()
    monkeypatch.setattr(poster, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture(autouse=True)
def long_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed payments are due again when a test says so; a second later is too soon on a busy machine."""
    monkeypatch.setattr(retry, "BACKOFF_MIN_SECONDS", 60 * retry.BACKOFF_MIN_SECONDS)
    monkeypatch.setattr(retry, "BACKOFF_MAX_SECONDS", 60 * retry.BACKOFF_MAX_SECONDS)
    bounds = (retry.BACKOFF_MIN_SECONDS, retry.BACKOFF_MAX_SECONDS)
    monkeypatch.setattr(retry.backoff_seconds, "__defaults__", bounds)
