"""Pauses and the poster: none of what is paused is posted, all else is, and what was set aside keeps its order."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import audit, pause, paused_payment, payment, payment_command, payment_stuck
from models.audit import SHELL, Actor
from models.pause import Scope
from models.payment_stuck import StuckFilter
from models.rules.types import PaymentAction
from models.session import transaction
from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.posting.pausing import WHY, end, paused, resume, set_aside

CROWD = 8
EACH = 40


@pytest.fixture
def ann(books: Books) -> tuple[str, str, str]:
    """Ann, a wallet of hers with money, and one without."""
    id, wallet = books.client(1_000_00)
    return id, wallet, books.wallet(id)


def test_pause_while_a_crowd_submits_posts_all_others_and_resume_posts_the_rest_in_order(
    books: Books, ann: tuple[str, str, str]
) -> None:
    id, wallet, other = ann
    begun, stop = threading.Barrier(CROWD + 1), threading.Event()

    def submit(_: int) -> list[tuple[str, str]]:
        """Transfers and deposits in turns: their ids, in the order in which they were answered."""
        begun.wait()
        return [
            (books.transfer(id, wallet, other, 1), books.order("deposit", id, wire, wallet, 1)) for _ in range(EACH)
        ]

    def drain() -> None:
        while not stop.is_set():
            books.poster(deposits_open=True).drain(0.2)

    wire = books.technical("wire")
    with ThreadPoolExecutor(CROWD + 2) as pool:
        posters = [pool.submit(drain) for _ in range(2)]
        crowd = [pool.submit(submit, number) for number in range(CROWD)]
        begun.wait()
        record = paused(books, type="transfer")
        with transaction(books.owner) as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (0x706F7374,))
            [before] = connection.exec_driver_sql(
                "SELECT array_agg(id::text) FROM payments WHERE type = 'transfer' AND state = 'COMPLETED'"
            ).one()
        orders = [one.result() for one in crowd]
        stop.set()
        for one in posters:
            one.result()
    books.poster(deposits_open=True).drain()
    transfers = [transfer for order in orders for transfer, _ in order]
    deposits = [deposit for order in orders for _, deposit in order]
    assert set(books.outcomes(deposits)) == {"COMPLETED"}
    done = [transfer for transfer in transfers if books.kept(transfer).state == "COMPLETED"]
    assert set(done) == set(before or []), "from the moment of the pause on none is posted"
    assert set_aside(books) == len(transfers) - len(done)
    assert books.poster().drain() == (0, False), "what is set aside is not claimed again"
    resume(books, record)
    books.poster().drain()
    assert set(books.outcomes(transfers)) == {"COMPLETED"}
    assert set_aside(books) == 0
    posted = books.decided(other)
    for order in orders:
        own = [transfer for transfer, _ in order]
        assert [transfer for transfer in posted if transfer in own] == own


def test_released_payments_are_posted_before_newer_ones_in_their_order(
    books: Books, ann: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when they are released in several batches, and when the poster has not seen the end before it claims."""
    id, wallet, other = ann
    monkeypatch.setattr(paused_payment, "TAKE_BACK", paused_payment.TAKE_BACK.replace("LIMIT 5000", "LIMIT 10"))
    monkeypatch.setattr(paused_payment, "RELEASED_MAX", 10)
    record = paused(books, type="transfer")
    older = [books.transfer(id, wallet, other, 1) for _ in range(25)]
    poster = books.poster()
    assert (poster.drain(), set_aside(books)) == ((0, False), 25)
    poster.batch_limit = 4
    resume(books, record)
    newer = [books.transfer(id, wallet, other, 1) for _ in range(5)]
    while poster.post_batch():
        poster.batch_limit = 4
    assert books.decided(other) == older + newer


def test_payments_of_a_pause_that_ended_by_the_clock_are_found_by_the_sweep(
    books: Books, ann: tuple[str, str, str]
) -> None:
    id, wallet, other = ann
    record = paused(books, type="transfer")
    transfer = books.transfer(id, wallet, other, 1)
    books.poster().drain()
    with transaction(books.worker) as connection:
        assert not payment.is_anything_due(connection)
        assert not payment.is_anything_to_end(connection)
    end(books, record)
    with transaction(books.worker) as connection:
        assert payment.is_anything_to_end(connection), "so the sweep rings"
        with pytest.raises(pause.Ending):
            pause.pause(connection, Scope(type="transfer"), WHY, None, SHELL)
    assert books.poster().drain() == (1, False)
    assert books.kept(transfer).state == "COMPLETED"
    paused(books, type="transfer")


