"""Pauses and lanes: what is paused is set aside, and released, by who posts alone."""

from collections.abc import Iterator

import pytest

from models import paused_payment
from models.pause import Pause
from models.session import Connection
from tests.workers.books import Books
from tests.workers.posting.backlogs import BATCH, Posters, in_order, post_all
from tests.workers.posting.pausing import end, paused, set_aside

pytestmark = pytest.mark.shares_books


@pytest.fixture
def pause(books: Books) -> Iterator[Pause]:
    """A merchant's; it is over at the end."""
    pause = paused(books, merchant_id=books.user("merchant"))
    yield pause
    end(books, pause)
    books.poster().drain()


def test_pause_of_others_does_not_change_the_order(
    books: Books, poster: Posters, pause: Pause, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paused_payment, "ROUND_MIN", 5 * BATCH)
    ids = books.transfers(20 * BATCH)
    post_all(poster(lanes=2))
    assert in_order(books, ids) == ids


def test_pause_that_ends_when_it_set_a_payment_aside_keeps_none(
    books: Books, poster: Posters, pause: Pause, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paused_payment, "ROUND_MIN", 1)
    customer, wallet = books.client(100_00)
    _, other = books.client()
    till, real = books.wallet(pause.merchant_id), paused_payment._set_aside

    def set_aside_at_the_end(connection: Connection, payments: dict[str, str]) -> None:
        real(connection, payments)
        if payments:
            end(books, pause)

    monkeypatch.setattr(paused_payment, "_set_aside", set_aside_at_the_end)
    before = [books.transfer(customer, wallet, other, 1) for _ in range(BATCH)]
    charge = books.order("charge", pause.merchant_id, wallet, till, 1)
    after = [books.transfer(customer, wallet, other, 1) for _ in range(6 * BATCH)]
    first = poster(lanes=2)
    post_all(first)
    post_all(first)
    assert set(books.outcomes([*before, charge, *after])) == {"COMPLETED"}
    assert set_aside(books) == 0
