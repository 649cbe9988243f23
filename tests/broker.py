"""Where the Celery app of the test's process rings, and what a broker suffers; by BROKER=rabbitmq that is RabbitMQ."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

import bell
import celery_config
import redis_urls
from embedded.stack import Stack
from embedded.valkey import Valkey
from tests.cluster.rabbitmq import RabbitMQ, RabbitStack

Broker = Valkey | RabbitMQ


@contextmanager
def ringing_at(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the app ring at this server, on a connection of its own."""
    url = redis_urls.for_kombu(broker.url())
    monkeypatch.setitem(celery_config.app.conf, "broker_url", url)
    monkeypatch.setattr(bell, "_publishing", None)
    yield
    if bell._publishing is not None:
        bell._publishing.release()


def kind_of_stack() -> type[Stack]:
    """Of stacks with the broker that the tests are run with."""
    return RabbitStack if os.environ.get("BROKER") == "rabbitmq" else Stack


def forget(broker: Broker) -> int:
    """Let it lose all that it holds; returns how much that was: keys of Valkey, or messages and queues."""
    if isinstance(broker, RabbitMQ):
        return broker.forget()
    with redis.Redis.from_url(broker.url()) as client:
        held = client.dbsize()
        client.flushall()
    return held


def cut(broker: Broker) -> None:
    """Close the lines of all clients."""
    if isinstance(broker, RabbitMQ):
        broker.cut()
        return
    with redis.Redis.from_url(broker.url()) as client:
        assert all(client.client_kill_filter(_type=kind, skipme=True) for kind in ("normal", "pubsub"))


def freeze(valkey: Valkey) -> None:
    """SIGSTOP: it accepts connections and answers nothing."""
    os.kill(valkey.pid, signal.SIGSTOP)


def thaw(valkey: Valkey) -> None:
    """Let it go on, if it lives."""
    if valkey.is_alive:
        os.kill(valkey.pid, signal.SIGCONT)
