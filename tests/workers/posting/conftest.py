"""Somebody of ops who orders batches, and small portions of them."""

import pytest
from uuid_utils.compat import uuid7

from models.audit import Actor
from tests.workers.books import Books
from workers.posting import batches


@pytest.fixture
def ops(books: Books) -> Actor:
    """Somebody of ops, with a token, at an address, in a request."""
    return Actor(books.user("ops"), str(uuid7()), "192.0.2.7", "request-1")


@pytest.fixture
def portion(monkeypatch: pytest.MonkeyPatch) -> int:
    """Portions of ten payments."""
    monkeypatch.setattr(batches, "PORTION_MAX", 10)
    return 10
