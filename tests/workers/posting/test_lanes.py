"""A backlog posted on several connections at once ends as if one batch had been posted after the other."""

import os
import signal
import threading
from contextlib import suppress

import pytest

from models import ledger, posting_lock
from models.rules.types import Decision
from models.session import Connection, Contention, DatabaseUnavailable, transaction
from tests.builders import scalar
from tests.support import eventually
from tests.workers.books import Books
from tests.workers.posting.backlogs import (
    BATCH,
    WAIT_SECONDS_MAX,
    MixedBacklog,
    Posters,
    at_first,
    in_order,
    post_all,
    source,
    times_in_disorder,
)
from workers.posting.batch_point import BatchPoint

pytestmark = pytest.mark.shares_books

PAYMENTS = 60


@pytest.mark.parametrize("seed", range(6))
def test_outcomes_and_order_are_those_of_one_lane(books: Books, poster: Posters, seed: int) -> None:
    alone = MixedBacklog(books, seed)
    alone.order(PAYMENTS)
    post_all(poster(lanes=1))
    beside = MixedBacklog(books, seed)
    beside.order(PAYMENTS)
    post_all(poster(lanes=2 + seed % 3, batch=2 + seed))
    assert beside.outcome() == alone.outcome()
    assert len(set(alone.outcome()[0])) > 4, "some of them did not pass"
    assert times_in_disorder(books) == 0
    assert books.violations() == []


@pytest.mark.parametrize("seed", range(3))
def test_changes_between_batches_are_obeyed_in_order(books: Books, poster: Posters, seed: int) -> None:
    mixed, turn, changes = MixedBacklog(books, seed), threading.Lock(), []
    mixed.order(PAYMENTS)

    def change(point: BatchPoint) -> None:
        if point in (BatchPoint.CLAIMED, BatchPoint.COMMITTED):
            with turn, suppress(Contention):
                changes.append(mixed.change())

    first = poster()
    first.hook = change
    post_all(first)
    outcomes, moved = mixed.outcome()
    assert changes
    assert "INITIATED" not in outcomes
    assert moved == [sorted(places) for places in moved]
    assert books.violations() == []


