"""What a worker process does when it starts."""

import pytest
from celery.signals import worker_process_init

import settings
from models.session import transaction
from tests.workers.books import Books
from workers import process
from workers.signals import _drop_inherited_connections

pytestmark = pytest.mark.shares_books


def test_forked_child_drops_the_connections_of_its_parent(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_DATABASE_URL", books.database.worker)
    settings.load.cache_clear()
    process.forget_connections()
    parents = process.engine()
    works_for_parent = [process.poster(), process.onboarding(), process.mail_sender()]
    with transaction(parents) as connection:
        parents_pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    assert _drop_inherited_connections in [receiver() for _, receiver in worker_process_init.receivers]
    _drop_inherited_connections()
    with transaction(process.engine()) as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() != parents_pid
    workers = [process.poster(), process.onboarding(), process.mail_sender()]
    assert all(worker.engine is process.engine() for worker in workers)
    assert all(worker.engine is parents for worker in works_for_parent)
    process.engine().dispose()
    process.forget_connections()
    settings.load.cache_clear()
