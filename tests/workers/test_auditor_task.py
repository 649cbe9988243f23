"""The auditor's task: signs what it verified, and rings for itself when something is left and posters are idle."""

import pytest
import redis

from models import checkpoint, ledger_batch
from models.checkpoint import SigningKey
from models.session import transaction
from tests.workers.books import Books
from workers import auditor, process, tasks

pytestmark = pytest.mark.shares_books


@pytest.fixture(autouse=True)
def worker(books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker process has, on the test's books."""
    monkeypatch.setattr(process, "engine", lambda: books.worker)


def test_verify_signs_what_it_verified(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    key = SigningKey("ab" * 32)
    monkeypatch.setattr(process, "signing_key", lambda: key)
    books.client(10_00)
    tasks.verify.apply(throw=True)
    with transaction(books.worker) as connection:
        assert ledger_batch.newest(connection) > 0
        signed = checkpoint.newest(connection)
        assert signed is not None
        assert signed.last_batch == ledger_batch.newest(connection)
    tasks.verify.apply(throw=True)
    with transaction(books.worker) as connection:
        assert checkpoint.newest(connection) == signed


def test_verify_rings_for_itself_unless_payments_are_due(
    books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "signing_key", lambda: None)
    monkeypatch.setattr(auditor, "run", lambda *_, **__: auditor.NOTHING._replace(remains=True))
    tasks.verify.apply(throw=True)
    assert bells.llen("upkeep") == 1
    alice, source = books.client(10_00)
    books.order("transfer", alice, source, books.wallet(alice), 4_00)
    tasks.verify.apply(throw=True)
    assert bells.llen("upkeep") == 1
