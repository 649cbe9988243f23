"""A commit of unknown outcome: the rows are read again, and nothing is posted blindly a second time."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models.session import DatabaseUnavailable, Engine, transaction
from tests.lossy_postgres_proxy import SOCKET_NAME, Line, Loss
from tests.workers.books import Books
from workers.posting.batch_point import BatchPoint

pytestmark = pytest.mark.shares_books

TRANSFERS = 5

KILL_THE_POSTER = """
SELECT pg_terminate_backend(pid, 5000) FROM (
    SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) poster
"""
"""The poster is who holds the posting lock; returns once it has gone."""


@pytest.fixture
def transfers(books: Books) -> list[str]:
    return books.transfers(TRANSFERS)


@pytest.fixture
def line(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    line = Line(tmp_path_factory.mktemp("line"), postgres.home.sockets / SOCKET_NAME)
    yield line
    line.close()


@pytest.fixture
def over_the_line(books: Books, line: Line) -> Engine:
    """The worker's role, connected over the line."""
    url = make_url(books.database.worker).update_query_dict({"host": str(line.directory)})
    return books.open(url.render_as_string(hide_password=False))


def unknown(posting_log: list[dict]) -> list[bool]:
    """Of each commit of unknown outcome: whether it had happened."""
    return [entry["had_committed"] for entry in posting_log if entry["event"] == "commit of unknown outcome"]


def assert_posted_once(books: Books, transfers: list[str]) -> None:
    kept = [books.kept(id) for id in transfers]
    assert [(row.state, row.attempts) for row in kept] == [("COMPLETED", 0)] * TRANSFERS
    with transaction(books.worker) as connection:
        counted = connection.exec_driver_sql(
            "SELECT count(*) FROM operations WHERE payment_id = ANY(%s::uuid[])", (transfers,)
        ).scalar_one()
    assert counted == 2 * TRANSFERS


def test_backend_killed_before_commit_posts_once_later(
    books: Books, transfers: list[str], posting_log: list[dict]
) -> None:
    poster, killed = books.poster(), []

    def kill(point: BatchPoint) -> None:
        if point is BatchPoint.WRITTEN and not killed:
            with books.superuser.connect() as connection:
                killed.extend(connection.exec_driver_sql(KILL_THE_POSTER).scalars())

    poster.hook = kill
    assert poster.post_batch() is None
    assert killed == [True]
    assert unknown(posting_log) == [False]
    assert set(books.outcomes(transfers)) == {"INITIATED"}
    assert poster.drain() == (TRANSFERS, False)
    assert_posted_once(books, transfers)


def test_commit_with_a_lost_answer_is_not_repeated(
    books: Books, transfers: list[str], posting_log: list[dict], line: Line, over_the_line: Engine
) -> None:
    poster = books.poster(over_the_line)
    line.to_lose.append(Loss.ANSWER)
    assert poster.post_batch() == TRANSFERS
    assert line.lost == [Loss.ANSWER]
    assert unknown(posting_log) == [True]
    assert poster.drain() == (0, False)
    assert_posted_once(books, transfers)


def test_commit_that_never_arrived_is_posted_later(
    books: Books, transfers: list[str], posting_log: list[dict], line: Line, over_the_line: Engine
) -> None:
    poster = books.poster(over_the_line)
    line.to_lose.append(Loss.REQUEST)
    assert poster.post_batch() is None
    assert line.lost == [Loss.REQUEST]
    assert unknown(posting_log) == [False]
    assert poster.drain() == (TRANSFERS, False)
    assert_posted_once(books, transfers)


def test_backend_killed_during_a_batch_costs_no_attempt(books: Books, transfers: list[str]) -> None:
    poster, killed = books.poster(), []

    def kill(point: BatchPoint) -> None:
        if point is BatchPoint.CLAIMED and not killed:
            with books.superuser.connect() as connection:
                killed.extend(connection.exec_driver_sql(KILL_THE_POSTER).scalars())

    poster.hook = kill
    with pytest.raises(DatabaseUnavailable):
        poster.post_batch()
    assert killed == [True]
    assert poster.drain() == (TRANSFERS, False)
    assert_posted_once(books, transfers)
