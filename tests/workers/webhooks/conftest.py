"""Books whose events are sent to real receivers on loopback."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from models.rules.webhook_url import UrlPolicy, networks_of
from models.session import transaction
from tests.support import PATIENCE_SECONDS, eventually
from tests.webhook_receiver import Receiver
from tests.workers.books import Books
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.sender import Sender

LOOPBACK = UrlPolicy(http=True, networks=networks_of(["127.0.0.0/8"]))
VERIFYING: ssl.SSLContext = httpx.create_ssl_context(trust_env=False)
"""The product's default; it is read once, because certificates of all authorities take 80 ms."""


def new_sender(policy: UrlPolicy = LOOPBACK, **parameters: Any) -> Sender:
    """A sender that verifies as the product does."""
    return Sender(policy, **{"verify": VERIFYING, **parameters})


class Delivery(NamedTuple):
    """The row of a delivery; `wait` is from now, and `pause` from the end of the last try."""

    id: str
    sequence: int
    name: str
    subject_id: str
    state: str
    attempts: int
    tries_left: int
    wait: float | None
    pause: float | None
    status: int | None
    error: str | None


class Post:
    """Books with receivers, endpoints and a dispatcher."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.user, self.wallet = books.client(1_000_000_00)
        self.other = books.client()[1]
        self.dispatchers: list[Dispatcher] = []
        self.receivers: list[Receiver] = []
        self.dispatcher = self.another_dispatcher()

    def another_dispatcher(self, sender: Any = None, events_max: int = 1_000) -> Dispatcher:
        sender = sender or new_sender()
        self.dispatchers.append(Dispatcher(self.books.open(self.books.database.worker), sender, events_max))
        return self.dispatchers[-1]

    def give_up_soon(self) -> None:
        """From now on a call may take 2 s: for receivers that never answer. One that works might, on a busy machine,
        answer too late, and be called twice.
        """
        self.dispatcher = self.another_dispatcher(new_sender(total_seconds=2.0))

    def be_patient(self) -> None:
        """From now on a call may take as long as one of the product."""
        self.dispatcher = self.another_dispatcher()

    def close(self) -> None:
        for receiver in self.receivers:
            receiver.close()
        for dispatcher in self.dispatchers:
            dispatcher.close()

    def receiver(self) -> Receiver:
        self.receivers.append(Receiver())
        return self.receivers[-1]

    def endpoint(self, url: str, user_id: str | None = None, types: tuple[str, ...] = ("*",)) -> tuple[str, str]:
        """A new endpoint of the client's or another user's: its id and secret."""
        return self.books.endpoint(user_id or self.user, url, types)

    def pay(self, count: int = 1) -> list[str]:
        """Transfers of one cent to another's wallet, COMPLETED: two events each, which can be fanned out."""
        ids = [self.books.order("transfer", self.user, self.wallet, self.other, 1) for _ in range(count)]
        self.books.poster().drain()
        assert set(self.books.outcomes(ids)) == {"COMPLETED"}
        eventually(self._are_events_readable)
        return ids

    def _are_events_readable(self) -> bool:
        """Events are read once each older transaction of the server has ended, even one of an autovacuum."""
        query = "SELECT NOT EXISTS (SELECT FROM events WHERE xact >= pg_snapshot_xmin(pg_current_snapshot()))"
        with transaction(self.books.worker) as connection:
            return connection.exec_driver_sql(query).scalar_one()

    def deliveries(self, endpoint_id: str) -> list[Delivery]:
        """The deliveries of an endpoint, in the order of their events."""
        with transaction(self.books.worker) as connection:
            rows = connection.exec_driver_sql(
                "SELECT id::text, sequence, name, subject_id::text, state, attempts, tries_left,"
                " extract(epoch FROM next_attempt_at - now())::float,"
                " extract(epoch FROM next_attempt_at - ended)::float,"
                " last_status, last_error"
                " FROM webhook_deliveries,"
                " LATERAL (SELECT max(created_at) AS ended FROM webhook_attempts WHERE delivery_id = id)"
                " WHERE endpoint_id = %s ORDER BY sequence",
                (endpoint_id,),
            )
            return [Delivery(*row) for row in rows]

    def states(self, endpoint_id: str) -> list[str]:
        return [delivery.state for delivery in self.deliveries(endpoint_id)]

    def until(
        self, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS, dispatcher: Dispatcher | None = None
    ) -> Any:
        """Dispatch, as the timetable does, until the condition holds."""

        def dispatched() -> Any:
            (dispatcher or self.dispatcher).dispatch()
            return condition()

        return eventually(dispatched, seconds)

    def tried(self, delivery_id: str, attempts: int) -> Delivery:
        """The delivery after that many tries, the last of which has been recorded."""

        def noted() -> Delivery | None:
            with transaction(self.books.worker) as connection:
                row = connection.exec_driver_sql(
                    "SELECT count(*) FROM webhook_attempts WHERE delivery_id = %s", (delivery_id,)
                ).scalar_one()
                endpoint = connection.exec_driver_sql(
                    "SELECT endpoint_id::text FROM webhook_deliveries WHERE id = %s", (delivery_id,)
                ).scalar_one()
            return next(d for d in self.deliveries(endpoint) if d.id == delivery_id) if row == attempts else None

        return self.until(noted)

    def execute(self, statement: str, *parameters: object) -> None:
        """As the owner of the tables, whom only triggers stop."""
        with self.books.as_owner() as connection:
            connection.exec_driver_sql(statement, parameters)

    def hasten(self) -> None:
        """As if every wait were over, and every lease."""
        self.execute("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending'")


@pytest.fixture
def post(books: Books) -> Iterator[Post]:
    """Receivers, endpoints and a dispatcher over a database of their own."""
    post = Post(books)
    yield post
    post.close()
