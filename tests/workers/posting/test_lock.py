"""One posts, one stands by: what happens between two posters, and between a poster and a stranger with a lock."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import psutil
import pytest
from sqlalchemy import Connection, make_url

from embedded.home import CHECKOUT
from models import posting_lock
from models.session import Engine, transaction
from tests.support import eventually
from tests.workers.books import Books
from workers.posting.batch_point import BatchPoint
from workers.posting.poster import Poster

pytestmark = pytest.mark.shares_books

TRANSFERS = 10
WAIT_SECONDS_MAX = 30

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
SETTINGS = """
SELECT name, setting || unit FROM pg_settings
WHERE name IN ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')
"""


@pytest.fixture
def transfers(books: Books) -> list[str]:
    return books.transfers(TRANSFERS)


@contextmanager
def pausing(point: BatchPoint) -> Iterator[tuple[Callable[[BatchPoint], None], threading.Event, threading.Event]]:
    """A hook that waits at that point, the event that says it is there, and the one that lets it go on."""
    is_there, may_go = threading.Event(), threading.Event()

    def hook(reached: BatchPoint) -> None:
        if reached is point and not is_there.is_set():
            is_there.set()
            assert may_go.wait(WAIT_SECONDS_MAX)

    try:
        yield hook, is_there, may_go
    finally:
        may_go.set()


@contextmanager
def locked(engine: Engine, account_ids: list[str]) -> Iterator[Connection]:
    """A stranger who holds these accounts, and lets them go at the end."""
    with engine.connect() as connection:
        for id in account_ids:
            lock(connection, id)
        yield connection
        connection.rollback()


def lock(connection: Connection, account_id: str) -> None:
    connection.exec_driver_sql("SELECT FROM accounts WHERE id = %s FOR UPDATE", (account_id,))


def scalar(books: Books, query: str) -> int:
    with books.superuser.connect() as connection:
        return connection.exec_driver_sql(query).scalar_one()


def sides(books: Books, payment_id: str) -> list[str]:
    """The payment's two accounts in the order in which they are locked."""
    with transaction(books.worker) as connection:
        row = connection.exec_driver_sql("SELECT source_id, target_id FROM payments WHERE id = %s", (payment_id,)).one()
    return sorted(map(str, row))


def assert_completed_at_the_first_attempt(books: Books, transfers: list[str]) -> None:
    kept = [books.kept(id) for id in transfers]
    assert [(row.state, row.attempts) for row in kept] == [("COMPLETED", 0)] * len(transfers)


def patient_poster(books: Books) -> Poster:
    """One that a busy machine may keep for a while."""
    return books.poster(books.impatient_worker(lock_timeout="60s", idle_in_transaction_session_timeout="60s"))


def test_one_poster_posts_while_the_other_waits(books: Books, transfers: list[str]) -> None:
    holder, stand_by = patient_poster(books), patient_poster(books)
    with ThreadPoolExecutor(2) as threads, pausing(BatchPoint.LOCKED) as (hook, is_there, may_go):
        holder.hook = hook
        first = threads.submit(holder.post_batch)
        assert is_there.wait(WAIT_SECONDS_MAX)
        second = threads.submit(stand_by.post_batch)
        eventually(lambda: scalar(books, WAITING) == 1, message="the second waits for its turn")
        assert set(books.outcomes(transfers)) == {"INITIATED"}
        may_go.set()
        assert (first.result(), second.result()) == (TRANSFERS, 0)
    assert_completed_at_the_first_attempt(books, transfers)


def test_posting_lock_timeout_costs_no_attempt(books: Books, transfers: list[str], posting_log: list[dict]) -> None:
    holder, stand_by = patient_poster(books), books.poster(books.impatient_worker(lock_timeout="100ms"))
    with ThreadPoolExecutor(1) as threads, pausing(BatchPoint.LOCKED) as (hook, is_there, may_go):
        holder.hook = hook
        first = threads.submit(holder.post_batch)
        assert is_there.wait(WAIT_SECONDS_MAX)
        assert stand_by.post_batch() is None
        may_go.set()
        assert first.result() == TRANSFERS
    assert [entry["claimed"] for entry in posting_log if "lock time-out" in entry["event"]] == [0]
    assert_completed_at_the_first_attempt(books, transfers)