def test_payment_held_by_two_pauses_waits_for_both(books: Books, ann: tuple[str, str, str]) -> None:
    id, wallet, other = ann
    of_type, of_currency = paused(books, type="transfer"), paused(books, currency="EUR")
    transfer = books.transfer(id, wallet, other, 1)
    books.poster().drain()
    resume(books, of_type)
    assert books.poster().drain() == (0, False)
    assert (books.kept(transfer).state, set_aside(books)) == ("INITIATED", 1)
    resume(books, of_currency)
    assert books.poster().drain() == (1, False)
    assert books.kept(transfer).state == "COMPLETED"


def test_exchange_is_held_by_the_pause_of_either_currency(books: Books, ann: tuple[str, str, str]) -> None:
    id, wallet, _ = ann
    record = paused(books, currency="USD")
    exchange = books.exchange(id, wallet, books.wallet(id, currency="USD"), 100, 110)
    assert books.poster().drain() == (0, False)
    resume(books, record)
    books.poster().drain()
    assert books.kept(exchange).state == "COMPLETED"


def test_ten_thousand_paused_payments_do_not_stop_the_next_one(books: Books, ann: tuple[str, str, str]) -> None:
    id, wallet, other = ann
    record = paused(books, merchant_id=(shop := books.user("merchant")))
    theirs = books.wallet(shop)
    for _ in range(10):
        books.accept(*(books.new_payment("charge", shop, wallet, theirs, 1) for _ in range(1_000)))
    transfer = books.transfer(id, wallet, other, 1)
    assert books.poster().drain(60.0) == (1, False)
    assert (books.kept(transfer).state, set_aside(books)) == ("COMPLETED", 10_000)
    with transaction(books.worker) as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN (ANALYZE, FORMAT TEXT) SELECT id FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL"
            " AND due_at <= statement_timestamp() ORDER BY due_at, id LIMIT 500"
        ).scalars()
        assert "rows=0" in next(iter(plan)).replace("rows=0.00", "rows=0"), "none of them is read again"
    resume(books, record)
    posted, _ = books.poster().drain(60.0)
    assert (posted, books.balance(theirs), set_aside(books)) == (10_000, 10_000, 0)


def test_expired_payment_is_ended_while_its_type_is_paused(books: Books, ann: tuple[str, str, str]) -> None:
    id, wallet, other = ann
    paused(books, type="transfer")
    with transaction(books.worker) as connection:
        soon = payment.clock(connection)
    expiring = books.order("transfer", id, wallet, other, 1, expires_at=soon)
    assert books.poster().drain() == (1, False)
    assert books.outcomes([expiring]) == ["expired"]


def test_payment_that_was_tried_before_can_be_canceled_and_retried_while_it_is_paused(
    books: Books, ann: tuple[str, str, str]
) -> None:
    id, wallet, other = ann
    record = paused(books, type="transfer")
    canceled, retried = (books.transfer(id, wallet, other, 1) for _ in range(2))
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE payments SET attempts = 3, last_error = 'x' WHERE type = 'transfer'")
    books.poster().drain()
    with transaction(books.gateway) as connection:
        actor = Actor(id)
        assert payment_command.order_action(connection, new_id(), PaymentAction.CANCEL, canceled, None, actor)
    with transaction(books.worker) as connection:
        assert [row.id for row in payment_stuck.reset_for_retry(connection, [retried])] == [retried]
        assert payment_stuck.find(connection, StuckFilter(0.0), 10) == [], "what is paused is not stuck"
    books.poster().drain()
    assert (books.outcomes([canceled, retried]), set_aside(books)) == (["canceled", "INITIATED"], 2)
    resume(books, record)
    books.poster().drain()
    assert (books.outcomes([canceled, retried]), set_aside(books)) == (["canceled", "COMPLETED"], 0)


def test_pause_and_its_end_are_recorded(books: Books) -> None:
    record = paused(books, rail="sepa")
    resume(books, record)
    with transaction(books.worker) as connection:
        lines = audit.about(connection, record.id)
    assert [(line["actor"], line["action"], line["reason"]) for line in lines] == [
        ("shell", "pauses.pause", WHY),
        ("shell", "pauses.resume", "it is clear"),
    ]
