"""Commands decided: each once, under its payment's lock, and none lost with the worker that was at it."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from models import audit, payment_command
from models.audit import Actor
from models.payment_command import NewCommand
from models.session import transaction
from tests.workers.books import Books
from workers.posting import retries

pytestmark = pytest.mark.shares_books


@pytest.fixture
def actor(books: Books) -> Actor:
    """An operator, with a token, at an address, in a request."""
    return Actor(books.user("ops"), str(uuid7()), "192.0.2.7", str(uuid4()))


@pytest.fixture
def waiting(books: Books) -> Callable[[], str]:
    """A payment that has failed before and is due in an hour."""
    alice, source = books.client(100_00)
    _, target = books.client()

    def waiting() -> str:
        id = books.order("transfer", alice, source, target, 1)
        with books.as_owner() as connection:
            connection.exec_driver_sql(
                "UPDATE payments SET attempts = 3, due_at = now() + interval '1 hour', last_error = 'poison'"
                " WHERE id = %s",
                (id,),
            )
        return id

    return waiting


def order(books: Books, actor: Actor, *payment_ids: str, reason: str = "mended") -> int:
    with transaction(books.gateway) as connection:
        return payment_command.order_retries(
            connection, [NewCommand(str(uuid7()), id) for id in payment_ids], actor, reason
        )


def outcomes(books: Books, payment_id: str) -> list[object]:
    with transaction(books.worker) as connection:
        return [command["outcome"] for command in payment_command.about(connection, payment_id)]


def test_drain_decides_a_retry_and_posts_its_payment(books: Books, actor: Actor, waiting: Callable[[], str]) -> None:
    payment_id = waiting()
    books.poster().drain()
    assert books.kept(payment_id).state == "INITIATED", "it is not due"
    assert order(books, actor, payment_id) == 1
    assert books.poster().drain() == (1, False)
    assert (books.kept(payment_id).state, outcomes(books, payment_id)) == ("COMPLETED", ["done"])
    with transaction(books.worker) as connection:
        (line,) = audit.about(connection, payment_id)
    assert Actor(line["actor"], line["token_id"], line["address"], line["request_id"]) == actor
    assert (line["action"], line["reason"], line["written_by"]) == ("payments.retry", "mended", "payments_worker")
    assert line["before"] == {"attempts": 3, "parked_at": None, "last_error": "poison"}
    assert line["after"] == {"attempts": 0, "parked_at": None}


def test_retry_of_a_final_payment_is_refused(books: Books, actor: Actor, waiting: Callable[[], str]) -> None:
    payment_id = waiting()
    books.make_due(payment_id)
    books.poster().drain()
    before = books.kept(payment_id)
    order(books, actor, payment_id)
    assert retries.decide(books.worker) == 1
    assert (outcomes(books, payment_id), books.kept(payment_id).state) == (["refused"], before.state)
    with transaction(books.worker) as connection:
        assert audit.about(connection, payment_id) == []


def test_retry_of_an_unknown_payment_is_refused(books: Books, actor: Actor) -> None:
    stranger = str(uuid7())
    order(books, actor, stranger)
    assert retries.decide(books.worker) == 1
    assert outcomes(books, stranger) == ["refused"]


def test_payment_has_one_open_retry_at_a_time(books: Books, actor: Actor, waiting: Callable[[], str]) -> None:
    payment_id = waiting()
    assert [order(books, actor, payment_id), order(books, actor, payment_id)] == [1, 0]
    retries.decide(books.worker)
    assert order(books, actor, payment_id) == 1
    assert [retries.decide(books.worker), retries.decide(books.worker)] == [1, 0]
    assert outcomes(books, payment_id) == ["done", "done"]


def test_retries_beyond_one_batch_are_all_decided(
    books: Books, actor: Actor, waiting: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "COMMANDS_MAX", 10)
    ids = [waiting() for _ in range(25)]
    assert order(books, actor, *ids) == 25
    assert retries.decide(books.worker) == 25
    assert {outcome for id in ids for outcome in outcomes(books, id)} == {"done"}
    assert all(books.kept(id).attempts == 0 for id in ids)


def test_retries_beyond_two_hundred_are_all_decided(books: Books, actor: Actor) -> None:
    count = retries.COMMANDS_MAX + 50
    assert order(books, actor, *(str(UUID(int=number)) for number in range(1, count + 1))) == count
    assert retries.decide(books.worker) == count
    assert retries.decide(books.worker) == 0


def test_retry_of_a_locked_payment_is_left_for_later(books: Books, actor: Actor, waiting: Callable[[], str]) -> None:
    payment_id = waiting()
    order(books, actor, payment_id)
    engine = books.impatient_worker(lock_timeout="100ms")
    with books.superuser.connect() as stranger:
        stranger.exec_driver_sql("SELECT FROM payments WHERE id = %s FOR UPDATE", (payment_id,))
        assert retries.decide(engine) == 0
        assert outcomes(books, payment_id) == [None]
    assert retries.decide(engine) == 1
    assert outcomes(books, payment_id) == ["done"]


def test_command_locked_by_another_worker_is_skipped(books: Books, actor: Actor, waiting: Callable[[], str]) -> None:
    first, second = waiting(), waiting()
    order(books, actor, first, second)
    with transaction(books.worker) as connection:
        held = payment_command.claim(connection, 1)
        assert retries.decide(books.worker) == 1
        assert len(held) == 1
    assert retries.decide(books.worker) == 1
    assert (outcomes(books, first), outcomes(books, second)) == (["done"], ["done"])


def test_killed_worker_loses_no_retry(
    books: Books, actor: Actor, waiting: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction ends with it, before the outcome or after."""
    payment_id = waiting()
    order(books, actor, payment_id)
    with monkeypatch.context() as patch:
        patch.setattr(payment_command, "decide", _die)
        with pytest.raises(MemoryError):
            retries.decide(books.worker)
    assert (outcomes(books, payment_id), books.kept(payment_id).attempts) == ([None], 3)
    with transaction(books.worker) as connection:
        assert audit.about(connection, payment_id) == []
    assert retries.decide(books.worker) == 1
    assert outcomes(books, payment_id) == ["done"]


def _die(*_: object) -> None:
    raise MemoryError
