"""Messages from the broker: the product's bells as if just written, and of all else nothing."""

import base64
import copy
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection, Consumer, Message
from kombu.asynchronous import Hub
from redis.exceptions import ReadOnlyError

import redis_urls
from bell import publish
from broker import BODY, MESSAGE_BYTES_MAX, InvalidMessage, read
from celery_config import BELLS, POST, QUEUE_OF, SWEEP, UPKEEP, app
from embedded.valkey import Valkey
from tests.broker import ringing_at
from tests.support import eventually

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def sent(valkey: Valkey, redis_url: str) -> dict:
    """A bell as Celery and kombu write it."""
    with pytest.MonkeyPatch.context() as monkeypatch, ringing_at(valkey, monkeypatch):
        publish("request-1")
    with redis.Redis.from_url(redis_url) as client:
        return json.loads(client.rpop(BELLS))


def message_read(envelope: object, queue: str = BELLS) -> dict:
    return json.loads(read(json.dumps(envelope).encode(), queue, QUEUE_OF))


def body(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def test_message_read_keeps_task_and_request_id_only(sent: dict) -> None:
    bell = message_read(sent)
    assert bell["headers"] == {
        "task": POST,
        "id": sent["headers"]["id"],
        "retries": 0,
        "request_id": "request-1",
        "lang": "py",
    }
    assert (bell["body"], sent["body"]) == (BODY, BODY)
    assert bell["properties"]["delivery_info"] == {"exchange": BELLS, "routing_key": BELLS}
    assert bell["properties"]["delivery_tag"] != sent["properties"]["delivery_tag"], "two with one tag would be one"


def test_what_is_told_can_be_told_again(sent: dict) -> None:
    """As a message that was given back by a worker that ended."""
    assert message_read(message_read(sent))["headers"] == message_read(sent)["headers"]


@pytest.mark.parametrize(
    "written",
    [
        {"eta": "9999-12-31T23:59:59Z"},
        {"eta": [1]},
        {"expires": "yesterday"},
        {"timelimit": "soon"},
        {"compression": "lz4"},
        {"shadow": {}},
        {"stamped_headers": 7},
        {"argsrepr": "x" * 100},
    ],
)
def test_what_a_stranger_wrote_beside_is_not_read(sent: dict, written: dict) -> None:
    envelope = copy.deepcopy(sent)
    envelope["headers"] |= written
    envelope |= {"content-type": "application/x-python-serialize", "content-encoding": "rot13", "properties": written}
    assert message_read(envelope)["headers"] == message_read(sent)["headers"]


BROKEN: dict[str, Callable[[dict], object]] = {
    "body of a bare number": lambda e: e.update(body=body(42)),
    "body of null": lambda e: e.update(body=body(None)),
    "body of two": lambda e: e.update(body=body([[], {}])),
    "body of three letters": lambda e: e.update(body=body("abc")),
    "arguments": lambda e: e.update(body=body([[1], {}, {}])),
    "named arguments": lambda e: e.update(body=body([[], {"amount": 1}, {}])),
    "a callback": lambda e: e.update(body=body([[], {}, {"callbacks": [{"task": POST}]}])),
    "embed of a list": lambda e: e.update(body=body([[], {}, [1]])),
    "no base64": lambda e: e.update(body="###"),
    "no JSON in it": lambda e: e.update(body=base64.b64encode(b"{").decode()),
    "bare body": lambda e: e.update(body=42),
    "no body": lambda e: e.pop("body"),
    "no headers": lambda e: e.pop("headers"),
    "headers of a list": lambda e: e.update(headers=[1]),
    "unknown task": lambda e: e["headers"].update(task="workers.tasks.nothing"),
    "task of Celery's": lambda e: e["headers"].update(task="celery.map"),
    "task of another queue": lambda e: e["headers"].update(task="workers.tasks.mail"),
    "task of a list": lambda e: e["headers"].update(task=[POST]),
    "no task": lambda e: e["headers"].pop("task"),
    "huge id": lambda e: e["headers"].update(id="x" * 65),
    "id of a number": lambda e: e["headers"].update(id=1),
    "no id": lambda e: e["headers"].pop("id"),
    "huge retries": lambda e: e["headers"].update(retries=10**20),
    "negative retries": lambda e: e["headers"].update(retries=-1),
    "retries of true": lambda e: e["headers"].update(retries=True),
    "request of two lines": lambda e: e["headers"].update(request_id="a\nb"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_no_bell_is_refused(sent: dict, how: str) -> None:
    envelope = copy.deepcopy(sent)
    BROKEN[how](envelope)
    with pytest.raises(InvalidMessage):
        message_read(envelope)


@pytest.mark.parametrize(
    "text", [b"42", b"", b"\xff\xfe", b"null", b"[]", b"{", b"[" * 10_000, b"1" * 5_000, b" " * (MESSAGE_BYTES_MAX + 1)]
)
def test_what_is_no_envelope_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read(text, BELLS, QUEUE_OF)


def test_a_bell_in_the_queue_of_another_worker_is_refused(sent: dict) -> None:
    with pytest.raises(InvalidMessage):
        message_read(sent, UPKEEP)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_they_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read(text, BELLS, QUEUE_OF)


@given(headers=JSON, content=JSON, extra=JSON)
def test_whatever_the_envelope_it_is_refused(headers: object, content: object, extra: object) -> None:
    for envelope in (extra, {"headers": headers, "body": body(content), "properties": extra}):
        with pytest.raises(InvalidMessage):
            message_read(envelope)


@given(name=st.sampled_from(["task", "id", "retries", "request_id"]), value=JSON)
def test_whatever_a_header_it_is_refused_or_told_as_it_stands(sent: dict, name: str, value: object) -> None:
    envelope = copy.deepcopy(sent)
    envelope["headers"][name] = value
    with suppress(InvalidMessage):
        assert message_read(envelope)["headers"][name] == value


def test_a_connection_that_is_refused_at_once_is_closed(bells: redis.Redis, valkey: Valkey) -> None:
    before = len(bells.client_list())
    bells.execute_command("REPLICAOF", "127.0.0.1", 1)
    try:
        for _ in range(5):
            connection = Connection(redis_urls.for_kombu(valkey.url()))
            connection.ensure_connection(max_retries=1)
            with pytest.raises(ReadOnlyError):
                connection.transport.register_with_event_loop(connection.connection, Hub())
        eventually(lambda: len(bells.client_list()) <= before)
    finally:
        bells.execute_command("REPLICAOF", "NO", "ONE")


def test_worker_of_several_queues_leaves_bells_to_posters_that_keep_up(
    bells: redis.Redis, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def take() -> None:
        with suppress(TimeoutError):
            connection.drain_events(timeout=1.5)

    def note(_: object, message: Message) -> None:
        taken.append(message.delivery_info["routing_key"])
        message.ack()

    with ringing_at(valkey, monkeypatch), Connection(redis_urls.for_kombu(valkey.url())) as connection:
        queues = [queue for queue in app.conf.task_queues if queue.name in (BELLS, UPKEEP)]
        with Consumer(connection, queues, callbacks=[note]):
            for _ in range(3):
                app.send_task(POST)
                app.send_task(SWEEP)
                take()
                assert bells.rpop(BELLS), "it is left to another"
                take()  # and seen to be gone
            assert taken == [UPKEEP] * 3
            app.send_task(POST)
            eventually(lambda: take() or BELLS in taken, message="it takes the bell that nobody else takes")
