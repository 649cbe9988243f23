"""RabbitMQ as the broker: nonsense ends no worker, users may do what they need, and commands ask it.

`make cluster-test` runs the tests of `tests/faults` on it, too, by BROKER=rabbitmq.
"""

import http.client
import random
from collections.abc import Iterator
from pathlib import Path

import amqp
import pytest
from kombu import Connection

import bell
import broker_amqp
from celery_config import INSTRUCT, POST, QUEUE_OF_KIND, QUEUES
from embedded import home as homes
from tests.cluster.load import Shown, load
from tests.cluster.rabbitmq import GATEWAY, RabbitMQ, RabbitStack
from tests.e2e.state_machine.users import StackUsers
from tests.faults.inject import assert_heartbeats, logged
from tests.faults.ops import flask
from tests.stacks import UNLIMITED
from tests.support import begin_with, charge_commission, eventually, memory

pytestmark = pytest.mark.slow
MESSAGES = 200
DROPPED = "message dropped"
BODIES = (b"", b"42", b"[]", b"[[1], {}, {}]", b'[[], {}, {"chain": [1]}]', b"[" * 9_000, b"\xff", b"x" * 17_000)
HEADERS = (
    *(
        {},
        {"task": 7},
        {"task": "celery.chord_unlock", "id": "0", "retries": 0},
        {"task": POST, "id": [], "retries": 0},
    ),
    *({"task": POST, "id": "0", "retries": -1}, {"task": POST, "id": "0", "retries": 0, "request_id": {"a": "b"}}),
    *({"task": INSTRUCT, "id": "x" * 5_000, "retries": 0}, {"task": POST, "id": "0", "retries": 0, "eta": "soon"}),
)
PROPERTIES = (
    *({}, {"content_type": "application/x-python-serialize"}, {"content_encoding": "unicode_escape"}),
    *({"content_type": "application/json", "content_encoding": "utf-8", "reply_to": "x"}, {"type": "\x00"}),
)
UNREADABLE = b"\x20\x00" + b"\x00\x00\x00\x0b" + b"\x01aT" + b"\x7f" * 8
"""Properties: a table with a time beyond the year 9999, which RabbitMQ passes on."""


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[RabbitStack]:
    with homes.temporary(memory() or homes.SHARED) as home:
        begin_with(migrated, home.path)
        stack = RabbitStack(home, environ=UNLIMITED)
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=0)
            stack.start_processes()
            yield stack
        finally:
            stack.stop()


def publish(rabbitmq: RabbitMQ, queue: str, body: bytes, **properties: object) -> None:
    with Connection(rabbitmq.url()) as connection:
        connection.default_channel.basic_publish(amqp.Message(body, **properties), queue, queue)
        broker_amqp.length(connection.channel(), queue)  # it was read


class Unreadable(amqp.Message):
    """A message whose properties py-amqp cannot read."""

    def _serialize_properties(self) -> bytes:
        return UNREADABLE


def test_no_message_ends_a_worker(stack: RabbitStack, users: StackUsers, shown: Shown) -> None:
    pids, draw = dict(stack.pids), random.Random("nonsense")
    for queue in QUEUES:
        with Connection(stack.broker.url()) as connection:
            for _ in range(MESSAGES):
                body, headers, more = draw.choice(BODIES[:-1]), draw.choice(HEADERS), draw.choice(PROPERTIES)
                message = amqp.Message(body, application_headers=headers, **more)
                connection.default_channel.basic_publish(message, queue, queue)
            connection.default_channel.basic_publish(Unreadable(b"42"), queue, queue)
            broker_amqp.length(connection.channel(), queue)
    eventually(lambda: sum((bell.depths(stack.broker.url()) or {"": 1}).values()) < len(QUEUES), seconds=120)
    assert sum(logged(stack, name, DROPPED) for name in stack.processes) > MESSAGES
    assert stack.pids == pids
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")
    with load(users) as running:
        eventually(lambda: running.accepted >= 100)
    assert shown(running.done).refused == 0


def test_a_message_that_is_too_long_is_refused(stack: RabbitStack) -> None:
    with pytest.raises(amqp.PreconditionFailed):
        publish(stack.broker, "payments", BODIES[-1])


def test_a_gateway_may_ring_and_nothing_else(stack: RabbitStack) -> None:
    with broker_amqp.connected(stack.broker.url(GATEWAY), 10.0) as connection:
        for forbidden in (
            lambda channel: channel.queue_declare("mine"),
            lambda channel: channel.queue_purge("payments"),
            lambda channel: channel.basic_get("payments"),
            lambda channel: channel.exchange_delete("payments"),
        ):
            with pytest.raises(amqp.AccessRefused):
                forbidden(connection.channel())
        assert broker_amqp.length(connection.channel(), "webhooks") >= 0


def test_status_and_commands_ask_it(stack: RabbitStack, users: StackUsers) -> None:
    listed = flask(stack, "workers", "list")
    assert all(queue in listed for queue in QUEUES)
    assert users.connection.call("GET", "/status", "")[1]["broker"] == "ok"
    queues = stack.broker.control("list_queues", "-p", "payments", "name", "type", "durable")
    assert sorted(queues.split("\n")[1:-1]) == sorted(f"{queue}\tquorum\ttrue" for queue in QUEUES)
    stack.broker.kill()
    eventually(lambda: users.connection.call("GET", "/status", "")[1]["broker"] == "away")
    stack.broker.start()
    eventually(lambda: users.connection.call("GET", "/status", "")[:2][0] == http.client.OK)
    eventually(lambda: users.connection.call("GET", "/status", "")[1]["broker"] == "ok")


def test_a_broker_out_of_memory_delays_no_order(stack: RabbitStack, users: StackUsers, shown: Shown) -> None:
    """It reads from no one who publishes until there is room again."""
    with load(users) as running:
        eventually(lambda: running.accepted >= 60)
        stack.broker.control("set_vm_memory_high_watermark", "absolute", "1MB")
        eventually(lambda: running.accepted >= 600, seconds=120)
        stack.broker.control("set_vm_memory_high_watermark", "absolute", "256MB")
    told = shown(running.done)
    assert (told.refused, stack.processes["gateway"].is_alive) == (0, True)
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")


@pytest.fixture(autouse=True)
def whole(stack: RabbitStack) -> Iterator[None]:
    """Every process outlives every test."""
    yield
    assert [name for name, process in stack.processes.items() if not process.is_alive] == []
