"""Two gateways and every worker live with wrong clocks, stepped forth and back while money moves: all promises hold."""

import os
import socket
from collections.abc import Iterator
from http.client import CREATED, OK, UNAUTHORIZED
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from uuid import uuid4

import pytest

from embedded import api
from embedded import home as homes
from embedded.bank import RETURN_SECONDS
from embedded.process import Process
from embedded.stack import HOST, READY_SECONDS_MAX, STOP_SECONDS_MAX, Stack
from models.session import transaction
from models.token import hash_of
from tests.e2e.state_machine.audit import owner, scalar
from tests.e2e.state_machine.users import ACCEPTED, Answer, GatewayConnection, Order, Person, StackUsers, new_tokens
from tests.faults.clocks import Clocks
from tests.faults.conftest import Reckon
from tests.stacks import UNLIMITED
from tests.support import begin_with, charge_commission, eventually
from tests.webhook_receiver import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

STEPS = [2, -300, 7200, -7200]
"""Seconds by which every other process is ahead, and the rest behind; each comes while orders are under way."""

STEPS_FULL = [0, 2, -2, 0, 300, -300, 2, 7200, -7200, 300, -7200, 7200, 0] * 3
RETURNED = "6660.09"
"""The amount that the bank sends back in three days, by a clock of its own."""

OPEN = "SELECT count(*) FROM payments WHERE state IN ('INITIATED', 'AUTHORIZED') AND parked_at IS NULL"
RETURNS = "SELECT count(*) FROM payments WHERE type = 'return' AND state = 'COMPLETED'"
TAKEN = """
SELECT sum(amount)::int FROM payments p JOIN accounts a ON a.id = p.source_id
WHERE a.token = %s AND p.type = 'charge' AND p.state = 'COMPLETED' GROUP BY (p.created_at AT TIME ZONE 'UTC')::date
"""


class Clocked(NamedTuple):
    """A stack whose processes have clocks of their own, and a second gateway of the same database."""

    stack: Stack
    second: Process
    bind: str
    clocks: Clocks

    def step(self, seconds: int) -> None:
        """Every other process is ahead by `seconds`, the rest behind: never both gateways."""
        names = ["gateway", "second", *(name for name in self.stack.processes if name != "gateway")]
        self.clocks.set({name: seconds * (-1) ** place for place, name in enumerate(names)})


@pytest.fixture(scope="module")
def clocked(migrated: Path) -> Iterator[Clocked]:
    with homes.temporary() as home, socket.create_server((HOST, 0)) as listener:
        begin_with(migrated, home.path)
        stack = Stack(home, environ=UNLIMITED | {"STACK_SHAPE": "separate"})
        clocks, first = Clocks(stack), stack.processes["gateway"]
        environ = {**(first.environ or {}), "GATEWAY_BIND": f"fd://{listener.fileno()}"}
        second = Process(
            first.argv,
            log=home.log("second"),
            cwd=first.cwd,
            environ=clocks.environ("second", environ),
            identity=first.identity,
            inherits=(listener.fileno(),),
        )
        bind = f"{HOST}:{listener.getsockname()[1]}"
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=0)
            clocked = Clocked(stack, second, bind, clocks)
            clocked.step(STEPS[0])
            second.start()
            stack.start_processes()
            second.wait_until(lambda: api.is_ready(f"http://{bind}"), READY_SECONDS_MAX)
            yield clocked
        finally:
            second.stop(seconds=STOP_SECONDS_MAX)
            stack.stop()


@pytest.fixture(scope="module")
def stack(clocked: Clocked) -> Stack:
    return clocked.stack


class Shop:
    """Orders of all kinds at either gateway, in turns, with every answer that was given."""

    def __init__(self, users: StackUsers, bind: str) -> None:
        self.users = users
        self.lines = [GatewayConnection(users.stack), GatewayConnection(SimpleNamespace(bind=bind))]
        self.turns = cycle(self.lines)
        self.answers: list[Answer] = []
        self.dollars: dict[Person, str] = {}

    def order(self, order: Order) -> Answer:
        answer = next(self.turns).submit(order)
        assert answer.status == ACCEPTED, answer
        self.answers.append(answer)
        return answer

    def call(self, method: str, path: str, who: Person, body: dict | None = None, expected: int = OK) -> dict:
        status, found, _ = next(self.turns).call(method, path, who.token, body, etag="*" if method == "PATCH" else None)
        assert status == expected, found
        return found

    def refunded_once(self, client: Person) -> None:
        """A charge by the next gateway is refunded by the other one, and then by both at once."""
        charge = self.order(self.users.charge(client, "50.00"))
        assert self.ends([charge]) == ["COMPLETED"]
        body = {"charge": charge.payment_id, "amount": "50.00", "reason": "requested_by_customer"}
        refunds = [Order("/v1/refunds", self.users.merchant.token, body, str(uuid4())) for _ in range(3)]
        assert self.ends([self.order(refunds[0])]) == ["COMPLETED"]
        assert self.ends([self.order(again) for again in refunds[1:]]) == ["refund_exceeds_charge"] * 2
        shown = self.call("GET", f"/v1/payments/{charge.payment_id}", self.users.merchant)
        assert shown["refunded_amount"] == "50.00"

    def ends(self, answers: list[Answer]) -> list[str]:
        """State or failure code of each."""
        finals = map(self.users.final, answers)
        return sorted(payment["failure"]["code"] if payment["failure"] else payment["state"] for payment in finals)

    def trade(self, round: int) -> None:
        """Charges that are refunded again, a key that is used twice, a quote used at the other gateway, and a key for
        the API that is good there at once.
        """
        users, client = self.users, self.users.clients[round % 8]
        self.refunded_once(client)
        self.refunded_once(client)
        same = users.transfer(client, users.clients[8], "1.00")
        assert len({line.submit(same).body["id"] for line in self.lines}) == 1
        self.answers.append(self.lines[0].submit(same))
        quote = {"source_currency": "EUR", "target_currency": "USD", "amount": "1.00", "side": "source"}
        made = self.call("POST", "/v1/quotes", client, quote, CREATED)
        if client not in self.dollars:
            self.dollars[client] = self.call("POST", "/v1/wallets", client, {"currency": "USD"}, CREATED)["token"]
        body = {"source": client.wallet, "target": self.dollars[client], "quote": made["id"]}
        exchange = next(self.turns).submit(Order("/v1/exchanges", client.token, body, str(uuid4())))
        assert exchange.status == ACCEPTED, exchange
        assert users.final(exchange)["state"] == "COMPLETED"
        key = self.call("POST", "/v1/api-keys", client, {"name": f"round {round}"}, CREATED)
        self.call("GET", "/v1/me", Person(key["token"], ""))

    def flow(self, round: int) -> None:
        """Orders that are under way when the clocks step: transfers, charges of a limited wallet, and a withdrawal."""
        clients, limited = self.users.clients, self.users.clients[9]
        for number in range(10):
            self.order(self.users.transfer(clients[number % 8], clients[(number + 1) % 8], "1.00"))
        for _ in range(3):
            self.order(self.users.charge(limited, "4.00"))
        self.order(self.users.withdrawal(clients[round % 8], RETURNED))


