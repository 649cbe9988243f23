"""The bell: one message for many payments, and a broker that is dead or frozen costs a second, not the caller's."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
import structlog
from kombu import Connection, Consumer
from kombu.message import Message
from kombu.transport.redis import Channel
from structlog.testing import LogCapture

from bell import Bell, BrokerUnavailable, publish
from celery_config import BELLS, POST, QUEUE_OF, QUEUES, app
from embedded import home as homes
from embedded.valkey import Valkey
from tests.broker import freeze, ringing_at, thaw
from tests.support import eventually

DEBOUNCE_SECONDS = 0.05
AT_ONCE_SECONDS = 0.5
"""The time limit of `ring()`, which does nothing but set a flag, on a busy machine."""


@pytest.fixture
def own_valkey(monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """A broker that the test may kill and freeze, to which the app of this process rings."""
    with homes.temporary() as home:
        valkey = Valkey(home)
        valkey.start()
        with ringing_at(valkey, monkeypatch):
            yield valkey
        thaw(valkey)
        valkey.stop()


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The log entries of the bell."""
    capture = LogCapture()
    monkeypatch.setattr("bell.log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


def ring_at_once(bell: Bell) -> None:
    began = time.monotonic()
    bell.ring("request")
    assert time.monotonic() - began < AT_ONCE_SECONDS


def messages(valkey: Valkey) -> int:
    with redis.Redis.from_url(valkey.url()) as client:
        return client.llen("payments")


def test_it_rings_once_for_all_of_a_few_milliseconds(bells: redis.Redis) -> None:
    bell = Bell(POST, DEBOUNCE_SECONDS)
    for _ in range(50):
        bell.ring()
    eventually(lambda: bells.llen("payments"))
    assert bells.llen("payments") == 1
    bells.delete("payments")
    bell.ring()
    eventually(lambda: bells.llen("payments") == 1, message="a later payment is rung for again")


def test_it_rings_after_the_last_of_them(bells: redis.Redis) -> None:
    """Trailing edge: a payment committed while the bell waits is covered by the message that follows."""
    bell = Bell(POST, 10 * DEBOUNCE_SECONDS)
    began = time.monotonic()
    bell.ring()
    assert bells.llen("payments") == 0, "not at the first"
    eventually(lambda: bells.llen("payments") == 1)
    assert time.monotonic() - began >= 10 * DEBOUNCE_SECONDS


def test_a_bell_that_waits_already_is_not_rung_again(bells: redis.Redis) -> None:
    for _ in range(3):
        publish()
    assert bells.llen("payments") == 1
    bells.delete("payments")
    publish()
    assert bells.llen("payments") == 1


@pytest.mark.parametrize(("foreign", "each"), [(0, 1), (1, 2), (1_000, 2)])
def test_bell_hidden_by_foreign_messages_is_sent_once_more(bells: redis.Redis, foreign: int, each: int) -> None:
    for _ in range(2):
        for task in QUEUE_OF:
            publish(task=task)
    for queue in QUEUES if foreign else ():
        bells.lpush(queue, *[b"foreign"] * foreign)
    for number in range(2 * len(QUEUE_OF)):
        for task in sorted(QUEUE_OF, reverse=number % 2 == 0):
            publish(task=task)
    waiting = [message for queue in QUEUES for message in bells.lrange(queue, 0, -1) if message != b"foreign"]
    assert Counter(json.loads(message)["headers"]["task"] for message in waiting) == dict.fromkeys(QUEUE_OF, each)


def test_bell_after_broker_lost_its_data_is_sent(bells: redis.Redis) -> None:
    """FLUSHALL takes the queues' bindings, too: a publisher that trusted them would reach no worker."""
    publish()
    assert bells.keys("_kombu.binding.*")
    bells.flushall()
    publish()
    assert bells.llen("payments") == 1


def test_a_message_carries_no_payment(bells: redis.Redis) -> None:
    publish("request-1")
    message = bells.lindex("payments", 0)
    assert b'"request_id": "request-1"' in message
    assert b'"task": "workers.tasks.post"' in message
    assert b'"body": "W1tdLCB7fSwg' in message, "no arguments: [[], {}, ..."


def test_a_dead_broker_costs_the_caller_nothing(own_valkey: Valkey, warnings: list[dict]) -> None:
    own_valkey.kill()
    bell = Bell(POST, DEBOUNCE_SECONDS)
    ring_at_once(bell)
    eventually(lambda: warnings)
    ring_at_once(bell)


@pytest.mark.parametrize("is_connected", [False, True])
def test_a_frozen_broker_costs_the_ringer_a_second(own_valkey: Valkey, is_connected: bool) -> None:
    if is_connected:
        publish()
    freeze(own_valkey)
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        publish()
    assert 0.5 < time.monotonic() - began < 5


def test_a_frozen_broker_costs_the_caller_nothing(own_valkey: Valkey, warnings: list[dict]) -> None:
    publish()
    freeze(own_valkey)
    bell = Bell(POST, DEBOUNCE_SECONDS)
    ring_at_once(bell)
    eventually(lambda: warnings)


def test_the_breaker_spares_a_broker_that_was_away_for_a_while(
    own_valkey: Valkey, warnings: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bell.BREAKER_SECONDS", 1.0)
    bell = Bell(POST, DEBOUNCE_SECONDS)
    own_valkey.kill()
    bell.ring()
    eventually(lambda: warnings)
    broken_until = bell._breaker._open_until
    own_valkey.start()
    bell.ring()

    def rings_again() -> bool:
        bell.ring()
        return messages(own_valkey) > 0

    eventually(rings_again)
    assert time.monotonic() >= broken_until, "not before the breaker closed"
    assert len(warnings) == 1, "and it was not tried meanwhile"


def test_the_ringer_outlives_every_broker(own_valkey: Valkey, warnings: list[dict], monkeypatch) -> None:
    """One time-out must not end the thread for good."""
    monkeypatch.setattr("bell.BREAKER_SECONDS", 0.0)
    bell = Bell(POST, DEBOUNCE_SECONDS)
    for times in (1, 2):
        bell.ring()
        eventually(lambda: messages(own_valkey) >= 1)
        own_valkey.kill()
        bell.ring()
        eventually(lambda times=times: len(warnings) >= times)
        own_valkey.start()
        with redis.Redis.from_url(own_valkey.url()) as client:
            client.flushall()


@contextmanager
def bell_in_hand() -> Iterator[tuple[Connection, Channel, Message]]:
    """A line like a worker's with one place, and the bell that holds it."""
    publish()
    taken: list[Message] = []
    with app.connection_for_read() as line:
        channel, queue = line.default_channel, next(queue for queue in app.conf.task_queues if queue.name == BELLS)
        channel.basic_qos(0, 1, False)
        Consumer(channel, [queue], on_message=taken.append).consume()
        line.drain_events(timeout=30)
        assert not channel.qos.can_consume()
        yield line, channel, taken[0]


@pytest.mark.parametrize("end", [Message.ack, Message.reject, Message.requeue])
def test_a_bell_whose_line_is_lost_gives_its_place_back(own_valkey: Valkey, end: Callable[[Message], None]) -> None:
    """A worker without a place listens to nothing, not even to the end of its line."""
    with bell_in_hand() as (line, channel, message):
        own_valkey.kill()
        with pytest.raises(line.connection_errors):
            end(message)
        assert channel.qos.can_consume()


def time_out() -> None:
    raise TimeoutError


def test_a_lost_line_with_a_bell_in_hand_may_be_closed_again(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Celery does, and the first time may be cut short."""
    with bell_in_hand() as (line, channel, message):
        own_valkey.kill()
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(channel, "close", time_out)
            line.collect()
        line.close()
        with pytest.raises(line.connection_errors):
            message.ack()
