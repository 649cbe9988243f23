"""Somebody of ops who orders batches, small portions of them, and posters of backlogs."""

from collections.abc import Iterator

import pytest
from uuid_utils.compat import uuid7

from models.audit import Actor
from tests.workers.books import Books
from tests.workers.posting.backlogs import BATCH, Posters
from workers.posting import batches
from workers.posting.poster import Poster


@pytest.fixture
def ops(books: Books) -> Actor:
    """Somebody of ops, with a token, at an address, in a request."""
    return Actor(books.user("ops"), str(uuid7()), "192.0.2.7", "request-1")


@pytest.fixture
def portion(monkeypatch: pytest.MonkeyPatch) -> int:
    """Portions of ten payments."""
    monkeypatch.setattr(batches, "PORTION_MAX", 10)
    return 10


@pytest.fixture
def poster(books: Books) -> Iterator[Posters]:
    """Makes posters with small batches, that a busy machine may keep for a while."""
    patient = books.impatient_worker(lock_timeout="60s", idle_in_transaction_session_timeout="60s")

    def make(lanes: int = 3, batch: int = BATCH) -> Poster:
        poster = Poster(patient, deposits_open=False, linger_seconds=0, lanes=lanes)
        poster.batch_limit = batch
        return poster

    yield make
    patient.dispose()
