"""Batches of retries that are stopped, lose their worker, or are ordered by many at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import audit, batch, batch_claim, payment
from models.audit import Actor
from models.batch import SelectionProblem
from models.session import DatabaseUnavailable, transaction
from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.posting.parked_payments import carry_out, order, outcomes, park, read, select, skip_reasons

TWENTY = 20


def test_stopped_batch_skips_what_waits(books: Books, ops: Actor, portion: int) -> None:
    parked = park(books, 3 * portion)
    id = order(books, ops)
    assert carry_out(books)
    with transaction(books.gateway) as connection:
        assert batch.stop(connection, id, ops, "wrong ones")
        assert not batch.stop(connection, id, ops, "again")
    assert carry_out(books)
    assert not carry_out(books)
    books.poster().drain()
    assert outcomes(books, id) == {"completed": portion, "skipped": 2 * portion}
    assert set(skip_reasons(books, id).values()) == {None, "stopped"}
    kept = read(books, id)
    assert (kept.state, kept.stopped_by, kept.stop_reason, kept.waiting) == ("stopped", ops.name, "wrong ones", 0)
    assert sum(books.kept(one).is_parked for one in parked) == 2 * portion


def test_stop_waits_for_the_portion_under_way(
    books: Books, ops: Actor, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    park(books, 2 * portion)
    id = order(books, ops)
    decide, stopping = batch_claim.decide, threading.Thread(target=_stop, args=(books, id, ops))

    def stop_meanwhile(*args: object) -> None:
        stopping.start()
        decide(*args)

    with monkeypatch.context() as patch:
        patch.setattr(batch_claim, "decide", stop_meanwhile)
        assert carry_out(books)
    stopping.join()
    assert carry_out(books)
    assert outcomes(books, id) == {"retried": portion, "skipped": portion}
    books.poster().drain()


def _stop(books: Books, id: str, ops: Actor) -> None:
    with transaction(books.gateway) as connection:
        assert batch.stop(connection, id, ops, "wrong ones")


@pytest.mark.parametrize("step", ["note_retries", "decide"])
def test_killed_worker_loses_no_payment_and_retries_none_twice(
    books: Books, ops: Actor, portion: int, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    parked = park(books, 2 * portion)
    id = order(books, ops)
    assert carry_out(books)
    with monkeypatch.context() as patch:
        patch.setattr(batch_claim, step, lambda connection, *_: _kill(books, connection))
        with pytest.raises(DatabaseUnavailable):
            carry_out(books)
    assert outcomes(books, id) == {"retried": portion, "waiting": portion}
    assert carry_out(books)
    assert not carry_out(books)
    books.poster().drain()
    assert outcomes(books, id) == {"completed": 2 * portion}
    assert books.outcomes(parked) == ["COMPLETED"] * 2 * portion
    with transaction(books.worker) as connection:
        assert [len(audit.about(connection, one)) for one in parked] == [1] * 2 * portion


def _kill(books: Books, connection: object) -> None:
    """End the server's process of this connection, as the system does when the worker is killed."""
    [number] = connection.exec_driver_sql("SELECT pg_backend_pid()").scalars()  # type: ignore[attr-defined]
    with books.superuser.begin() as superuser:
        superuser.exec_driver_sql("SELECT pg_terminate_backend(%s)", (number,))
    connection.exec_driver_sql("SELECT 1")  # type: ignore[attr-defined]


def at_once(attempt: Callable[[], object]) -> list[object]:
    """The results of twenty threads that begin together."""
    barrier = threading.Barrier(TWENTY)

    def begin() -> object:
        barrier.wait()
        return attempt()

    with ThreadPoolExecutor(TWENTY) as pool:
        return [one.result() for one in [pool.submit(begin) for _ in range(TWENTY)]]


def test_selection_is_used_once_by_twenty_at_once(books: Books, ops: Actor) -> None:
    park(books, 3)
    chosen = select(books, ops.name)
    gateways = iter([books.open(books.database.gateway) for _ in range(TWENTY)])

    def use() -> SelectionProblem | None:
        with transaction(next(gateways)) as connection:
            return batch.create(connection, new_id(), chosen.id or "", ops, "mended")

    results = at_once(use)
    assert (results.count(None), results.count(SelectionProblem.USED)) == (1, TWENTY - 1)
    carry_out(books, 1.0)
    with transaction(books.worker) as connection:
        [kept] = batch.page(connection, 10)
    assert (kept.total, kept.retried) == (3, 3)
    books.poster().drain()


def test_parked_of_a_batch_are_retried_once_by_twenty_at_once(books: Books, ops: Actor) -> None:
    ids = park(books, 3)
    first = order(books, ops)
    carry_out(books, 1.0)
    with transaction(books.worker) as connection:
        for id in ids[:2]:
            assert payment.postpone(connection, id, 1, "still broken", 0.0, park=True)
    books.poster().drain()
    assert outcomes(books, first) == {"completed": 1, "parked": 2}
    gateways = iter([books.open(books.database.gateway) for _ in range(TWENTY)])

    def again() -> bool:
        with transaction(next(gateways)) as connection:
            return batch.retry_parked(connection, new_id(), first, ops, "mended now")

    assert at_once(again).count(True) == 1
    carry_out(books, 1.0)
    books.poster().drain()
    with transaction(books.worker) as connection:
        newest, _ = batch.page(connection, 10)
    assert (newest.total, newest.filter) == (2, {"parked": True, "batch": first})
    assert outcomes(books, newest.id) == {"completed": 2}
    assert outcomes(books, first) == {"completed": 3}


def test_stopped_payments_can_be_retried_later(books: Books, ops: Actor, portion: int) -> None:
    park(books, 2 * portion)
    first, second = order(books, ops), new_id()
    assert carry_out(books)
    _stop(books, first, ops)
    carry_out(books)
    with transaction(books.gateway) as connection:
        assert batch.retry_parked(connection, second, first, ops, "the right ones")
    carry_out(books, 1.0)
    books.poster().drain()
    assert outcomes(books, second) == {"completed": portion}
