"""Books for the posting story: a real PostgreSQL, a fresh database a test."""

from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import make_url
from structlog.testing import LogCapture

from embedded.postgres import SUPERUSER, Postgres
from models.rules import retry
from tests.support import Database
from tests.workers.books import Books
from workers.posting import poster


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> Iterator[None]:
    """Logs show tracebacks without the values of variables, which take seconds of CPU to format."""
    renderer = structlog.dev.ConsoleRenderer.get_active()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renderer, "exception_formatter", structlog.dev.plain_traceback)
        yield


@pytest.fixture
def books(fresh_database: Database, postgres: Postgres) -> Iterator[Books]:
    """A migrated database of its own; the promises about money must hold in it when the test ends."""
    name = make_url(fresh_database.owner).database
    books = Books(fresh_database, postgres.url(name, SUPERUSER))
    yield books
    broken = books.violations()
    books.close()
    assert broken == []


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What the posting story logs meanwhile, whatever level is configured."""
    capture = LogCapture()
    monkeypatch.setattr(poster, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is due again when a test says so, not a second later: on a busy machine that is too soon."""
    monkeypatch.setattr(retry, "BACKOFF_MIN_SECONDS", 60 * retry.BACKOFF_MIN_SECONDS)
    monkeypatch.setattr(retry, "BACKOFF_MAX_SECONDS", 60 * retry.BACKOFF_MAX_SECONDS)
    bounds = (retry.BACKOFF_MIN_SECONDS, retry.BACKOFF_MAX_SECONDS)
    monkeypatch.setattr(retry.backoff_seconds, "__defaults__", bounds)
