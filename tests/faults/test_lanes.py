"""Lanes over a line that loses requests and answers, or falls silent: nothing is lost, doubled or out of order."""

import os
import random
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models import client_timeout
from models.session import DatabaseUnavailable
from tests.builders import scalar
from tests.lossy_postgres_proxy import COMMIT, SOCKET_NAME, Line, Loss
from tests.support import Database
from tests.workers.books import Books
from tests.workers.conftest import balanced_books
from tests.workers.posting.backlogs import MixedBacklog, post_all, times_in_disorder
from workers.posting.poster import Poster

BATCH, LANES = 2, 3
PAYMENTS = 12
"""Ordered before each cut."""
ROUNDS = 20 if os.environ.get("FAULTS") == "full" else 1
SILENCE_SECONDS = 0.5
"""A longer silence of the database ends its connection."""

LOSSES = (Loss.REQUEST, Loss.ANSWER, Loss.REQUEST, Loss.ANSWER, None)
"""None is silence, which takes the longest."""

STATEMENTS = (
    b"pg_try_advisory_xact_lock",
    b"SELECT virtualtransaction",
    b"SELECT pg_advisory_xact_lock(",
    b"pg_advisory_xact_lock_shared",
    b"SELECT EXISTS (SELECT FROM pg_locks",
    b"EXECUTE claim",
    b"EXECUTE read_accounts",
    b"EXECUTE initiators",
    b"EXECUTE post_verdicts",
    b"EXECUTE lock_accounts",
    b"EXECUTE post_entries",
    COMMIT,
    COMMIT,
    COMMIT,
)
"""What lanes send, and who posts alone between them; commits as often as there are kinds of transactions."""


@pytest.fixture
def books(fresh_database: Database, postgres: Postgres) -> Iterator[Books]:
    with balanced_books(fresh_database, postgres) as books:
        yield books


@pytest.fixture
def line(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    line = Line(tmp_path_factory.mktemp("line"), postgres.home.sockets / SOCKET_NAME)
    yield line
    line.close()


def over(line: Line, books: Books) -> Poster:
    """A poster whose connections go over the line."""
    url = make_url(books.impatient_worker(lock_timeout="500ms").url).update_query_dict({"host": str(line.directory)})
    engine = books.open(url.render_as_string(hide_password=False))
    return Poster(engine, deposits_open=False, linger_seconds=0, lanes=LANES)


def cut(line: Line, poster: Poster, statement: bytes, loss: Loss | None, spared: int) -> bool:
    """Post while the line loses this, or is mute from this on without a loss; whether it came to that."""
    before = len(line.lost)
    line.at, line.spared, line.mute_at = statement, spared, None if loss else statement
    if loss:
        line.to_lose.append(loss)
    with suppress(DatabaseUnavailable):
        poster.batch_limit = BATCH
        poster.drain()
    has_come = line.is_mute or len(line.lost) > before
    line.to_lose.clear()
    line.mute_at, line.is_mute = None, False
    return has_come


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_cut_lines_lose_double_and_reorder_nothing(books: Books, line: Line, seed: int) -> None:
    chance, mixed, poster = random.Random(seed), MixedBacklog(books, seed), over(line, books)
    met = []
    with client_timeout.installed(), client_timeout.at_most(SILENCE_SECONDS):
        for place, statement in enumerate(chance.sample(STATEMENTS, len(STATEMENTS))):
            mixed.order(PAYMENTS)
            loss = LOSSES[place % len(LOSSES)]
            if cut(line, poster, statement, loss, chance.randint(0, LANES)):
                met.append(loss)
    post_all(books.poster(books.impatient_worker(lock_timeout="60s")))
    assert set(met) == set(LOSSES)
    assert len(met) > len(STATEMENTS) // 2, "most of them were met"
    once = MixedBacklog(books, seed)
    once.order(len(STATEMENTS) * PAYMENTS)
    post_all(Poster(books.worker, deposits_open=False, linger_seconds=0, lanes=1))
    assert mixed.outcome() == once.outcome()
    assert times_in_disorder(books) == 0
    with books.as_owner() as connection:
        assert scalar(connection, "SELECT count(*) FROM payments WHERE attempts > 0") == 0
