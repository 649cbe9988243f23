"""Our own trouble with the database costs a receiver no try: it was not called, or it has answered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from models import webhook_delivery, webhook_queue
from models.rules.webhook_retry import TRIES_MAX, AttemptOutcome
from models.session import Contention, DatabaseUnavailable, StatementTimeout, transaction
from models.webhook_queue import Capacity, ClaimedDelivery
from tests.lossy_postgres_proxy import SOCKET_NAME, Line, Loss
from tests.workers.webhooks.conftest import Post, new_sender
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.sender import WebhookCall

PLENTY = Capacity(100, 100, 100)


@pytest.fixture
def line(post: Post, tmp_path: Path) -> Iterator[Line]:
    """The connections of the dispatcher `shaky`."""
    line = Line(tmp_path, Path(make_url(post.books.database.worker).query["host"]) / SOCKET_NAME)
    yield line
    line.close()


@pytest.fixture
def shaky(post: Post, line: Line) -> Dispatcher:
    url = make_url(post.books.database.worker).update_query_dict({"host": str(line.directory)})
    post.dispatchers.append(Dispatcher(post.books.open(url.render_as_string(hide_password=False)), new_sender(), 1_000))
    return post.dispatchers[-1]


def raising(error: type[Exception]) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def claim(post: Post) -> list[ClaimedDelivery]:
    with transaction(post.books.worker) as connection:
        webhook_queue.fan_out(connection, 1_000)
    with transaction(post.books.worker) as connection:
        return webhook_queue.claim(connection, {}, (), PLENTY)


@pytest.mark.parametrize("trouble", [DatabaseUnavailable, Contention, StatementTimeout])
def test_error_after_the_claim_costs_no_try(post: Post, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]):
    """Repeatedly, and without waiting for a lease."""
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    with monkeypatch.context() as broken:
        broken.setattr(webhook_queue, "secrets", raising(trouble))
        for _ in range(TRIES_MAX + 1):
            with pytest.raises(trouble):
                post.dispatcher.dispatch()
    post.until(lambda: post.states(endpoint) == ["delivered"])
    [delivery] = post.deliveries(endpoint)
    assert (delivery.attempts, delivery.tries_left, len(receiver.heard)) == (1, TRIES_MAX - 1, 1)


def test_call_that_cannot_begin_costs_a_try_and_no_capacity(post: Post, monkeypatch: pytest.MonkeyPatch):
    """Nothing is tried without end."""
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    with monkeypatch.context() as broken:
        broken.setattr(webhook_queue, "secrets", raising(LookupError))
        with pytest.raises(LookupError):
            post.dispatcher.dispatch()
    post.until(lambda: post.deliveries(endpoint)[0].error == "internal")
    assert post.dispatcher._open == {}
    with transaction(post.books.worker) as connection:
        assert connection.exec_driver_sql("SELECT failing_since FROM webhook_endpoints").all() == [(None,)]
    post.hasten()
    post.until(lambda: post.states(endpoint) == ["delivered"])
    assert post.deliveries(endpoint)[0].tries_left == TRIES_MAX - 2


@pytest.mark.parametrize("loss", Loss)
def test_lost_commit_of_a_claim_costs_no_try(
    post: Post, shaky: Dispatcher, line: Line, monkeypatch: pytest.MonkeyPatch, loss: Loss
):
    """Committed or not, no receiver was called."""
    receiver = post.receiver()
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    claim = webhook_queue.claim

    def claim_and_lose(*args: object) -> list[ClaimedDelivery]:
        claimed = claim(*args)
        line.to_lose += [loss] if claimed else []
        return claimed

    with monkeypatch.context() as broken:
        broken.setattr(webhook_queue, "claim", claim_and_lose)
        for _ in range(TRIES_MAX + 1):
            with pytest.raises(DatabaseUnavailable):
                shaky.dispatch()
    assert line.lost == [loss] * (TRIES_MAX + 1)
    assert receiver.heard == []
    post.until(lambda: post.states(endpoint) == ["delivered"], dispatcher=shaky)
    [delivery] = post.deliveries(endpoint)
    assert (delivery.attempts, delivery.tries_left, len(receiver.heard)) == (1, TRIES_MAX - 1, 1)


def test_claim_taken_by_another_process_is_not_released(post: Post):
    endpoint, _ = post.endpoint(post.receiver().url, types=("payment.completed",))
    post.pay()
    first = claim(post)
    post.hasten()
    second = claim(post)
    assert [claimed.id for claimed in first] == [claimed.id for claimed in second]
    left = []
    for claimed in (first, second):
        with transaction(post.books.worker) as connection:
            webhook_delivery.give_back(connection, claimed)
        left.append(post.deliveries(endpoint)[0].tries_left)
    assert left == [TRIES_MAX - 2, TRIES_MAX - 1]


def test_last_try_of_a_killed_process_is_not_released(post: Post):
    endpoint, _ = post.endpoint(post.receiver().url, types=("payment.completed",))
    post.pay()
    for _ in range(TRIES_MAX + 1):
        claimed = claim(post)
        post.hasten()
    assert claimed[0].is_spent
    with transaction(post.books.worker) as connection:
        webhook_delivery.give_back(connection, claim(post))
    assert post.deliveries(endpoint)[0].tries_left == 0


def test_locked_delivery_is_recorded_later(post: Post):
    """It is kept later: the receiver has been called once."""
    calls: list[WebhookCall] = []
    lock = "SELECT FROM webhook_deliveries WHERE id = %s FOR UPDATE"

    class Told:
        async def send(self, call: WebhookCall) -> AttemptOutcome:
            calls.append(call)
            holder.exec_driver_sql(lock, (call.id,))
            return AttemptOutcome(204, None)

    endpoint, _ = post.endpoint("https://shop.example/", types=("payment.completed",))
    post.pay()
    dispatcher = post.another_dispatcher(Told())
    with transaction(post.books.worker) as holder:
        dispatcher.dispatch()
        with pytest.raises(Contention):
            post.until(lambda: False, dispatcher=dispatcher)
        holder.exec_driver_sql("SELECT 1")  # it must not have been put out for idling
    post.until(lambda: post.states(endpoint) == ["delivered"], dispatcher=dispatcher)
    [delivery] = post.deliveries(endpoint)
    assert (delivery.attempts, delivery.tries_left, len(calls)) == (1, TRIES_MAX - 1, 1)
