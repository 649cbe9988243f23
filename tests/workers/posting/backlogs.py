"""Backlogs that are posted by lanes, in batches that stay small."""

import threading
from collections.abc import Callable

import pytest

from models import ledger
from models.session import Connection, transaction
from tests.workers.books import Books
from workers.posting.poster import Poster

BATCH = 5
WAIT_SECONDS_MAX = 60

Posters = Callable[..., Poster]


def post_all(poster: Poster) -> None:
    """Post until nothing is due, in batches that stay small."""
    batch = poster.batch_limit
    while poster.drain(WAIT_SECONDS_MAX)[1]:
        poster.batch_limit = batch


def source(books: Books, id: str) -> str:
    """The account that the payment comes from."""
    with transaction(books.worker) as connection:
        return str(connection.exec_driver_sql("SELECT source_id FROM payments WHERE id = %s", (id,)).scalar_one())


def in_order(books: Books, ids: list[str]) -> list[str]:
    """Those of the transfers out of one wallet that moved money, in the order in which they did."""
    return [id for id in books.decided(source(books, ids[0])) if id in ids]


def at_first(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> list[str]:
    """Call `act` once, before the first call of this function of the ledger; returns the calls."""
    real, calls, turn = getattr(ledger, name), [], threading.Lock()

    def acting(connection: Connection, *arguments: object) -> object:
        with turn:
            calls.append(name)
            if len(calls) == 1:
                act()
        return real(connection, *arguments)

    monkeypatch.setattr(ledger, name, acting)
    return calls
