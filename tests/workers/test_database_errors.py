"""Errors of the server cost no payment an attempt: for each code, posters leave due payments to the next round."""

import pytest
import redis
from celery import Task
from sqlalchemy import make_url

from models.session import CommitUnknown, DatabaseUnavailable
from models.sqlstate import MEANINGS, Meaning
from tests.workers.books import Books
from workers import process, tasks

pytestmark = pytest.mark.shares_books

CODES = {
    name: sorted(c for c in MEANINGS if len(c) == 5 and MEANINGS[c] is Meaning[name]) for name in Meaning.__members__
}


@pytest.fixture
def transfer(books: Books) -> str:
    alice, source = books.client(10_00)
    return books.order("transfer", alice, source, books.client()[1], 1_00)


@pytest.mark.parametrize("code", CODES["UNAVAILABLE"] + CODES["READ_ONLY"] + CODES["LOST"])
def test_unavailable_server_costs_no_attempt(books: Books, transfer: str, code: str) -> None:
    books.poison(transfer, f"RAISE EXCEPTION 'no' USING ERRCODE = '{code}'")
    with pytest.raises(DatabaseUnavailable) as away:
        books.poster().drain()
    assert not isinstance(away.value, CommitUnknown)
    assert (books.kept(transfer).attempts, books.kept(transfer).state) == (0, "INITIATED")
    books.cure()
    books.poster().drain()
    assert books.kept(transfer).state == "COMPLETED"


@pytest.mark.parametrize("code", CODES["CONTENTION"])
def test_contention_costs_no_attempt(books: Books, transfer: str, code: str) -> None:
    books.poison(transfer, f"RAISE EXCEPTION 'no' USING ERRCODE = '{code}'")
    assert books.poster().post_batch() is None
    assert books.kept(transfer).attempts == 0
    books.cure()
    books.poster().drain()


@pytest.mark.own_books
@pytest.mark.parametrize("code", ["XX000", "XX001", "XX002", "25001"])
def test_damaged_row_costs_its_payment_an_attempt(books: Books, transfer: str, code: str) -> None:
    books.poison(transfer, f"RAISE EXCEPTION 'no' USING ERRCODE = '{code}'")
    alice, source = books.client(10_00)
    other = books.order("transfer", alice, source, books.client()[1], 1_00)
    books.poster().drain()
    assert (books.kept(transfer).attempts, books.kept(transfer).state) == (1, "INITIATED")
    assert (books.kept(other).attempts, books.kept(other).state) == (0, "COMPLETED")


def test_read_only_database_is_waited_for(
    books: Books, bells: redis.Redis, transfer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poster = books.poster()
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(process, "poster", lambda: poster)
    name = make_url(books.database.worker).database
    with books.as_owner() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    books.worker.dispose()
    to_do: list[Task] = [tasks.post, tasks.sweep, tasks.heartbeat, tasks.forget, tasks.ensure_partitions]
    for task in to_do:
        task.apply(throw=True)
    assert (books.kept(transfer).attempts, books.kept(transfer).state) == (0, "INITIATED")
    with books.as_owner() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    tasks.heartbeat.apply(throw=True)
    tasks.post.apply(throw=True)
    assert books.kept(transfer).state == "COMPLETED"