@pytest.fixture
def shop(clocked: Clocked, users: StackUsers) -> Iterator[Shop]:
    shop = Shop(users, clocked.bind)
    yield shop
    for line in shop.lines:
        line.close()


def test_no_clock_decides(
    clocked: Clocked, users: StackUsers, shop: Shop, receiver: Receiver, reckoned: Reckon
) -> None:
    stack = clocked.stack
    ops = Person(*new_tokens(stack, ["ops"]), "")
    rate = {"source": "EUR", "target": "USD", "rate": "1.1", "source_name": "ECB"}
    shop.call("PUT", "/v1/exchange-rates", ops, rate)
    limits = {"charge_limits": [{"merchant": None, "per_charge": None, "per_day": "10.00"}]}
    users.fund([users.merchant], "10000.00")
    limited = users.clients[9]
    shop.call("PATCH", f"/v1/wallets/{limited.wallet}", limited, limits)
    hook = {"url": receiver.url, "event_types": ["payment.completed"]}
    secret = shop.call("POST", "/v1/webhook-endpoints", users.merchant, hook, CREATED)["secret"]

    steps = STEPS_FULL if os.environ.get("FAULTS") == "full" else STEPS
    for round, seconds in enumerate(steps):
        shop.flow(round)
        clocked.step(seconds)
        shop.trade(round)
    eventually(lambda: scalar(stack, OPEN) == 0, seconds=300, message="every payment is final")
    api.call(f"{stack.bank_url}/admin/clock", body={"seconds": RETURN_SECONDS})
    eventually(lambda: scalar(stack, RETURNS) == len(steps), seconds=120, message="what came back is given back once")

    reckoned(shop.answers)
    with transaction(owner(stack)) as connection:
        taken = connection.exec_driver_sql(TAKEN, (limited.wallet,)).scalars().all()
        assert {total <= 10_00 for total in taken} == {True}
        assert max(taken) == 8_00, "two charges of 4.00 fit into a day"
        undelivered = "SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'"
        eventually(lambda: scalar(stack, undelivered) == 0, seconds=120, message="every webhook is delivered")
    assert len(receiver.heard) >= 2 * len(steps)
    assert {heard.verified(secret)["type"] for heard in receiver.heard} == {"payment.completed"}, (
        "and fresh to receivers"
    )


ENDS_IN = "UPDATE tokens SET expires_at = now() + make_interval(hours => %s) WHERE hash = %s"
LASTS = """
SELECT expires_at - now() BETWEEN interval '23 hours 30 minutes' AND interval '24 hours' FROM tokens WHERE hash = %s
"""


def test_gateways_agree_on_the_end_of_a_session(clocked: Clocked) -> None:
    """One is two hours ahead and the other behind, and then the other way round; the database's clock says when."""
    doors = [GatewayConnection(clocked.stack), GatewayConnection(SimpleNamespace(bind=clocked.bind))]
    login = {"email": f"{uuid4()}@example.com", "password": "correct horse battery"}
    names = {"first_name": "Dora", "last_name": "Client", "phone_number": "+4915123456789"}

    def statuses(token: str) -> list[int]:
        return [door.call("GET", "/v1/me", token)[0] for door in doors]

    with owner(clocked.stack).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for round, seconds in enumerate((7200, -7200)):
            clocked.step(seconds)
            if round == 0:
                assert doors[0].call("POST", "/v1/clients", "", {**login, **names})[0] == CREATED
            for door in doors:
                status, session, _ = door.call("POST", "/v1/sessions", "", login)
                assert status == CREATED, session
                token = session["token"]
                assert connection.exec_driver_sql(LASTS, (hash_of(token),)).scalar_one()
                connection.exec_driver_sql(ENDS_IN, (1, hash_of(token)))
                assert statuses(token) == [OK, OK], "an hour is left, whatever the gateways' clocks"
                connection.exec_driver_sql(ENDS_IN, (-1, hash_of(token)))
                eventually(lambda token=token: statuses(token) == [UNAUTHORIZED, UNAUTHORIZED])
    for door in doors:
        door.close()
