"""Books for the tests of workers: a real PostgreSQL with a fresh database for each test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog
from sqlalchemy import make_url
from structlog.testing import LogCapture
from uuid_utils.compat import uuid7

from embedded.postgres import SUPERUSER, Postgres
from models import confirmation, user
from models.confirmation import Purpose
from models.rules import retry
from models.session import transaction
from tests.support import Database
from tests.workers.books import Books
from tests.workers.smtp_server import Server, serving
from workers import mail
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
def books(request: pytest.FixtureRequest) -> Iterator[Books]:
    """A migrated database for this test; the invariants must hold in it when the test ends.

    In a module that `shares_books` it is the module's, whose end is then judged, unless the test wants its `own_books`.
    """
    of_test = request.node.get_closest_marker
    if of_test("shares_books") and not of_test("own_books"):
        yield request.getfixturevalue("shared_books")
    else:
        fresh = request.getfixturevalue("fresh_database"), request.getfixturevalue("postgres")
        with balanced_books(*fresh) as books:
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


@pytest.fixture
def waiting(books: Books) -> str:
    """A payment that waits to be posted."""
    alice, source = books.client(10_00)
    _, target = books.client()
    return books.order("transfer", alice, source, target, 4_00)


@pytest.fixture
def mail_log(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The log entries of the mail sender."""
    capture = LogCapture()
    monkeypatch.setattr(mail, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture
def mail_server() -> Iterator[Server]:
    """An SMTP server."""
    with serving() as server:
        yield server


@pytest.fixture
def request_mail(books: Books) -> Callable[..., str]:
    """Request a mail as the gateway does; returns the confirmation's id."""

    def request(email: str | None = None, purpose: Purpose = Purpose.EMAIL) -> str:
        id, user_id = str(uuid7()), str(uuid7())
        with transaction(books.worker) as connection:
            assert user.create(
                connection, user_id, email or f"{user_id}@example.com", user.Role.CLIENT, "Eve\r\nBcc: x@y.z"
            )
        with transaction(books.gateway) as connection:
            assert confirmation.ask(connection, id, user_id, purpose)
        return id

    return request
