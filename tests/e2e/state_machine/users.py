"""Users with wallets who order payments over HTTP, many at once, and keep every answer."""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

import settings
from embedded.stack import Stack
from tests.builders import Builder
from tests.gateway.orders import deposit_into, wire_withdrawal
from tests.support import PATIENCE_SECONDS, eventually, kept_engine

CURRENCY = "EUR"
ANSWER_SECONDS_MAX = 60
ACCEPTED = 202


@dataclass(frozen=True)
class Person:
    """A user's bearer token and the token of their wallet."""

    token: str
    wallet: str


class Order(NamedTuple):
    """A request that moves money; sent again, it has the same key."""

    path: str
    token: str
    body: dict[str, str]
    key: str


class Answer(NamedTuple):
    """The answer to an order: status 0 if the connection broke before it came; body is the payment or problem."""

    order: Order
    status: int
    body: dict
    headers: dict[str, str]
    seconds: float

    @property
    def payment_id(self) -> str:
        return self.body["id"]


class GatewayConnection:
    """One keep-alive connection to the gateway, made again after it broke."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._connection = http.client.HTTPConnection(stack.bind, timeout=ANSWER_SECONDS_MAX)

    def close(self) -> None:
        self._connection.close()

    def call(
        self,
        method: str,
        path: str,
        token: str,
        body: dict | None = None,
        key: str | None = None,
        etag: str | None = None,
        *,
        is_again: bool = False,
    ) -> tuple[int, dict, dict[str, str]]:
        """(status, body, headers); raises OSError or HTTPException when the connection breaks before an answer.

        A GET is sent once more: the gateway closes connections that were idle for a while, at any moment.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        if etag is not None:
            headers["If-Match"] = etag
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read() or "{}"), dict(response.getheaders())
        except http.client.RemoteDisconnected:
            self._connection.close()
            if method != "GET" or is_again:
                raise
            return self.call(method, path, token, body, key, etag, is_again=True)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def submit(self, order: Order) -> Answer:
        began = time.monotonic()
        try:
            answer = self.call("POST", order.path, order.token, order.body, order.key)
        except (OSError, http.client.HTTPException):
            answer = (0, {}, {})
        return Answer(order, *answer, time.monotonic() - began)


def new_tokens(stack: Stack, roles: Sequence[str]) -> list[str]:
    """A token for a new user of each role; in this process, since a command takes a second to start."""
    urls = (stack.database_url, *map(stack.role_url, (settings.WORKER_ROLE, settings.GATEWAY_ROLE)))
    builder = Builder(*map(kept_engine, urls))
    return [builder.token(builder.user(role, role)) for role in roles]


class StackUsers:
    """Clients and a merchant on a running stack, each with a wallet."""

    def __init__(self, stack: Stack, clients: int, funds: str) -> None:
        self.stack = stack
        self._local = threading.local()
        self._connections: list[GatewayConnection] = []
        tokens = new_tokens(stack, ["client"] * clients + ["merchant"])
        *self.clients, self.merchant = map(self._person, tokens)
        self.fund(self.clients, funds)

    @property
    def connection(self) -> GatewayConnection:
        """The connection of the calling thread."""
        if not hasattr(self._local, "connection"):
            self._local.connection = GatewayConnection(self.stack)
            self._connections.append(self._local.connection)
        return self._local.connection

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def fund(self, people: Iterable[Person], amount: str) -> None:
        """Deposit the amount for each, and wait until it is posted."""
        for person in people:
            body = deposit_into(person.wallet, amount)
            answer = self.connection.submit(Order("/v1/deposits", person.token, body, str(uuid4())))
            assert answer.status == ACCEPTED, answer
            assert self.final(answer)["state"] == "COMPLETED"

    def final(self, answer: Answer, seconds: float = PATIENCE_SECONDS) -> dict:
        """The answer's payment once it is final."""

        def look() -> dict | None:
            status, payment, _ = self.connection.call("GET", f"/v1/payments/{answer.payment_id}", answer.order.token)
            assert status == http.client.OK, payment
            return payment if payment["finalized_at"] else None

        return eventually(look, seconds, message=f"payment {answer.payment_id} is final")

    def balance(self, person: Person) -> str:
        _, wallet, _ = self.connection.call("GET", f"/v1/wallets/{person.wallet}", person.token)
        return wallet["balance"]

    def transfer(self, source: Person, target: Person, amount: str) -> Order:
        body = {"source": source.wallet, "target": target.wallet, "amount": amount, "currency": CURRENCY}
        return Order("/v1/transfers", source.token, body, str(uuid4()))

    def charge(self, client: Person, amount: str) -> Order:
        body = {"wallet": client.wallet, "amount": amount, "currency": CURRENCY, "summary": "Coffee"}
        return Order("/v1/charges", self.merchant.token, body, str(uuid4()))

    def withdrawal(self, client: Person, amount: str) -> Order:
        """By wire, to a bank account."""
        return Order("/v1/withdrawals", client.token, wire_withdrawal(client.wallet, amount), str(uuid4()))

    def mixed(self, count: int) -> list[Order]:
        """Transfers among the clients and charges; every twentieth is of more than any wallet has."""
        chance = random.Random(count)
        orders = []
        for number in range(count):
            source, target = chance.sample(self.clients, 2)
            amount = "99999999.00" if number % 20 == 7 else "1.00"
            is_charge = number % 3 == 0
            orders.append(self.charge(source, amount) if is_charge else self.transfer(source, target, amount))
        return orders

    def submit(self, orders: list[Order], threads: int = 8) -> list[Answer]:
        """Submit all, as fast as they are answered; answers in the order of the orders."""
        with self.submitting(orders, threads=threads) as answers:
            return [answer.result() for answer in answers]

    @contextmanager
    def submitting(
        self,
        orders: list[Order],
        *,
        per_second: float | None = None,
        threads: int = 8,
    ) -> Iterator[list[Future[Answer]]]:
        """Submit all in the background, at most `per_second`; all are answered at the end of the block."""
        began, pause = time.monotonic(), threading.Event()

        def submit(order: Order, after_seconds: float) -> Answer:
            pause.wait(max(0.0, began + after_seconds - time.monotonic()))
            return self.connection.submit(order)

        with ThreadPoolExecutor(threads) as pool:
            yield [
                pool.submit(submit, order, number / per_second if per_second else 0)
                for number, order in enumerate(orders)
            ]

    def submit_until_accepted(self, orders: list[Order], seconds: float = 2 * PATIENCE_SECONDS) -> list[Answer]:
        """Submit each again, with its own key, until it is answered 202."""

        def insist(order: Order) -> Answer:
            def once() -> Answer | None:
                answer = self.connection.submit(order)
                return answer if answer.status == ACCEPTED else None

            return eventually(once, seconds, message=f"{order.key} is accepted")

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(insist, orders))

    def _person(self, token: str) -> Person:
        status, wallet, _ = self.connection.call("POST", "/v1/wallets", token, {"currency": CURRENCY})
        assert status == http.client.CREATED, wallet
        return Person(token, wallet["token"])