def test_what_changed_since_a_batch_was_decided_is_obeyed(
    books: Books, poster: Posters, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = books.transfers(3 * BATCH)

    def freeze() -> None:
        with books.superuser.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql("UPDATE accounts SET is_frozen = true WHERE id = %s", (source(books, ids[0]),))

    calls = at_first(monkeypatch, "post_verdicts", freeze)
    post_all(poster())
    assert calls
    assert books.outcomes(ids) == ["COMPLETED"] * BATCH + ["account_frozen"] * 2 * BATCH
    assert books.violations() == []


def test_poisoned_payment_ends_alone_among_lanes(books: Books, poster: Posters) -> None:
    ids = books.transfers(4 * BATCH)
    books.poison(ids[2 * BATCH + 1])
    post_all(poster())
    books.cure()
    assert books.kept(ids[2 * BATCH + 1]).attempts == 1
    assert [books.kept(id).state for id in ids].count("COMPLETED") == 4 * BATCH - 1
    assert books.violations() == []


KILL_A_LANE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1
"""


@pytest.mark.parametrize("lock", [posting_lock.POSTING_LOCK, posting_lock.LANES_LOCK])
@pytest.mark.parametrize("name", ["post_verdicts", "post_entries"])
def test_lost_connection_loses_and_doubles_nothing(
    books: Books, poster: Posters, monkeypatch: pytest.MonkeyPatch, name: str, lock: int
) -> None:
    """Of the leader, which nothing needs that has begun, and of a lane."""
    ids, killed = books.transfers(6 * BATCH), []

    def kill() -> None:
        with books.superuser.connect() as connection:
            killed.extend(connection.exec_driver_sql(KILL_A_LANE, (lock,)).scalars())

    at_first(monkeypatch, name, kill)
    with suppress(*[DatabaseUnavailable] if lock == posting_lock.LANES_LOCK else []):
        post_all(poster())
    assert killed == [True]
    post_all(poster())
    assert in_order(books, ids) == ids
    assert {books.kept(id).attempts for id in ids} == {0}
    assert books.violations() == []


class Dies(BaseException):
    """The process ends here, as far as the database can see."""


@pytest.mark.parametrize("point", BatchPoint)
@pytest.mark.parametrize("batches", [1, 2, 4])
def test_death_at_any_point_of_a_lane_loses_nothing(
    books: Books, poster: Posters, point: BatchPoint, batches: int
) -> None:
    ids, reached, turn = books.transfers(12 * BATCH), [], threading.Lock()

    def die(at: BatchPoint) -> None:
        with turn:
            reached.append(at)
            if reached.count(point) > batches:
                raise Dies

    first = poster()
    first.hook = die
    with pytest.raises(Dies):
        post_all(first)
    post_all(poster())
    assert in_order(books, ids) == ids
    assert {books.kept(id).attempts for id in ids} == {0}
    assert books.violations() == []


def test_others_wait_until_all_lanes_have_ended(books: Books, poster: Posters) -> None:
    ids, seen = books.transfers(4 * BATCH), []
    hasty = books.poster(books.impatient_worker(lock_timeout="10ms"))

    def try_to_post(point: BatchPoint) -> None:
        if point is BatchPoint.WRITTEN and threading.current_thread().name.startswith("lane"):
            seen.append(hasty.post_batch())

    first = poster()
    first.hook = try_to_post
    post_all(first)
    assert set(seen) == {None}
    assert in_order(books, ids) == ids


def test_lane_of_a_leader_who_is_none_posts_nothing(books: Books) -> None:
    with transaction(books.worker) as leader:
        number = posting_lock.lead(leader)
        with transaction(books.worker) as lane:
            assert posting_lock.follow(lane, number)
            stand_by = books.impatient_worker(lock_timeout="10ms")
            with pytest.raises(Contention), posting_lock.alone(stand_by):
                pass
    with transaction(books.worker) as late:
        assert not posting_lock.follow(late, number)


def test_lane_of_a_leader_who_leads_again_posts_nothing(books: Books) -> None:
    """On the same connection, as after an error that left lanes behind."""
    engine = books.impatient_worker()
    with transaction(engine) as leader:
        pid, before = scalar(leader, "SELECT pg_backend_pid()"), posting_lock.lead(leader)
    with transaction(engine) as again:
        assert scalar(again, "SELECT pg_backend_pid()") == pid
        now = posting_lock.lead(again)
        for name, follows in ((before, False), (now, True)):
            with transaction(engine) as lane:
                assert posting_lock.follow(lane, name) is follows


class TimeLimit(Exception):
    """Raised by a signal's handler, as Celery does."""


def test_time_limit_leaves_no_lane_and_no_order_behind(books: Books, poster: Posters) -> None:
    ids, waiting, may_go = books.transfers(30 * BATCH), threading.Event(), threading.Event()

    def interrupt(point: BatchPoint) -> None:
        if point is BatchPoint.WRITTEN and threading.current_thread().name.startswith("lane"):
            if not waiting.is_set():
                waiting.set()
                os.kill(os.getpid(), signal.SIGUSR2)
            assert may_go.wait(WAIT_SECONDS_MAX)

    def over(*_: object) -> None:
        raise TimeLimit

    before = signal.signal(signal.SIGUSR2, over)
    first, second = poster(), poster()
    first.hook = interrupt
    try:
        with pytest.raises(TimeLimit):
            post_all(first)
    finally:
        signal.signal(signal.SIGUSR2, before)
        may_go.set()
    post_all(second)
    assert in_order(books, ids) == ids
    eventually(lambda: not [one for one in threading.enumerate() if one.name.startswith("lane")])


def test_payouts_are_told_of_when_a_lane_is_lost(
    books: Books, poster: Posters, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, wallet = books.client(100_00)
    _, other = books.client()
    for number in range(7 * BATCH):
        if number < BATCH:
            books.transfer(client, wallet, other, 1)
        else:
            books.order("withdrawal", client, wallet, books.technical("wire"), 1)
    real, calls = ledger.post_entries, []

    def lose(connection: Connection, decision: Decision) -> None:
        calls.append(decision)
        if len(calls) > 1:
            raise DatabaseUnavailable
        real(connection, decision)

    monkeypatch.setattr(ledger, "post_entries", lose)
    first = poster()
    with pytest.raises(DatabaseUnavailable):
        post_all(first)
    assert first.has_instructed
    post_all(poster(lanes=1))