def test_foreign_lock_is_waited_for_and_costs_no_attempt(
    books: Books, transfers: list[str], posting_log: list[dict]
) -> None:
    poster = books.poster(books.impatient_worker(lock_timeout="100ms"))
    with locked(books.superuser, sides(books, transfers[0])[:1]):
        assert poster.post_batch() is None
        assert set(books.outcomes(transfers)) == {"INITIATED"}
    assert [entry["claimed"] for entry in posting_log if "lock time-out" in entry["event"]] == [TRANSFERS]
    assert poster.drain() == (TRANSFERS, False)
    assert_completed_at_the_first_attempt(books, transfers)


def test_claimed_payment_is_skipped_without_waiting(books: Books, transfers: list[str]) -> None:
    with books.superuser.connect() as stranger:
        stranger.exec_driver_sql("SELECT FROM payments WHERE id = %s FOR UPDATE", (transfers[0],))
        assert books.poster().post_batch() == TRANSFERS - 1
    assert books.poster().post_batch() == 1
    assert_completed_at_the_first_attempt(books, transfers)


def test_deadlock_costs_the_poster_no_attempt(books: Books, transfers: list[str], posting_log: list[dict]) -> None:
    low, high = sides(books, transfers[0])
    deadlocks = scalar(books, DEADLOCKS)
    url = make_url(books.database.worker)
    with books.superuser.begin() as connection:  # it looks once: by then the stranger must have asked for the low
        of = f"{url.username} IN DATABASE {url.database}"
        connection.exec_driver_sql(f"ALTER ROLE {of} SET deadlock_timeout = '5s'")
    with ThreadPoolExecutor(1) as threads, locked(books.superuser, [high]) as stranger:
        stranger.exec_driver_sql("SET LOCAL deadlock_timeout = '60s'")  # so that the poster finds it, and gives way
        posted = threads.submit(patient_poster(books).post_batch)
        eventually(lambda: scalar(books, WAITING) == 1, message="the poster holds the low and waits for the high")
        lock(stranger, low)
        assert posted.result() is None
    eventually(lambda: scalar(books, DEADLOCKS) == deadlocks + 1)
    assert [entry["claimed"] for entry in posting_log if "lock time-out" in entry["event"]] == [TRANSFERS]
    assert books.poster().drain() == (TRANSFERS, False)
    assert_completed_at_the_first_attempt(books, transfers)


def test_stopped_lock_holder_is_disconnected_and_the_other_posts(books: Books, transfers: list[str]) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.workers.posting.stopped_lock_holder", books.database.worker],
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: psutil.Process(holder.pid).status() == psutil.STATUS_STOPPED, message="it has stopped")
        stand_by = books.poster(books.impatient_worker(lock_timeout="100ms"))
        assert stand_by.post_batch() is None, "the turn is still the stopped one's"
        assert eventually(stand_by.post_batch, message="the stopped one is put out") == TRANSFERS
    finally:
        holder.send_signal(signal.SIGCONT)
    _, last_words = holder.communicate(timeout=WAIT_SECONDS_MAX)
    assert holder.returncode == 1
    assert "DatabaseUnavailable" in last_words, "woken, it learns that its turn is over"
    assert_completed_at_the_first_attempt(books, transfers)


def test_worker_role_has_bounds_on_all_waits(books: Books) -> None:
    with books.open(books.database.worker).connect() as connection:
        bounds = dict(connection.exec_driver_sql(SETTINGS).all())
    assert bounds == {
        "lock_timeout": "2000ms",
        "statement_timeout": "10000ms",
        "idle_in_transaction_session_timeout": "5000ms",
    }


def test_who_waited_for_the_posting_lock_begins_after_those_before(books: Books) -> None:
    """The time of a transaction is that of its operations, which are numbered in the order of their times."""

    def began() -> datetime:
        with posting_lock.alone(patient_poster(books).engine) as connection:
            return connection.exec_driver_sql("SELECT now()").scalar_one()

    with ThreadPoolExecutor(1) as threads:
        with transaction(books.worker) as leader:
            posting_lock.lead(leader)
            waiting = threads.submit(began)
            eventually(lambda: scalar(books, WAITING) == 1, message="the other waits for its turn")
            posted_at = leader.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        assert waiting.result() > posted_at
