"""Batches of retries: each payment that was shown is retried once, while new payments are posted among them."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import audit, selection
from models.audit import Actor
from models.batch import BatchState
from models.session import transaction
from tests.support import eventually
from tests.workers.books import Books
from tests.workers.posting.parked_payments import BROKEN, carry_out, order, outcomes, park, read, select, skip_reasons
from workers.posting import batches

PAYMENTS = 10_000 if os.environ.get("FAULTS") == "full" else 1_000


def test_thousands_are_retried_once_while_new_payments_are_posted(books: Books, ops: Actor) -> None:
    parked = park(books, PAYMENTS)
    id = order(books, ops, error_contains="permission denied")
    [later] = park(books, 1)
    alice, source = books.client(PAYMENTS)
    _, target = books.client()
    posters, stopped, progress = [books.poster() for _ in range(2)], threading.Event(), []

    def post(number: int) -> None:
        while not stopped.is_set():
            posters[number].drain(0.1)

    with ThreadPoolExecutor() as pool:
        running = [pool.submit(post, number) for number in range(2)]
        try:
            working = [pool.submit(carry_out, books, 600.0) for _ in range(2)]
            new = []
            while not all(one.done() for one in working):
                new.append(books.order("transfer", alice, source, target, 1))
                progress.append(read(books, id).waiting)
                while books.state(new[-1]) == "INITIATED":
                    progress.append(read(books, id).waiting)
            assert [one.result() for one in working] == [False, False]
            eventually(lambda: outcomes(books, id) == {"completed": PAYMENTS})
            assert set(books.outcomes(new)) == {"COMPLETED"}
        finally:
            stopped.set()
        assert [one.result() for one in running] == [None, None]
    assert progress == sorted(progress, reverse=True)
    assert len(set(progress)) > 2, "it went in portions, and new payments were posted between them"
    kept = read(books, id)
    assert (kept.state, kept.total, kept.retried, kept.skipped) == (BatchState.DONE, PAYMENTS, PAYMENTS, 0)
    with books.as_owner() as connection:
        twice = connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT payment_id) FROM operations WHERE payment_id = ANY(%s::uuid[])", (parked,)
        ).one()
        audited = connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT target) FROM audit_log WHERE action = 'payments.retry' AND actor = %s",
            (ops.name,),
        ).one()
    assert (twice, audited) == ((2 * PAYMENTS, PAYMENTS), (PAYMENTS, PAYMENTS))
    assert books.kept(later).is_parked, "it was parked after the selection"


def test_selection_shows_sums_errors_and_the_oldest(books: Books, ops: Actor) -> None:
    ids = park(books, 25) + park(books, 2, "DataError: x\nDETAIL: secret")
    chosen = select(books, ops.name, limit=26)
    assert (chosen.number, chosen.has_more) == (26, True)
    assert [tuple(total) for total in chosen.totals] == [("EUR", 2, 26, 26)]
    assert [tuple(entry) for entry in chosen.errors] == [(BROKEN, 25), ("DataError: x", 1)]
    assert [row.id for row in chosen.payments] == sorted(ids)[:20]
    assert select(books, ops.name, types=["charge"]).id is None


def test_retry_is_audited_in_the_name_of_who_ordered_it(books: Books, ops: Actor) -> None:
    [parked] = park(books, 1)
    id = order(books, ops)
    assert carry_out(books)
    with transaction(books.worker) as connection:
        [line], [ordered] = audit.about(connection, parked), audit.about(connection, id)
    assert Actor(line["actor"], line["token_id"], line["address"], line["request_id"]) == ops
    assert (line["action"], line["reason"], line["written_by"]) == ("payments.retry", "mended", "payments_worker")
    assert (line["before"]["attempts"], line["before"]["last_error"]) == (8, BROKEN)
    assert line["after"] == {"attempts": 0, "parked_at": None}
    assert (ordered["action"], ordered["after"]["total"]) == ("batches.create", 1)


def test_portion_waits_while_many_payments_are_due_but_not_for_ever(
    books: Books, ops: Actor, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "DUE_MAX", 5)
    park(books, 3 * portion)
    id = order(books, ops)
    assert carry_out(books, 0.3)
    assert outcomes(books, id) == {"retried": portion, "waiting": 2 * portion}
    assert carry_out(books)
    assert outcomes(books, id) == {"retried": 2 * portion, "waiting": portion}
    books.poster().drain()
    assert carry_out(books)
    assert outcomes(books, id) == {"completed": 2 * portion, "retried": portion}
    assert not carry_out(books)
    books.poster().drain()


def test_payments_that_moved_on_are_skipped(books: Books, ops: Actor) -> None:
    final, due, again, same = park(books, 4)
    id = order(books, ops)
    with books.as_owner() as connection:
        connection.exec_driver_sql(
            "UPDATE payments SET parked_at = NULL, due_at = CASE WHEN id = %(final)s THEN now() ELSE 'infinity' END"
            " WHERE id IN (%(final)s, %(due)s)",
            {"final": final, "due": due},
        )
        connection.exec_driver_sql("UPDATE payments SET parked_at = clock_timestamp() WHERE id = %s", (again,))
    books.poster().drain()
    assert carry_out(books)
    assert skip_reasons(books, id) == {final: "final", due: "moved_on", again: "moved_on", same: None}
    assert (read(books, id).state, outcomes(books, id)) == ("done", {"skipped": 3, "retried": 1})
    books.make_due(due)
    books.poster().drain()


def test_expired_unused_selections_are_forgotten(books: Books, ops: Actor) -> None:
    park(books, 1)
    select(books, ops.name)
    order(books, ops)
    with books.as_owner() as connection:
        connection.exec_driver_sql("ALTER TABLE selections DISABLE TRIGGER USER")
        connection.exec_driver_sql("UPDATE selections SET expires_at = now() - interval '3 days'")
        connection.exec_driver_sql("ALTER TABLE selections ENABLE TRIGGER USER")
    with transaction(books.worker) as connection:
        assert selection.forget_old(connection) == 1
        assert selection.forget_old(connection) == 0
    carry_out(books)
    books.poster().drain()
